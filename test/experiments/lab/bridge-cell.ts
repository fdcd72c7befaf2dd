/**
 * One cell of the BRIDGE experiment: the bundled policy learns from demonstrations and from its own verified answers, joined as
 * the arm says. Each round is one optimiser step of each arm, on the same tasks and the same demonstrations. Runs in this process,
 * because theta-hat and the adapter live beside the weights (native-models/runtime/bridge-policy.ts).
 */
import { mannersFor } from '../../../native-models/bundled/build/manners/index.ts';
import { accuracy, overall } from '../../../native-models/bundled/build/evaluate.ts';
import { adapterConfig } from '../../../native-models/policy/adapter.ts';
import { linearNames } from '../../../native-models/policy/linears.ts';
import { loadPolicyFolder } from '../../../native-models/policy/load-policy.ts';
import type { TrainRow } from '../../../native-models/runtime/batch.ts';
import { wholeLayout } from '../../../native-models/runtime/bridge-layout.ts';
import { BridgePolicy } from '../../../native-models/runtime/bridge-policy.ts';
import { generate } from '../../../native-models/runtime/generate.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import type { Tokenizer } from '../../../native-models/text/tokenizer.ts';
import { createRandom, type Random } from '../../../src-main/base/random.ts';
import type { Config } from '../../../src-main/config.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import { isUniform, mean } from '../../../src-main/objective/objective.ts';
import { promptText } from '../../../src-main/rollout/prompt.ts';
import { verifyRollouts } from '../../../src-main/rollout/rollout.ts';
import type { TaskInstance } from '../../../src-main/tasks/task.ts';
import type { TaskSet } from '../../../src-main/tasks/task-sets.ts';
import { verifyCompletion } from '../../../src-main/tasks/verify-completions.ts';
import { trainRows } from '../../../src-main/train/rows.ts';
import { tasksOf } from './round-tasks.ts';

interface Arm {
  /** Share of the RL loss in round r of R. */
  lambda: (round: number, rounds: number) => number;
  adapter: boolean;
  gain: boolean;
}
const plain = { adapter: false, gain: false };
export const arms = {
  SFT: { lambda: () => 0, ...plain },
  RL: { lambda: () => 1, ...plain },
  'cold start': { lambda: (round, rounds) => (round < rounds / 3 ? 0 : 1), ...plain },
  alternating: { lambda: (round) => round % 2, ...plain },
  mix: { lambda: () => 0.5, ...plain },
  'mix, adapter': { lambda: () => 0.5, adapter: true, gain: false },
  BRIDGE: { lambda: () => 0.5, adapter: true, gain: true },
  'BRIDGE, annealed': { lambda: (round, rounds) => round / Math.max(1, rounds - 1), adapter: true, gain: true },
} satisfies Record<string, Arm>;
export type ArmName = keyof typeof arms;

export interface BridgeCellOptions {
  arm: ArmName;
  rounds: number;
  seed: number;
  /** Part of the demonstrations whose answer is wrong. */
  wrongShare: number;
  demonstrations: number;
  adapterLearningRate: number;
  evaluateEvery: number;
  evaluationTasks: number;
  tasks: TaskSet;
  config: Config;
}
export interface BridgeCurves {
  /** Held-out accuracy at temperature 1, before round `evaluateEvery * i`, and at the end. */
  heldOut: number[];
  cooperativeGain: (number | null)[];
  sftLoss: (number | null)[];
  seconds: number;
}

const DEMONSTRATION_SEED_OFFSET = 2_000_000;
const HELD_OUT_SEED = 9_000;
const ADAPTER_RANK = 16;
const noCheckpoint = (): void => undefined;

