/**
 * What decoding computes in, and why. Answers may be sampled from compressed weights when these are frozen: log-probs recorded with an
 * answer are those of the numbers it was sampled from, so a ratio to the trained policy is true. Training, and scoring, are f32.
 *
 * A compressed decoder proves itself on the opened policy: what it makes of a text is compared with f32 before it is used.
 * Figures behind the table: test/bench/decode-measured.json. Knows nothing of rounds.
 */
import type { PolicyConfig } from '../policy/policy-config.ts';
import type { StoredAs } from '../policy/load-policy.ts';
import { PolicyError } from '../policy/policy-error.ts';
import { parameterCount, parameterSlots } from '../policy/parameters.ts';
import { ADAPTED_FROM_WEIGHTS } from '../policy/adapter.ts';
import { textLogits } from './generate.ts';
import type { DecodePrecision, PolicyRuntime } from './policy-runtime.ts';
import type { ProviderName } from './provider.ts';

export type DecodePrecisionRequest = 'auto' | DecodePrecision;

export interface DecodeChoice {
  precision: DecodePrecision;
  /** A sentence for people. */
  reason: string;
}

/** What this engine trains in. */
export interface TrainingPrecision {
  precision: 'f32';
  reason: string;
}

const STORED = {
  float32: 'The weights are stored in it',
  float16: 'The weights are stored in half precision and widened, which changes none of them',
  bfloat16: 'The weights are stored in bfloat16 and widened, which changes none of them',
} as const;

export function trainingPrecision(storedAs: StoredAs): TrainingPrecision {
  const reason = `${STORED[storedAs]}; a step changes a number by less than half precision can tell apart.`;
  return { precision: 'f32', reason };
}

/** What is to be tried, before anything is computed; f32 needs no proof. */
export function planDecode(
  request: DecodePrecisionRequest,
  { config, adapted, provider }: { config: PolicyConfig; adapted: boolean; provider: ProviderName },
): DecodeChoice {
  if (request === 'f32') return { precision: 'f32', reason: 'The settings ask for it.' };
  if (!adapted) {
    if (request !== 'auto') throw changingWeights(request);
    return {
      precision: 'f32',
      reason: 'All weights are trained, so a compressed copy would be out of date at each step.',
    };
  }
  if (request === 'f16' && provider === 'cpu') {
    const reason = 'f16 was asked for, but a processor would widen the weights again: twice the memory, and no faster.';
    return { precision: 'f32', reason };
  }
  if (request !== 'auto') return { precision: request, reason: 'The settings ask for it.' };
  if (provider !== 'cpu') {
    return {
      precision: 'f32',
      reason: `Compressed weights were not found to be faster on ${provider}, or were not measured there.`,
    };
  }
  return parameterCount(parameterSlots(config)) < ADAPTED_FROM_WEIGHTS
    ? { precision: 'f32', reason: 'The policy is so small that compressed weights gain nothing.' }
    : { precision: 'int8', reason: 'The base is frozen, and on a processor 8-bit weights decode faster.' };
}

function changingWeights(request: DecodePrecision): PolicyError {
  return new PolicyError(
    'policyUnsupported',
    `Decoding in ${request} needs a frozen policy, but all weights are trained: a compressed copy would be out of date at each step`,
    'Set decodePrecision to auto or f32, or train an adapter (--adapter lora).',
  );
}

/** Mean Kullback-Leibler divergence from f32's next-token distributions, nats, up to which numbers count as right. */
const TOLERANCE_NATS: Record<Exclude<DecodePrecision, 'f32'>, number> = { f16: 0.02, int8: 0.1, int4: 0.8 };
/** A provider without a kernel of its own unpacks every matrix at every step: several times slower than f32, whatever else runs. */
const SLOWEST = { times: 2, plusMs: 20 };
const PROBED_TOKENS = 24;
/** Decoded one by one, at the end of the text. */
const PROBED_STEPS = 5;

/**
 * Chooses and sets it. One that cannot be had, or computes wrongly, falls back to f32.
 * @param text tokens of any text that the policy may meet
 * @param slowest how much longer than f32 a step may take
 * @throws PolicyError when all weights are trained and a compressed copy was asked for
 */
export async function chooseDecodePrecision(
  policy: PolicyRuntime,
  request: DecodePrecisionRequest,
  text: readonly number[],
  slowest: { times: number; plusMs: number } = SLOWEST,
): Promise<DecodeChoice> {
  const { config, provider } = policy;
  const plan = planDecode(request, { config, adapted: policy.adapter !== null, provider });
  if (plan.precision === 'f32') {
    if (policy.decodePrecision !== 'f32') await policy.decodeIn('f32');
    return plan;
  }
  const probed = text.length > 0 ? text.slice(0, Math.min(PROBED_TOKENS, config.contextTokens)) : [policy.padId];
  const trouble = await proveDecoder(policy, plan.precision, probed, slowest);
  if (trouble === null) return plan;
  await policy.decodeIn('f32');
  return { precision: 'f32', reason: `${plan.precision} was tried, but ${trouble}.` };
}

/** Leaves the policy decoding in `precision`. @returns what speaks against it, null for nothing. */
async function proveDecoder(
  policy: PolicyRuntime,
  precision: Exclude<DecodePrecision, 'f32'>,
  text: readonly number[],
  slowest: { times: number; plusMs: number },
): Promise<string | null> {
  const expected = await probe(policy, text);
  let found: Probe;
  try {
    await policy.decodeIn(precision);
    found = await probe(policy, text);
  } catch (error) {
    const [firstLine] = (error as Error).message.split('\n');
    return `${policy.provider} refuses it (${firstLine!.slice(0, 200)})`;
  }
  const divergences = expected.logits.map((logits, i) => divergence(logits, found.logits[i]!));
  const mean = divergences.reduce((sum, each) => sum + each, 0) / divergences.length;
  // Not a number counts as wrong.
  if (!(mean <= TOLERANCE_NATS[precision]))
    return `its next-token probabilities are ${mean.toPrecision(2)} nats off those of f32, more than ${TOLERANCE_NATS[precision]}`;
  if (found.stepMs > slowest.times * expected.stepMs + slowest.plusMs) {
    return `a step takes ${found.stepMs.toFixed(1)} ms, in f32 ${expected.stepMs.toFixed(1)} ms`;
  }
  return null;
}

interface Probe {
  logits: Float32Array[];
  /** Of one row, the fastest. */
  stepMs: number;
}

async function probe(policy: PolicyRuntime, text: readonly number[]): Promise<Probe> {
  const prefilled = Math.max(1, text.length - PROBED_STEPS);
  const logits: Float32Array[] = [];
  let [last, stepMs] = [Infinity, Infinity];
  await textLogits(policy, text, prefilled, (each) => {
    const now = performance.now();
    if (logits.length > 0) stepMs = Math.min(stepMs, now - last);
    last = now;
    logits.push(each.slice());
  });
  return { logits, stepMs };
}

/** sum p (log p - log q) of the distributions that two rows of logits stand for, nats. */
function divergence(p: Float32Array, q: Float32Array): number {
  const [logP, logQ] = [logNormaliser(p), logNormaliser(q)];
  let sum = 0;
  for (let i = 0; i < p.length; i++) sum += Math.exp(p[i]! - logP) * (p[i]! - logP - (q[i]! - logQ));
  return sum;
}

function logNormaliser(logits: Float32Array): number {
  let most = -Infinity;
  for (let i = 0; i < logits.length; i++) most = Math.max(most, logits[i]!);
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += Math.exp(logits[i]! - most);
  return most + Math.log(total);
}
