/**
 * Batched sampling: each prompt is prefilled once, its key/value cache copied to its G rows; every row is decoded
 * until EOS or its limit; a finished row's place is taken by the last live row, so that nothing finished is decoded further.
 * Knows nothing of tasks or rewards.
 */
import type { PolicyRuntime, Checkpoint } from './policy-runtime.ts';
import type { TensorView, TensorViews } from './ort-session.ts';
import { randomStream, sampleToken, type SamplingOptions } from './sampling.ts';

export interface GenerateOptions extends SamplingOptions {
  completionsPerPrompt: number;
  maxNewTokens: number;
  seed: number;
}
export interface GeneratedCompletion {
  /** EOS is the last token where `ended`. */
  tokens: number[];
  /** Natural log-probs at temperature 1. */
  logprobs: number[];
  ended: boolean;
}
/** [prompt][completion] */
export type Generated = GeneratedCompletion[][];

interface Row extends GeneratedCompletion {
  prompt: number;
  /** Tokens in the cache. */
  cached: number;
  random: () => number;
}

const CACHE_STEP = 16;

/**
 * @param onProgress tokens sampled so far, after every step
 * @throws Error when a prompt is empty or leaves no room for a token in the context
 */
export async function generate(
  policy: PolicyRuntime,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  checkpoint: Checkpoint,
  onProgress: (tokens: number) => void = () => undefined,
): Promise<Generated> {
  const { config } = policy;
  const longestPrompt = Math.max(...prompts.map((prompt) => prompt.length));
  if (prompts.some((prompt) => prompt.length === 0)) throw new Error('generate: a prompt has no tokens');
  const limit = Math.min(options.maxNewTokens, config.contextTokens - longestPrompt);
  if (limit < 1)
    throw new Error(
      `generate: a prompt of ${longestPrompt} tokens leaves no room in a context of ${config.contextTokens}`,
    );
  const capacity = Math.ceil((longestPrompt + limit) / CACHE_STEP) * CACHE_STEP;

  await checkpoint();
  const prefix = new KeyValueCache(policy, prompts.length, capacity);
  const first = await prefill(policy, prompts, prefix);
  const rows: Row[] = prompts.flatMap((prompt, p) =>
    Array.from({ length: options.completionsPerPrompt }, (_, g) => ({
      prompt: p,
      cached: prompt.length,
      random: randomStream(options.seed, p, g),
      tokens: [],
      logprobs: [],
      ended: false,
    })),
  );
  const cache = new KeyValueCache(policy, rows.length, capacity);
  rows.forEach((row, r) => cache.copyRow(r, prefix, row.prompt));

  const live = [...rows];
  let logits = rows.map((row) => first[row.prompt]!);
  const scratch = new Float64Array(config.vocabularySize);
  let sampled = 0;
  for (;;) {
    for (let r = live.length - 1; r >= 0; r--) {
      const row = live[r]!;
      const { token, logprob } = sampleToken(logits[r]!, options, row.random, scratch);
      row.tokens.push(token);
      row.logprobs.push(logprob);
      row.ended = token === config.eosTokenId;
      sampled++;
      if (row.ended || row.tokens.length >= limit) {
        // Rows are visited from the last to the first, so the one that moves here has been sampled already.
        const moved = live.pop()!;
        if (r < live.length) {
          live[r] = moved;
          cache.copyRow(r, cache, live.length);
        }
      }
    }
    onProgress(sampled);
    if (live.length === 0) break;
    await checkpoint();
    logits = await decodeStep(policy, live, cache);
  }
  return prompts.map((_, p) =>
    rows.filter((row) => row.prompt === p).map(({ tokens, logprobs, ended }) => ({ tokens, logprobs, ended })),
  );
}