export async function runBridgeCell(options: BridgeCellOptions): Promise<BridgeCurves> {
  const { config: settings, seed, rounds } = options;
  const arm: Arm = arms[options.arm];
  const { config, weights, tokenizer } = await loadPolicyFolder(bundledPolicyDirectory());
  const padId = tokenizer.padId ?? config.eosTokenId;
  const runtime = new PolicyRuntime({ config, weights, provider: 'cpu', threads: settings.cpuThreads, padId });
  const random = createRandom(seed, 'bridge');
  const grpo = createObjective('grpo', settings);
  const startedMs = performance.now();
  try {
    await runtime.defineObjective('sft', createObjective('sft', settings).loss);
    await runtime.defineObjective('grpo', grpo.loss);
    const bridge = new BridgePolicy(runtime, {
      layout: wholeLayout(config, arm.adapter ? adapterConfig(ADAPTER_RANK, ADAPTER_RANK, linearNames) : null),
      theta: runtime.weights.slice(),
      gain: arm.gain,
      random: () => random.float(),
    });
    const curves: BridgeCurves = { heldOut: [], cooperativeGain: [], sftLoss: [], seconds: 0 };
    const evaluate = async (): Promise<void> => {
      const shared = { samples: 2, temperature: 1, seed: HELD_OUT_SEED, maxNewTokens: settings.maxNewTokens };
      curves.heldOut.push(overall(await accuracy(runtime, tokenizer, { tasks: options.evaluationTasks, ...shared })));
    };
    for (let round = 0; round < rounds; round++) {
      if (round % options.evaluateEvery === 0) await evaluate();
      const lambda = arm.lambda(round, rounds);
      const demonstrated = tasksOf(options.tasks, seed + DEMONSTRATION_SEED_OFFSET, round, options.demonstrations).map(
        (instance) => ({ instance, text: demonstrationOf(instance, random, options.wrongShare) }),
      );
      const groups = lambda > 0 ? await ownGroups(runtime, tokenizer, options, round, random.uint32()) : [];
      const outcome = await bridge.step({
        sft: 'sft',
        demonstrations: demonstrationRows(demonstrated, tokenizer),
        rollouts: [{ objective: 'grpo', rows: trainRows(groups, grpo, 1) }],
        lambda,
        maxTokens: settings.microBatchTokens,
        maxGradientNorm: settings.maxGradientNorm,
        theta: adamW(settings, settings.learningRate, round),
        adapter: adamW(settings, options.adapterLearningRate, round),
      });
      curves.cooperativeGain.push(outcome.cooperativeGain);
      curves.sftLoss.push(outcome.sft?.loss ?? null);
    }
    await evaluate();
    curves.seconds = (performance.now() - startedMs) / 1000;
    return curves;
  } finally {
    await runtime.close();
  }
}

function adamW({ adamBeta1, adamBeta2, weightDecay, warmupSteps }: Config, peak: number, step: number) {
  const learningRate = peak * Math.min(1, (step + 1) / Math.max(1, warmupSteps));
  return { learningRate, beta1: adamBeta1, beta2: adamBeta2, epsilon: 1e-8, weightDecay };
}

/** A worked solution; where it is to be wrong, a careless one that passes itself off as worked. */
function demonstrationOf(instance: TaskInstance, random: Random, wrongShare: number): string {
  const manners = mannersFor(instance.ref.generator);
  const write = (name: string): string => {
    const manner = manners.find((each) => each.name === name)!;
    return manner.write(instance, () => random.float());
  };
  if (random.float() >= wrongShare) return write('worked');
  for (let tries = 0; tries < 50; tries++) {
    const text = write('careless').replace(/^~/, ':');
    if (verifyCompletion(instance, text).reward < 1) return text;
  }
  return write('careless');
}

/** Weights that make the loss the mean over all completion tokens. */
function demonstrationRows(
  demonstrated: readonly { instance: TaskInstance; text: string }[],
  tokenizer: Tokenizer,
): TrainRow[] {
  const rows = demonstrated.map(({ instance, text }) => {
    const prompt = tokenizer.encode(promptText(instance, 'terse'));
    const tokens = [...prompt, ...tokenizer.encode(text), tokenizer.eosId];
    return { tokens, promptLength: prompt.length, advantage: 0, behaviorLogprobs: null };
  });
  const total = rows.reduce((sum, { tokens, promptLength }) => sum + tokens.length - promptLength, 0);
  return rows.map((row) => ({ ...row, rowWeight: 1 / total }));
}

async function ownGroups(
  runtime: PolicyRuntime,
  tokenizer: Tokenizer,
  { tasks, seed, config }: BridgeCellOptions,
  round: number,
  sampleSeed: number,
) {
  const instances = tasksOf(tasks, seed, round, config.promptsPerRound);
  const prompts = instances.map((instance) => tokenizer.encode(promptText(instance, 'terse')));
  const { groupSize, maxNewTokens, temperature, topK, topP } = config;
  const sampling = { completionsPerPrompt: groupSize, maxNewTokens, temperature, topK, topP, seed: sampleSeed };
  const generated = await generate(runtime, prompts, sampling, noCheckpoint);
  const written = instances.map((instance, i) => ({
    instance,
    promptTokens: prompts[i]!,
    generated: generated[i]!,
  }));
  return verifyRollouts({ tokenizer, style: 'terse' }, written).filter(
    ({ completions }) => !isUniform(completions.map(({ reward }) => reward)),
  );
}

/** First evaluation at which the score was reached, in rounds; null when it never was. */
export function roundsToReach({ heldOut }: BridgeCurves, score: number, evaluateEvery: number): number | null {
  const at = heldOut.findIndex((value) => value >= score);
  return at < 0 ? null : at * evaluateEvery;
}

export function meanGain({ cooperativeGain }: BridgeCurves): number | null {
  const known = cooperativeGain.filter((value) => value !== null);
  return known.length > 0 ? mean(known) : null;
}
