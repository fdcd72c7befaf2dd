/**
 * Chooses the next token from logits: temperature, top-k, top-p, each row with a random stream of its own, so that a row's
 * text does not depend on which other rows are still being decoded. temperature 0 is greedy.
 */

export interface SamplingOptions {
  temperature: number;
  /** 0 = all tokens. */
  topK: number;
  /** 1 = all tokens. */
  topP: number;
}
export interface SampledToken {
  token: number;
  /** Natural log-prob under the unmodified distribution (temperature 1, no cut): what the objectives call behaviour. */
  logprob: number;
}

/** A 32-bit counter generator (splitmix32 finaliser): seedable, one state word, good enough for sampling. */
export function randomStream(...seeds: readonly number[]): () => number {
  let state = 0x9e3779b9;
  for (const seed of seeds) state = mix((state ^ (seed >>> 0) ^ Math.trunc(seed / 2 ** 32)) + 0x9e3779b9);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state) / 2 ** 32;
  };
}

function mix(x: number): number {
  let z = x | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

/** `logits` of one row, length V; not changed. `scratch` of length >= V avoids an allocation per token. */
export function sampleToken(
  logits: Float32Array,
  options: SamplingOptions,
  random: () => number,
  scratch: Float64Array,
): SampledToken {
  let max = -Infinity;
  let best = 0;
  for (let i = 0; i < logits.length; i++) {
    if (logits[i]! > max) {
      max = logits[i]!;
      best = i;
    }
  }
  let total = 0;
  for (let i = 0; i < logits.length; i++) {
    const p = Math.exp(logits[i]! - max);
    scratch[i] = p;
    total += p;
  }
  const logTotal = Math.log(total) + max;
  if (!Number.isFinite(logTotal))
    throw Object.assign(new Error('The logits are not finite: the weights are ruined'), {
      code: 'logitsNotFinite',
      fix: 'Go back to an earlier checkpoint, or to the base policy with a data folder of its own; a fresh policy: copy its weights again.',
    });
  if (options.temperature === 0) return { token: best, logprob: max - logTotal };
  const token = draw(logits, max, total, options, random, scratch);
  return { token, logprob: logits[token]! - logTotal };
}

/** `scratch` holds exp(logit - max), which is what temperature 1 draws from; `total` is its sum. */
function draw(
  logits: Float32Array,
  max: number,
  total: number,
  options: SamplingOptions,
  random: () => number,
  scratch: Float64Array,
): number {
  const count = logits.length;
  if (options.temperature !== 1) {
    total = 0;
    for (let i = 0; i < count; i++) {
      const p = Math.exp((logits[i]! - max) / options.temperature);
      scratch[i] = p;
      total += p;
    }
  }
  if (options.topK > 0 || options.topP < 1) total = cut(scratch, count, total, options);
  let rest = random() * total;
  let last = 0;
  for (let i = 0; i < count; i++) {
    if (scratch[i] === 0) continue;
    last = i;
    rest -= scratch[i]!;
    if (rest < 0) return i;
  }
  return last;
}

/** Shares of the likeliest token below which tokens are left out of the sorting at first. */
const CANDIDATE_SHARES = [1e-2, 1e-4, 0];

/** Zeroes what top-k, then top-p of what that has left, leave out (the order of transformers and vLLM); returns the mass that is left. */
function cut(scratch: Float64Array, count: number, total: number, { topK, topP }: SamplingOptions): number {
  const most = topK > 0 ? Math.min(topK, count) : count;
  for (const share of CANDIDATE_SHARES) {
    const order = likeliest(scratch, count, share);
    if (most < count && order.length < most && share > 0) continue;
    const candidates = Math.min(most, order.length);
    const mass = most === count ? total : order.slice(0, candidates).reduce((sum, i) => sum + scratch[i]!, 0);
    let kept = 0;
    let rank = 0;
    for (; rank < candidates; rank++) {
      if (rank > 0 && topP < 1 && kept >= topP * mass) break;
      kept += scratch[order[rank]!]!;
    }
    // All that was sorted is wanted, and there is more that was not: look further.
    if (rank === order.length && rank < most && share > 0) continue;
    keepOnly(scratch, count, order.slice(0, rank));
    return kept;
  }
  return total;
}

/** Tokens with at least this share of the likeliest one's mass, in falling order; equal ones by number. A vocabulary is long to sort. */
function likeliest(scratch: Float64Array, count: number, share: number): number[] {
  let largest = 0;
  for (let i = 0; i < count; i++) if (scratch[i]! > largest) largest = scratch[i]!;
  const floor = largest * share;
  const found: number[] = [];
  for (let i = 0; i < count; i++) if (scratch[i]! >= floor) found.push(i);
  return found.sort((a, b) => scratch[b]! - scratch[a]! || a - b);
}

function keepOnly(scratch: Float64Array, count: number, tokens: readonly number[]): void {
  const masses = tokens.map((token) => scratch[token]!);
  scratch.fill(0, 0, count);
  tokens.forEach((token, i) => (scratch[token] = masses[i]!));
}
