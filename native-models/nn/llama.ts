/**
 * The layers of a Llama decoder as graph code: RMSNorm, rotary, grouped-query attention, SwiGLU, tied or own head.
 * One `Weights` lookup serves every graph, so training, scoring and decoding share the very same layers.
 * Source: Llama 2 (arXiv 2307.09288); layout as transformers' LlamaForCausalLM.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Value } from '../graph/ops.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';

/** Finds a weight's graph value by its Hugging Face name. */
export type Weights = (name: string) => Value;

/** Mixes tokens of one layer: gets q, k, v [B,T,heads*Dh] before rotary, returns [B,T,H*Dh]. */
export type Attend = (layer: number, q: Value, k: Value, v: Value) => Value;

/** x [..,in] times a Hugging Face linear [out,in]. */
export function linear(b: GraphBuilder, x: Value, weight: Value): Value {
  return b.matmul(x, weight, { transB: true });
}

/** tokens int32 [B,T] -> hidden states after the last norm [B,T,D]. */
export function decoder(b: GraphBuilder, config: PolicyConfig, weights: Weights, tokens: Value, attend: Attend): Value {
  let x = b.gather(weights('model.embed_tokens.weight'), tokens);
  for (let i = 0; i < config.layers; i++) {
    const w = (name: string): Value => weights(`model.layers.${i}.${name}.weight`);
    const h = b.rmsNorm(x, w('input_layernorm'), config.rmsNormEpsilon);
    const mixed = attend(
      i,
      linear(b, h, w('self_attn.q_proj')),
      linear(b, h, w('self_attn.k_proj')),
      linear(b, h, w('self_attn.v_proj')),
    );
    x = b.add(x, linear(b, mixed, w('self_attn.o_proj')));
    const m = b.rmsNorm(x, w('post_attention_layernorm'), config.rmsNormEpsilon);
    const gated = b.mul(b.silu(linear(b, m, w('mlp.gate_proj'))), linear(b, m, w('mlp.up_proj')));
    x = b.add(x, linear(b, gated, w('mlp.down_proj')));
  }
  return b.rmsNorm(x, weights('model.norm.weight'), config.rmsNormEpsilon);
}

/** hidden [..,D] -> logits [..,V]. */
export function head(b: GraphBuilder, config: PolicyConfig, weights: Weights, hidden: Value): Value {
  return linear(b, hidden, weights(config.tiedHead ? 'model.embed_tokens.weight' : 'lm_head.weight'));
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
