/**
 * The policy's graphs. All take the weights as inputs under their Hugging Face names, so an update needs no new session.
 *   score:    tokens, targets -> log-prob of each target
 *   gradient: the same plus an objective's inputs -> loss, metrics, one gradient per weight
 *   decode:   tokens and the key/value cache -> logits of the last token, new cache (prefill is decode with S > 1)
 * With an adapter its matrices are inputs too, and the gradient is theirs alone: the base is frozen.
 * Knows nothing of rewards: the objective is a function handed in.
 */
import { backward } from '../graph/backward.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { OpAttrs, Value } from '../graph/ops.ts';
import { causalAttention, decoder, head, headWeight, type Attend, type DecoderWeights } from '../nn/decoder.ts';
import { adapterSlots, type AdapterConfig } from './adapter.ts';
import { BLOCK, blockBytes, blocksOf } from './block-quantisation.ts';
import { HEAD, type CompressedMatrix, type CompressedWeights } from './compressed-weights.ts';
import { linearPath, linearSize } from './linears.ts';
import { parameterSlots, type ParameterSlot } from './parameters.ts';
import type { PolicyConfig } from './policy-config.ts';

/** Up to this vocabulary a gradient keeps its logits, which saves their second product. */
const KEPT_VOCABULARY = 65_536;

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

/** Whether what goes into a compressed matrix may be rounded, too: on the CPU that is what makes it fast. */
type Products = OpAttrs['quantisedMatmul']['inputs'];

interface GraphWeights extends DecoderWeights {
  /** What is trained: the adapter's matrices where there is one, all weights otherwise. */
  trained: Value[];
}

/** Declares every weight as an input, the adapter's after the base's; a compressed one is a constant instead. */
function weightInputs(
  b: GraphBuilder,
  config: PolicyConfig,
  adapter: AdapterConfig | null,
  compressed: CompressedWeights = new Map(),
  products: Products = 'rounded',
): GraphWeights {
  const declare = (slots: readonly ParameterSlot[]): Value[] =>
    slots.map((slot) => b.input(slot.name, 'float32', slot.shape));
  const base = declare(parameterSlots(config).filter(({ name }) => !compressed.has(name)));
  const added = adapter ? declare(adapterSlots(config, adapter)) : [];
  const byName = new Map([...base, ...added].map((value) => [value.name, value]));
  const weight = (name: string): Value => {
    const value = byName.get(name);
    if (!value) throw new Error(`no weight ${name}`);
    return value;
  };
  const timesTransposed = (x: Value, name: string): Value => {
    const matrix = compressed.get(name);
    return matrix ? timesCompressed(b, x, name, matrix, products) : b.matmul(x, weight(name), { transB: true });
  };
  return {
    trained: adapter ? added : base,
    weight,
    linear(layer, name, x) {
      const path = linearPath(layer, name);
      const product = timesTransposed(x, `${path}.weight`);
      const y = linearSize(config, name).hasBias ? b.add(product, weight(`${path}.bias`)) : product;
      if (!adapter?.targets.includes(name)) return y;
      const down = b.matmul(x, weight(`${path}.lora_A.weight`), { transB: true }); // [..,rank]
      const alpha = adapter.alpha / adapter.rank;
      return b.add(y, b.matmul(down, weight(`${path}.lora_B.weight`), { transB: true, alpha }));
    },
  };
}

function timesCompressed(b: GraphBuilder, x: Value, name: string, matrix: CompressedMatrix, products: Products): Value {
  if (matrix.bits === 16)
    return b.halfMatmul(x, b.constantBeside(`${name}.half`, matrix.transposed, [matrix.inputs, matrix.outputs]));
  const { bits, outputs, inputs, packed, scales } = matrix;
  const blocks = blocksOf(inputs);
  return b.quantisedMatmul(
    x,
    b.constantBeside(`${name}.packed`, packed, [outputs, blocks, blockBytes(bits)]),
    b.constantBeside(`${name}.scales`, scales, [outputs * blocks]),
    { bits, block: BLOCK, inputs: products },
  );
}