async function prefill(
  policy: PolicyRuntime,
  prompts: readonly (readonly number[])[],
  cache: KeyValueCache,
): Promise<Float32Array[]> {
  const [count, length] = [prompts.length, Math.max(...prompts.map((prompt) => prompt.length))];
  const tokens = new Int32Array(count * length).fill(policy.padId);
  const selector = new Float32Array(count * length);
  prompts.forEach((prompt, p) => {
    tokens.set(prompt, p * length);
    selector[p * length + prompt.length - 1] = 1;
  });
  return run(policy, cache, {
    tokens: { data: tokens, dims: [count, length] },
    selector: { data: selector, dims: [count, 1, length] },
    lastIndex: { data: Int32Array.from(prompts, (prompt) => prompt.length - 1), dims: [count] },
    longest: { data: Int32Array.of(length), dims: [1] },
  });
}

async function decodeStep(policy: PolicyRuntime, live: Row[], cache: KeyValueCache): Promise<Float32Array[]> {
  const count = live.length;
  const feeds: TensorViews = {
    tokens: { data: Int32Array.from(live, (row) => row.tokens.at(-1)!), dims: [count, 1] },
    selector: { data: new Float32Array(count).fill(1), dims: [count, 1, 1] },
    lastIndex: { data: Int32Array.from(live, (row) => row.cached), dims: [count] },
    longest: { data: Int32Array.of(Math.max(...live.map((row) => row.cached)) + 1), dims: [1] },
  };
  for (const row of live) row.cached++;
  return run(policy, cache, feeds);
}

/** Runs the decode graph on the first rows of the cache, in place; returns one logits row each. */
async function run(policy: PolicyRuntime, cache: KeyValueCache, feeds: TensorViews): Promise<Float32Array[]> {
  const count = feeds.tokens!.dims[0]!;
  const { session, feeds: fixed } = await policy.decoder(cache.capacity);
  const { past, present } = cache.views(count);
  const results = await session.run({ ...fixed, ...past, ...feeds }, policy.provider === 'cpu' ? present : {});
  if (policy.provider !== 'cpu') cache.store(results);
  const data = results.logits!.data as Float32Array;
  const width = policy.config.vocabularySize;
  return Array.from({ length: count }, (_, r) => data.subarray(r * width, (r + 1) * width));
}

/** Keys and values of all layers, [rows,Hkv,capacity,Dh] each; a row is one stretch of memory. */
class KeyValueCache {
  private readonly buffers: Float32Array[];
  private readonly rowLength: number;
  private readonly dims: readonly [number, number, number];
  private readonly layers: number;

  constructor(policy: PolicyRuntime, rows: number, capacity: number) {
    const { layers, kvHeads, headDim } = policy.config;
    this.layers = layers;
    this.dims = [kvHeads, capacity, headDim];
    this.rowLength = kvHeads * capacity * headDim;
    this.buffers = Array.from({ length: layers * 2 }, () => new Float32Array(rows * this.rowLength));
  }

  get capacity(): number {
    return this.dims[1];
  }

  copyRow(to: number, source: KeyValueCache, from: number): void {
    this.buffers.forEach((buffer, i) => {
      buffer.set(source.buffers[i]!.subarray(from * this.rowLength, (from + 1) * this.rowLength), to * this.rowLength);
    });
  }

  /** The same arrays as past and present: the attention writes its new entries in place. */
  views(rows: number): { past: TensorViews; present: TensorViews } {
    const past: TensorViews = {};
    const present: TensorViews = {};
    for (let layer = 0; layer < this.layers; layer++) {
      for (const [i, kind] of ['Key', 'Value'].entries()) {
        const view: TensorView = {
          data: this.buffers[layer * 2 + i]!.subarray(0, rows * this.rowLength),
          dims: [rows, ...this.dims],
        };
        past[`past${kind}.${layer}`] = view;
        present[`present${kind}.${layer}`] = view;
      }
    }
    return { past, present };
  }

  /** Takes over caches that a provider returned in memory of its own. */
  store(results: Record<string, TensorView>): void {
    for (let layer = 0; layer < this.layers; layer++) {
      this.buffers[layer * 2]!.set(results[`presentKey.${layer}`]!.data as Float32Array);
      this.buffers[layer * 2 + 1]!.set(results[`presentValue.${layer}`]!.data as Float32Array);
    }
  }
}
