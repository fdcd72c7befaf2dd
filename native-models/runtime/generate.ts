/**
 * Batched sampling: each prompt is prefilled once, its key/value cache copied to its G rows; every row is decoded until EOS, a
 * stop text or its limit. A finished row's place is taken by one that waits, or else by the last live row, so that nothing
 * finished is decoded further and no more rows than `maxRows` hold memory. Knows nothing of tasks or rewards.
 */
import type { PolicyConfig } from '../policy/policy-config.ts';
import { PolicyError } from '../policy/policy-error.ts';
import { DeviceKeyValueCache, HostKeyValueCache, type KeyValueCache } from './key-value-cache.ts';
import type { Feeds } from './ort-session.ts';
import type { PolicyRuntime, Checkpoint } from './policy-runtime.ts';
import { randomStream, sampleToken, type SamplingOptions } from './sampling.ts';

export interface GenerateOptions extends SamplingOptions {
  completionsPerPrompt: number;
  maxNewTokens: number;
  seed: number;
  /** Texts after which a completion is over; they stay in it, and it counts as not ended. */
  stopTexts?: readonly string[];
  /** Most rows decoded at once; left out, as many as fit a cache of 1 GiB. */
  maxRows?: number;
}
/** What text some tokens are: needed for stop texts alone. */
export type DecodeText = (tokens: readonly number[]) => string;
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

const MAX_CACHE_BYTES = 2 ** 30;
const MIN_ROWS = 8;
/** Tokens looked back over for a stop text, beside one a character. */
const STOP_MARGIN = 4;

/**
 * @param onProgress tokens sampled so far, after every step
 * @throws PolicyError when a prompt is empty or leaves no room for a token in the context; Error `logitsNotFinite`
 */
export async function generate(
  policy: PolicyRuntime,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  checkpoint: Checkpoint,
  onProgress: (tokens: number) => void = () => undefined,
  decodeText: DecodeText | null = null,
): Promise<Generated> {
  return withCaches(policy, (openCache) =>
    decodeAll(policy, prompts, options, checkpoint, onProgress, decodeText, openCache),
  );
}

/**
 * Logits [V] of what follows a given text, as decoding computes them: after its first `prefilled` tokens, which are taken at
 * once, and after each of the others, which are taken one by one. They are valid until `onLogits` returns.
 */
export async function textLogits(
  policy: PolicyRuntime,
  tokens: readonly number[],
  prefilled: number,
  onLogits: (logits: Float32Array) => void,
): Promise<void> {
  await withCaches(policy, async (openCache) => {
    const cache = openCache(1, Math.ceil(tokens.length / CACHE_STEP) * CACHE_STEP);
    const row = { tokens: tokens.slice(0, prefilled), cached: prefilled };
    onLogits((await prefill(policy, [row.tokens], cache))[0]!);
    for (const token of tokens.slice(prefilled)) {
      row.tokens.push(token);
      onLogits((await decodeStep(policy, [row], cache))[0]!);
    }
  });
}

/** Closes whatever caches were opened. */
async function withCaches<T>(policy: PolicyRuntime, work: (openCache: OpenCache) => Promise<T>): Promise<T> {
  const caches: KeyValueCache[] = [];
  const openCache: OpenCache = (rows, capacity) => {
    const { config, onCard } = policy;
    const cache = onCard
      ? new DeviceKeyValueCache(onCard.math, config, capacity)
      : new HostKeyValueCache(config, rows, capacity);
    caches.push(cache);
    return cache;
  };
  try {
    return await work(openCache);
  } finally {
    for (const cache of caches) cache.close();
  }
}

type OpenCache = (rows: number, capacity: number) => KeyValueCache;

