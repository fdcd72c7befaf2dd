/**
 * What a provider has to prove: numbers of a small seeded policy (a training step, its effect, batched decoding of prompts
 * of different lengths), then the time of both on a larger one. Runs inside the throw-away process; knows nothing of how
 * messages reach it.
 */
import { cpus } from 'node:os';
import { initialParameters, parameterSlots } from '../policy/parameters.ts';
import type { TokenLossFunction } from '../policy/graphs.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';
import type { TrainRow } from './batch.ts';
import { generate } from './generate.ts';
import { bundledProviders } from './ort-session.ts';
import { PolicyRuntime } from './policy-runtime.ts';
import { isTrialRequest, type TrialReport } from './provider-trial-protocol.ts';
import type { ComputeTarget } from './provider.ts';
import { randomStream } from './sampling.ts';

/** Named results, comparable between providers. */
export type TrialNumbers = Record<string, Float32Array>;
export interface TrialTimes {
  trainStepMs: number;
  decodeStepMs: number;
}

const llama = {
  architecture: 'llama',
  ropeScaling: { type: 'none' },
  biases: [],
  queryKeyNorm: false,
  ropeTheta: 10_000,
  rmsNormEpsilon: 1e-5,
  contextTokens: 64,
  tiedHead: true,
  eosTokenId: 0,
} as const;
const SMALL: PolicyConfig = {
  ...llama,
  vocabularySize: 48,
  hiddenSize: 32,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  intermediateSize: 64,
};
const TIMED: PolicyConfig = {
  ...llama,
  vocabularySize: 512,
  hiddenSize: 128,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 32,
  intermediateSize: 384,
};
/** A large epsilon keeps the first step proportional to the gradient: else the sign of a rounding error would move a weight. */
const STEP = { learningRate: 0.05, beta1: 0.9, beta2: 0.95, epsilon: 0.05, weightDecay: 0.01 };
const GREEDY = { temperature: 0, topK: 0, topP: 1, seed: 1 };
const TIMING_BUDGET_MS = 1500;
const MAX_REPEATS = 5;
const ALL_CORES = 0;

const loss: TokenLossFunction = (b, { logprobs, completionMask, rowWeights }) => ({
  loss: b.neg(b.reduceSum(b.mul(b.reduceSum(b.mul(logprobs, completionMask), [1]), rowWeights))),
  metrics: {},
});

function openPolicy(config: PolicyConfig, { provider, device }: ComputeTarget, threads: number): PolicyRuntime {
  const weights = initialParameters(config, randomStream(20_260_101));
  // Wider than an untrained policy, so that attention and logits are far from uniform.
  for (const { decays, offset, length } of parameterSlots(config)) {
    if (decays) for (let i = offset; i < offset + length; i++) weights[i]! *= 8;
  }
  return new PolicyRuntime({ config, weights, provider, device, threads, padId: 0 });
}

function rows(config: PolicyConfig, lengths: readonly number[]): TrainRow[] {
  const random = randomStream(7);
  return lengths.map((length) => ({
    tokens: Array.from({ length }, () => 1 + Math.floor(random() * (config.vocabularySize - 1))),
    promptLength: 2,
    advantage: 0,
    rowWeight: 1 / lengths.length / length,
    behaviorLogprobs: null,
  }));
}

const noCheckpoint = (): void => undefined;

/** Does what the parent asks and reports numbers, then times, or the error. What is no request is ignored. Never rejects. */
export async function answerTrial(request: unknown, report: (message: TrialReport) => void): Promise<void> {
  if (!isTrialRequest(request)) return;
  const target: ComputeTarget = { provider: request.provider, device: request.device };
  try {
    const adapter = target.provider === 'cpu' ? (cpus()[0]?.model.trim() ?? null) : null;
    const numbers = await trialNumbers(target, ALL_CORES);
    report({ kind: 'numbers', bundled: bundledProviders(), adapter, numbers });
    const times = await trialTimes(target, ALL_CORES);
    report({ kind: 'times', ...times, peakBytes: process.resourceUsage().maxRSS * 1024 });
  } catch (error) {
    report({ kind: 'error', message: error instanceof Error ? error.message : String(error) });
  }
}

/** @throws whatever the runtime throws */
export async function trialNumbers(target: ComputeTarget, threads: number): Promise<TrialNumbers> {
  const policy = openPolicy(SMALL, target, threads);
  try {
    await policy.defineObjective('trial', loss);
    const batch = rows(SMALL, [9, 6, 8]);
    const before = await policy.accumulate('trial', batch, 100, noCheckpoint);
    const numbers: TrialNumbers = {};
    await policy.fetchGradients();
    for (const [name, gradient] of Object.entries(policy.gradients()))
      numbers[`gradient of ${name}`] = gradient.slice();
    await policy.update(STEP, 0);
    await policy.fetch();
    numbers['updated weights'] = policy.weights.slice();
    const after = await policy.accumulate('trial', batch, 100, noCheckpoint);
    numbers.losses = Float32Array.of(before.loss, after.loss);
    const prompts = [
      [5, 9, 30, 2, 17],
      [11, 3],
    ];
    const decoded = (
      await generate(policy, prompts, { ...GREEDY, completionsPerPrompt: 1, maxNewTokens: 4 }, noCheckpoint)
    ).flat();
    numbers['decoded tokens'] = Float32Array.from(decoded.flatMap((row) => row.tokens));
    numbers['decoded log-probs'] = Float32Array.from(decoded.flatMap((row) => row.logprobs));
    return numbers;
  } finally {
    await policy.close();
  }
}

/** Best of several repeats, within about three seconds in all. */
export async function trialTimes(target: ComputeTarget, threads: number): Promise<TrialTimes> {
  const policy = openPolicy(TIMED, target, threads);
  try {
    await policy.defineObjective('trial', loss);
    const batch = rows(
      TIMED,
      Array.from({ length: 8 }, () => 64),
    );
    const trainStepMs = await best(async () => {
      await policy.accumulate('trial', batch, 1024, noCheckpoint);
      await policy.update({ ...STEP, learningRate: 1e-6 }, 1);
      return 1;
    });
    const prompts = rows(TIMED, [16, 12, 8, 4]).map((row) => row.tokens);
    const decodeStepMs = await best(async () => {
      const generated = await generate(
        policy,
        prompts,
        { ...GREEDY, completionsPerPrompt: 2, maxNewTokens: 8 },
        noCheckpoint,
      );
      return Math.max(...generated.flat().map((row) => row.tokens.length));
    });
    return { trainStepMs, decodeStepMs };
  } finally {
    await policy.close();
  }
}

/** Milliseconds per step; the first run, which compiles, does not count. */
async function best(run: () => Promise<number>): Promise<number> {
  await run();
  const start = performance.now();
  let fastest = Infinity;
  for (let i = 0; i < MAX_REPEATS && (i === 0 || performance.now() - start < TIMING_BUDGET_MS); i++) {
    const began = performance.now();
    const steps = await run();
    fastest = Math.min(fastest, (performance.now() - began) / steps);
  }
  return fastest;
}