/** Attention over [B,T]; positions, mask and rotary tables are fed by the runtime for the batch's T. */
function paddedAttention(b: GraphBuilder, config: PolicyConfig): Attend {
  const half = config.headDim / 2;
  return causalAttention(b, config, {
    cos: b.input('cos', 'float32', ['P', half]),
    sin: b.input('sin', 'float32', ['P', half]),
    positions: b.input('positions', 'int64', ['B', 'T']),
    mask: b.input('mask', 'float32', ['GT', 'T']),
  });
}

/**
 * Log-probs of each row's completion [B,T], 0 where nothing is predicted. Linears see the N tokens only that are neither padding nor
 * in the prompt of a row before, the head sees the M that predict a completion's, and its logits exist a stretch of the vocabulary
 * at a time. Layouts: runtime/compact-batch.ts.
 * @param kept whether logits are kept for the gradient; not where there is none, or one that is to need little memory
 */
function tokenLogprobs(b: GraphBuilder, config: PolicyConfig, weights: DecoderWeights, kept: boolean): Value {
  const tokens = b.input('tokens', 'int32', ['N']);
  const place = b.input('place', 'int32', ['B', 'T']); // of each token in [N]; N for padding and copies
  const unplace = b.input('unplace', 'int32', ['N']); // of each token in [B*T]
  const attendPadded = paddedAttention(b, config);
  const copies = promptCopies(b);
  const attend: Attend = (layer, q, k, v) => {
    const spread = (x: Value): Value => b.take(x, place, unplace, { outside: 'zero' });
    const spreadToAll = (x: Value): Value => b.add(spread(x), copies(x));
    // What a copied token attends to has been computed in the row it was copied from.
    const mixed = attendPadded(layer, spread(q), spreadToAll(k), spreadToAll(v));
    return b.take(mixed, unplace, place, { outside: 'never' });
  };
  const hidden = decoder(b, config, weights, tokens, attend); // [N,D]
  const predicting = b.input('predicting', 'int32', ['M']); // places in [N]
  const predictor = b.input('predictor', 'int32', ['N']); // place in [M]; M for none
  const chosen = b.take(hidden, predicting, predictor, { outside: 'never' }); // [M,D]
  const targets = b.input('targets', 'int32', ['M']);
  const logprobs = b.headLogprobs(chosen, targets, headWeight(config, weights), kept); // [M]
  const scatter = b.input('logprobPlace', 'int32', ['B', 'T']); // place in [M]; M for none
  return b.take(logprobs, scatter, b.input('logprobUnplace', 'int32', ['M']), { outside: 'zero' });
}

/**
 * x [N,D] -> [B,T,D]: of S tokens a copy in up to C rows each, zeros elsewhere. Its gradient adds up what comes back from all copies,
 * in an order that does not change from run to run.
 */
function promptCopies(b: GraphBuilder): (x: Value) => Value {
  const from = b.input('copiedFrom', 'int32', ['S']); // places in [N]
  const to = b.input('copiedTo', 'int32', ['N']); // place in [S]; S for none
  const ones = b.input('copies', 'float32', ['C', 1]);
  const place = b.input('copyPlace', 'int32', ['B', 'T']); // place in [S*C]; S*C for none
  const unplace = b.input('copyUnplace', 'int32', ['S', 'C']); // place in [B*T]; B*T for none
  return (x) => {
    const width = x.shape.at(-1)!;
    const copied = b.reshape(b.take(x, from, to, { outside: 'never' }), ['S', 1, width]);
    return b.take(b.mul(copied, ones), place, unplace, { outside: 'both' });
  };
}

export function scoreGraph(config: PolicyConfig, adapter: AdapterConfig | null = null): GraphBuilder {
  const b = new GraphBuilder();
  const weights = weightInputs(b, config, adapter);
  b.output('logprobs', tokenLogprobs(b, config, weights, false));
  return b;
}

export interface GradientOptions {
  /** Each layer is computed again for its gradient instead of keeping what it made: less memory, a third more work. */
  recompute?: boolean;
}