async function decodeAll(
  policy: PolicyRuntime,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  checkpoint: Checkpoint,
  onProgress: (tokens: number) => void,
  decodeText: DecodeText | null,
  openCache: OpenCache,
): Promise<Generated> {
  const { config } = policy;
  const longestPrompt = Math.max(...prompts.map((prompt) => prompt.length));
  requirePrompts(config, prompts, longestPrompt);
  const limit = Math.min(options.maxNewTokens, config.contextTokens - longestPrompt);
  const isStopped = stopTest(options.stopTexts ?? [], decodeText);
  const capacity = Math.ceil((longestPrompt + limit) / CACHE_STEP) * CACHE_STEP;

  await checkpoint();
  const prefix = openCache(prompts.length, capacity);
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
  const live = rows.slice(0, options.maxRows ?? rowsThatFit(config, capacity));
  const waiting = rows.slice(live.length);
  const cache = openCache(live.length, capacity);
  live.forEach((row, r) => cache.copyRow(r, prefix, row.prompt));

  let logits = live.map((row) => first[row.prompt]!);
  const scratch = new Float64Array(config.vocabularySize);
  let sampled = 0;
  const takeToken = (row: Row, from: Float32Array): boolean => {
    const { token, logprob } = sampleToken(from, options, row.random, scratch);
    row.tokens.push(token);
    row.logprobs.push(logprob);
    row.ended = token === config.eosTokenId;
    sampled++;
    return row.ended || row.tokens.length >= limit || isStopped(row.tokens);
  };
  for (;;) {
    for (let r = live.length - 1; r >= 0; r--) {
      let isOver = takeToken(live[r]!, logits[r]!);
      for (let next = isOver && waiting.shift(); next; next = isOver && waiting.shift()) {
        live[r] = next;
        cache.copyRow(r, prefix, next.prompt);
        isOver = takeToken(next, first[next.prompt]!);
      }
      if (!isOver) continue;
      // Rows are visited from the last to the first, so the one that moves here has been sampled already.
      const moved = live.pop()!;
      if (r < live.length) {
        live[r] = moved;
        cache.copyRow(r, cache, live.length);
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

/** @throws PolicyError */
function requirePrompts(config: PolicyConfig, prompts: readonly (readonly number[])[], longest: number): void {
  if (prompts.some((prompt) => prompt.length === 0))
    throw new PolicyError(
      'policyInvalid',
      'A prompt has no tokens',
      'Give every task a text that the tokenizer knows.',
    );
  if (longest >= config.contextTokens) {
    throw new PolicyError(
      'policyInvalid',
      `A prompt of ${longest} tokens leaves no room in the policy's context of ${config.contextTokens}`,
      'Choose easier tasks, or a policy with a longer context.',
    );
  }
}

export function rowsThatFit(config: PolicyConfig, capacity: number): number {
  const rowBytes = config.layers * 2 * config.kvHeads * config.headDim * capacity * 4;
  return Math.max(MIN_ROWS, Math.floor(MAX_CACHE_BYTES / rowBytes));
}

/** Looks at the last tokens alone: a stop text of n characters cannot be spread over many more than n of them. */
function stopTest(texts: readonly string[], decodeText: DecodeText | null): (tokens: readonly number[]) => boolean {
  if (texts.length === 0) return () => false;
  if (!decodeText) throw new Error('generate: stop texts need a tokenizer');
  const tokensBack = Math.max(...texts.map((text) => new TextEncoder().encode(text).length)) + STOP_MARGIN;
  return (tokens) => {
    const tail = decodeText(tokens.slice(-tokensBack));
    return texts.some((text) => tail.includes(text));
  };
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
  const feeds: Feeds = {
    tokens: { data: tokens, dims: [count, length] },
    selector: { data: selector, dims: [count, 1, length] },
    lastIndex: { data: Int32Array.from(prompts, (prompt) => prompt.length - 1), dims: [count] },
    longest: { data: Int32Array.of(length), dims: [1] },
  };
  return run(
    policy,
    cache,
    feeds,
    prompts.map(() => 0),
  );
}

async function decodeStep(
  policy: PolicyRuntime,
  live: readonly Pick<Row, 'tokens' | 'cached'>[],
  cache: KeyValueCache,
): Promise<Float32Array[]> {
  const count = live.length;
  const feeds: Feeds = {
    tokens: { data: Int32Array.from(live, (row) => row.tokens.at(-1)!), dims: [count, 1] },
    selector: { data: new Float32Array(count).fill(1), dims: [count, 1, 1] },
    lastIndex: { data: Int32Array.from(live, (row) => row.cached), dims: [count] },
    longest: { data: Int32Array.of(Math.max(...live.map((row) => row.cached)) + 1), dims: [1] },
  };
  const first = live.map((row) => row.cached++);
  return run(policy, cache, feeds, first);
}

/**
 * Runs the decode graph on the first rows of the cache and adds to it; returns one logits row each.
 * @param first where in the cache the tokens of each row begin
 */
async function run(
  policy: PolicyRuntime,
  cache: KeyValueCache,
  feeds: Feeds,
  first: readonly number[],
): Promise<Float32Array[]> {
  const [count, length] = feeds.tokens!.dims as [number, number];
  const { session, feeds: fixed } = await policy.decoder(cache.capacity);
  const { past, present } = await cache.fed(count, first, length);
  const results = await session.run({ ...fixed, ...past, ...feeds }, present);
  cache.store(results, first, length);
  const data = results.logits!.data as Float32Array;
  const width = policy.config.vocabularySize;
  return Array.from({ length: count }, (_, r) => data.subarray(r * width, (r + 1) * width));
}
