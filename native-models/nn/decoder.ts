/**
 * The layers of a decoder as graph code: RMSNorm, rotary, grouped-query attention, SwiGLU, tied or own head. Llama, Qwen2 and
 * Qwen3 are this one decoder with or without biases and norms of queries and keys. Training, scoring and decoding share it; it
 * does not know which weights are trained, whether an adapter hangs on a linear, or how tokens are laid out in a batch.
 * Sources: Llama 2 (arXiv 2307.09288), Qwen2 (2407.10671), Qwen3 (2505.09388); layout as transformers'.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Value } from '../graph/ops.ts';
import type { LinearName } from '../policy/linears.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';

export interface DecoderWeights {
  /** A weight's graph value by its Hugging Face name. */
  weight(name: string): Value;
  /** x [..,in] -> [..,out] through a linear of a layer: weight, bias, adapter, whatever it has. */
  linear(layer: number, name: LinearName, x: Value): Value;
}

/** Mixes tokens of one layer: gets q, k, v [..,heads*Dh] before rotary, returns [..,H*Dh]. */
export type Attend = (layer: number, q: Value, k: Value, v: Value) => Value;

/** tokens int32 [..] -> hidden states after the last norm [..,D]. */
export function decoder(
  b: GraphBuilder,
  config: PolicyConfig,
  weights: DecoderWeights,
  tokens: Value,
  attend: Attend,
): Value {
  let x = b.gather(weights.weight('model.embed_tokens.weight'), tokens);
  for (let i = 0; i < config.layers; i++) x = b.segment(x, (input) => layer(b, config, weights, attend, i, input));
  return b.rmsNorm(x, weights.weight('model.norm.weight'), config.rmsNormEpsilon);
}

/** One layer: x [..,D] -> [..,D]. */
function layer(
  b: GraphBuilder,
  config: PolicyConfig,
  weights: DecoderWeights,
  attend: Attend,
  i: number,
  x: Value,
): Value {
  const norm = (input: Value, name: string): Value =>
    b.rmsNorm(input, weights.weight(`model.layers.${i}.${name}.weight`), config.rmsNormEpsilon);
  const perHead = (input: Value, heads: number, name: string): Value => {
    if (!config.queryKeyNorm) return input;
    const split = b.reshape(input, [...input.shape.slice(0, -1), heads, config.headDim]);
    return b.reshape(norm(split, name), input.shape);
  };
  const h = norm(x, 'input_layernorm');
  const mixed = attend(
    i,
    perHead(weights.linear(i, 'q_proj', h), config.heads, 'self_attn.q_norm'),
    perHead(weights.linear(i, 'k_proj', h), config.kvHeads, 'self_attn.k_norm'),
    weights.linear(i, 'v_proj', h),
  );
  const attended = b.add(x, weights.linear(i, 'o_proj', mixed));
  const m = norm(attended, 'post_attention_layernorm');
  const gated = b.mul(b.silu(weights.linear(i, 'gate_proj', m)), weights.linear(i, 'up_proj', m));
  return b.add(attended, weights.linear(i, 'down_proj', gated));
}

/** [V,D] */
export function headWeight(config: PolicyConfig, weights: DecoderWeights): Value {
  return weights.weight(config.tiedHead ? 'model.embed_tokens.weight' : 'lm_head.weight');
}

/** hidden [..,D] -> logits [..,V]. */
export function head(b: GraphBuilder, config: PolicyConfig, weights: DecoderWeights, hidden: Value): Value {
  return b.matmul(hidden, headWeight(config, weights), { transB: true });
}

/**
 * Causal attention over whole sequences with a gradient. The G query heads that share a key head lie one after the other
 * along the rows, [B,Hkv,G*T,Dh], so that keys are never repeated.
 * @param mask float32 [G*T,T]: 0 where a token may look, -1e9 where not (rows repeat G times).
 */
export function causalAttention(
  b: GraphBuilder,
  config: PolicyConfig,
  inputs: { cos: Value; sin: Value; positions: Value; mask: Value },
): Attend {
  const { heads, kvHeads, headDim } = config;
  const split = (x: Value, count: number): Value => b.transpose(b.reshape(x, ['B', 'T', count, headDim]), [0, 2, 1, 3]);
  const turn = (x: Value): Value => b.rotary(x, inputs.cos, inputs.sin, inputs.positions);
  return (_layer, q, k, v) => {
    const queries = b.reshape(turn(split(q, heads)), ['B', kvHeads, 'GT', headDim]);
    const scores = b.matmul(queries, turn(split(k, kvHeads)), { transB: true, alpha: 1 / Math.sqrt(headDim) }); // [B,Hkv,GT,T]
    const mixed = b.matmul(b.softmax(b.add(scores, inputs.mask)), split(v, kvHeads)); // [B,Hkv,GT,Dh]
    const perHead = b.reshape(mixed, ['B', heads, 'T', headDim]);
    return b.reshape(b.transpose(perHead, [0, 2, 1, 3]), ['B', 'T', heads * headDim]);
  };
}
