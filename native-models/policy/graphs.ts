/**
 * The policy's graphs. All take the weights as inputs under their Hugging Face names, so an update needs no new session.
 *   score:    tokens, targets -> log-prob of each target
 *   gradient: the same plus an objective's inputs -> loss, metrics, one gradient per weight
 *   decode:   tokens and the key/value cache -> logits of the last token, new cache (prefill is decode with S > 1)
 * Knows nothing of rewards: the objective is a function handed in.
 */
import { backward } from '../graph/backward.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { Value } from '../graph/ops.ts';
import { causalAttention, decoder, head, type Weights } from '../nn/llama.ts';
import { parameterSlots } from './parameters.ts';
import type { PolicyConfig } from './policy-config.ts';

/** What a token loss may use; all but `logprobs` are inputs of the graph. */
export interface TokenLossInputs {
  /** log pi(target) [B,T], natural log. */
  logprobs: Value;
  /** 1 on completion tokens (EOS included), 0 on prompt and padding. [B,T] */
  completionMask: Value;
  /** One number per row. [B] */
  advantages: Value;
  /** What the row's loss is multiplied by; the host puts group sizes and batch normalisers here. [B] */
  rowWeights: Value;
  /** log-prob under the policy that wrote the row, 0 where unknown. [B,T] */
  behaviorLogprobs: Value;
  /** log-prob under the policy that training started from, 0 where unknown. [B,T] */
  referenceLogprobs: Value;
}
/** Loss: a scalar to minimise. Metrics: scalars that are SUMS over this micro-batch, so that batches add up. */
export interface TokenLoss {
  loss: Value;
  metrics: Record<string, Value>;
}
export type TokenLossFunction = (b: GraphBuilder, inputs: TokenLossInputs) => TokenLoss;

function weightInputs(b: GraphBuilder, config: PolicyConfig): { weights: Weights; values: Value[] } {
  const byName = new Map(parameterSlots(config).map((slot) => [slot.name, b.input(slot.name, 'float32', slot.shape)]));
  return {
    values: [...byName.values()],
    weights: (name) => {
      const value = byName.get(name);
      if (!value) throw new Error(`no weight ${name}`);
      return value;
    },
  };
}

/** Log-probs of `targets`; positions, mask and rotary tables are fed by the runtime for the batch's T. */
function tokenLogprobs(b: GraphBuilder, config: PolicyConfig, weights: Weights): Value {
  const tokens = b.input('tokens', 'int32', ['B', 'T']);
  const targets = b.input('targets', 'int32', ['B', 'T']);
  const half = config.headDim / 2;
  const attend = causalAttention(b, config, {
    cos: b.input('cos', 'float32', ['P', half]),
    sin: b.input('sin', 'float32', ['P', half]),
    positions: b.input('positions', 'int64', ['B', 'T']),
    mask: b.input('mask', 'float32', ['GT', 'T']),
  });
  const logits = head(b, config, weights, decoder(b, config, weights, tokens, attend)); // [B,T,V]
  return b.selectLast(b.logSoftmax(logits), targets);
}

export function scoreGraph(config: PolicyConfig): GraphBuilder {
  const b = new GraphBuilder();
  const { weights } = weightInputs(b, config);
  b.output('logprobs', tokenLogprobs(b, config, weights));
  return b;
}

/** Outputs `loss`, `metric:NAME`, and `grad:WEIGHT` for each weight. */
export function gradientGraph(config: PolicyConfig, tokenLoss: TokenLossFunction): GraphBuilder {
  const b = new GraphBuilder();
  const { weights, values } = weightInputs(b, config);
  const logprobs = tokenLogprobs(b, config, weights);
  const { loss, metrics } = tokenLoss(b, {
    logprobs,
    completionMask: b.input('completionMask', 'float32', ['B', 'T']),
    advantages: b.input('advantages', 'float32', ['B']),
    rowWeights: b.input('rowWeights', 'float32', ['B']),
    behaviorLogprobs: b.input('behaviorLogprobs', 'float32', ['B', 'T']),
    referenceLogprobs: b.input('referenceLogprobs', 'float32', ['B', 'T']),
  });
  const grads = backward(b, loss, values);
  b.output('loss', loss);
  for (const [name, value] of Object.entries(metrics)) b.output(`metric:${name}`, value);
  values.forEach((value, i) => b.output(`grad:${value.name}`, grads[i]!));
  return b;
}

/**
 * Inputs: tokens [B,S], `lastIndex` int32 [B] (length of the row with these tokens, minus 1), `longest` int32 [1],
 * `selector` float32 [B,1,S] (1 at the token whose logits are wanted), `pastKey.i` / `pastValue.i` [B,Hkv,C,Dh].
 * Outputs: `logits` [B,1,V], `presentKey.i` / `presentValue.i`.
 */
export function decodeGraph(config: PolicyConfig): GraphBuilder {
  const b = new GraphBuilder();
  const { weights } = weightInputs(b, config);
  const tokens = b.input('tokens', 'int32', ['B', 'S']);
  const lastIndex = b.input('lastIndex', 'int32', ['B']);
  const longest = b.input('longest', 'int32', [1]);
  const selector = b.input('selector', 'float32', ['B', 1, 'S']);
  const half = config.headDim / 2;
  const cos = b.input('cos', 'float32', ['P', half]);
  const sin = b.input('sin', 'float32', ['P', half]);
  const cache = ['B', config.kvHeads, 'C', config.headDim];
  const presents: [string, Value][] = [];
  const hidden = decoder(b, config, weights, tokens, (i, q, k, v) => {
    const past = [b.input(`pastKey.${i}`, 'float32', cache), b.input(`pastValue.${i}`, 'float32', cache)];
    const attrs = { heads: config.heads, kvHeads: config.kvHeads, scale: 1 / Math.sqrt(config.headDim) };
    const [out, key, value] = b.cachedAttention([q, k, v, ...past, lastIndex, longest, cos, sin], attrs) as [
      Value,
      Value,
      Value,
    ];
    presents.push([`presentKey.${i}`, key], [`presentValue.${i}`, value]);
    return out;
  });
  b.output('logits', head(b, config, weights, b.matmul(selector, hidden)));
  for (const [name, value] of presents) b.output(name, value);
  return b;
}