/** Outputs `loss`, `metric:NAME`, and `grad:WEIGHT` for each trained weight. */
export function gradientGraph(
  config: PolicyConfig,
  tokenLoss: TokenLossFunction,
  adapter: AdapterConfig | null = null,
  options: GradientOptions = {},
): GraphBuilder {
  const b = new GraphBuilder();
  const weights = weightInputs(b, config, adapter);
  const kept = config.vocabularySize <= KEPT_VOCABULARY && options.recompute !== true;
  const logprobs = tokenLogprobs(b, config, weights, kept);
  const { loss, metrics } = tokenLoss(b, {
    logprobs,
    completionMask: b.input('completionMask', 'float32', ['B', 'T']),
    advantages: b.input('advantages', 'float32', ['B']),
    rowWeights: b.input('rowWeights', 'float32', ['B']),
    behaviorLogprobs: b.input('behaviorLogprobs', 'float32', ['B', 'T']),
    referenceLogprobs: b.input('referenceLogprobs', 'float32', ['B', 'T']),
  });
  const grads = backward(b, loss, weights.trained, options);
  b.output('loss', loss);
  for (const [name, value] of Object.entries(metrics)) b.output(`metric:${name}`, value);
  weights.trained.forEach((value, i) => b.output(`grad:${value.name}`, grads[i]!));
  return b;
}

export interface DecodeOptions {
  adapter?: AdapterConfig | null;
  /** Weights that are constants of the graph instead of inputs. */
  compressed?: CompressedWeights | null;
  products?: Products;
  /**
   * What comes back of keys and values. `cache`: all of them, for a cache that is written in place. `entries`: those of the given
   * tokens, to be added to a cache by hand: onnxruntime-node copies what it returns, every step the whole cache otherwise.
   */
  returned?: 'cache' | 'entries';
}

/**
 * Inputs: tokens [B,S], `lastIndex` int32 [B] (length of the row with these tokens, minus 1), `longest` int32 [1],
 * `selector` float32 [B,1,S] (1 at the token whose logits are wanted), `pastKey.i` / `pastValue.i` [B,Hkv,C,Dh]; for entries also
 * `entries` int32 [B,Hkv,S]: of each given token the row of the cache seen as [B*Hkv*C,Dh].
 * Outputs: `logits` [B,1,V]; `presentKey.i` / `presentValue.i`, or `newKey.i` / `newValue.i` [B,Hkv,S,Dh].
 */
export function decodeGraph(
  config: PolicyConfig,
  { adapter = null, compressed = null, products = 'rounded', returned = 'entries' }: DecodeOptions = {},
): GraphBuilder {
  const b = new GraphBuilder();
  const weights = weightInputs(b, config, adapter, compressed ?? undefined, products);
  const tokens = b.input('tokens', 'int32', ['B', 'S']);
  const lastIndex = b.input('lastIndex', 'int32', ['B']);
  const longest = b.input('longest', 'int32', [1]);
  const selector = b.input('selector', 'float32', ['B', 1, 'S']);
  const half = config.headDim / 2;
  const cos = b.input('cos', 'float32', ['P', half]);
  const sin = b.input('sin', 'float32', ['P', half]);
  const cache = ['B', config.kvHeads, 'C', config.headDim];
  const entries = returned === 'entries' ? b.input('entries', 'int32', ['B', config.kvHeads, 'S']) : null;
  const given = (present: Value): Value =>
    entries ? b.gather(b.reshape(present, ['entries', config.headDim]), entries) : present;
  const kind = entries ? 'new' : 'present';
  const outputs: [string, Value][] = [];
  const hidden = decoder(b, config, weights, tokens, (i, q, k, v) => {
    const past = [b.input(`pastKey.${i}`, 'float32', cache), b.input(`pastValue.${i}`, 'float32', cache)];
    const attrs = { heads: config.heads, kvHeads: config.kvHeads, scale: 1 / Math.sqrt(config.headDim) };
    const [out, key, value] = b.cachedAttention([q, k, v, ...past, lastIndex, longest, cos, sin], attrs) as [
      Value,
      Value,
      Value,
    ];
    outputs.push([`${kind}Key.${i}`, given(key)], [`${kind}Value.${i}`, given(value)]);
    return out;
  });
  const last = b.matmul(selector, hidden); // [B,1,D]
  const compressedHead = compressed?.get(HEAD);
  b.output(
    'logits',
    compressedHead ? timesCompressed(b, last, HEAD, compressedHead, products) : head(b, config, weights, last),
  );
  for (const [name, value] of outputs) b.output(name, value);
  return b;
}
