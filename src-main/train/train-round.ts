/**
 * One round's training, in two halves: `planTraining` turns groups into plain numbers (what the redo log keeps), `executePlan`
 * has the compute process work them off. Each epoch: the gradient of the own groups under one objective plus that of the peers'
 * groups under another, each weighted by its number of groups, then one AdamW step. Knows nothing of tasks or of the swarm.
 */
import { smallerPasses, type TrainRow } from '../../native-models/runtime/batch.ts';
import { ComputeError, type ComputeHost } from '../../native-models/runtime/compute-host.ts';
import { OUT_OF_MEMORY } from '../../native-models/runtime/out-of-memory.ts';
import type { GradientSum } from '../../native-models/runtime/policy-runtime.ts';
import type { AdamWOptions } from '../../native-models/optim/adamw.ts';
import { warmupConstant } from '../../native-models/optim/schedule.ts';
import type { Objective, ObjectiveName } from '../objective/objective.ts';
import { executeBridge, type BridgePlan } from './bridge-round.ts';
import { addPart, addStep, emptyOutcome, type GroupSource, type TrainOutcome } from './outcome.ts';
import { trainRows, type TokenGroup } from './rows.ts';

export interface TrainOptions {
  epochsPerRound: number;
  microBatchTokens: number;
  learningRate: number;
  warmupSteps: number;
  maxGradientNorm: number;
  weightDecay: number;
  adamBeta1: number;
  adamBeta2: number;
}

/** With the learning rate of what is trained: an adapter, or all weights. */
export function ratedFor<T extends { learningRate: number; adapterLearningRate: number }>(
  options: T,
  adapter: object | null,
): T {
  return adapter === null ? options : { ...options, learningRate: options.adapterLearningRate };
}

export interface TrainPart {
  source: GroupSource;
  objective: Objective;
  groups: readonly TokenGroup[];
}
/** Everything the compute process needs to do a round's training again. */
export interface TrainPlan {
  epochs: number;
  /** Padded tokens of a pass. How rows are cut into passes decides the last bits of their gradient. */
  maxTokens: number;
  /** Where memory ran out: from which epoch on passes were smaller. */
  shrunk?: { fromEpoch: number; maxTokens: number }[];
  maxGradientNorm: number;
  parts: { source: GroupSource; objective: ObjectiveName; rows: TrainRow[] }[];
  /** One per epoch: the learning rate follows the schedule. */
  optimizers: AdamWOptions[];
  /** Where BRIDGE trains the policy. */
  bridge?: BridgePlan;
}

const ADAM_EPSILON = 1e-8;

/** @returns null when there is nothing to train on. */
export function planTraining(
  parts: readonly TrainPart[],
  policyVersion: number,
  options: TrainOptions,
): TrainPlan | null {
  const plan = planRewards(parts, policyVersion, options);
  return plan.parts.length > 0 ? plan : null;
}

/** The same, also where there is nothing to compare: demonstrations may come on top (bridge-round.ts). */
export function planRewards(parts: readonly TrainPart[], policyVersion: number, options: TrainOptions): TrainPlan {
  const total = parts.reduce((sum, part) => sum + part.groups.length, 0);
  // An objective may leave out every completion of its groups: SFT does where none is right.
  const filled = parts
    .map(({ source, objective, groups }) => ({
      source,
      objective: objective.name,
      rows: trainRows(groups, objective, groups.length / Math.max(1, total)),
    }))
    .filter(({ rows }) => rows.length > 0);
  return {
    epochs: options.epochsPerRound,
    maxTokens: options.microBatchTokens,
    maxGradientNorm: options.maxGradientNorm,
    parts: filled,
    optimizers: Array.from({ length: options.epochsPerRound }, (_, epoch) => ({
      learningRate: warmupConstant(policyVersion + epoch, options.learningRate, options.warmupSteps),
      beta1: options.adamBeta1,
      beta2: options.adamBeta2,
      epsilon: ADAM_EPSILON,
      weightDecay: options.weightDecay,
    })),
  };
}

/**
 * Gives groups the log-probs that an objective needs and that they lack. Behaviour: those of the own policy as it is now, for groups of
 * other policies, so that the ratio starts from 1. Reference: those of the policy before any training, for the KL term.
 * @throws ComputeError
 */
export async function withNeededLogprobs(
  compute: ComputeHost,
  objective: Objective,
  groups: readonly TokenGroup[],
  maxTokens: number,
): Promise<TokenGroup[]> {
  let result = [...groups];
  const lacks = groups.some(({ completions }) => completions.some(({ behaviorLogprobs }) => behaviorLogprobs === null));
  if (objective.needsBehaviorLogprobs && lacks) {
    const logprobs = await scoreGroups(compute, result, maxTokens, 'policy');
    result = mapCompletions(result, (completion, i) => ({ ...completion, behaviorLogprobs: logprobs[i]! }));
  }
  if (objective.needsReferenceLogprobs) {
    const logprobs = await scoreGroups(compute, result, maxTokens, 'reference');
    result = mapCompletions(result, (completion, i) => ({ ...completion, referenceLogprobs: logprobs[i]! }));
  }
  return result;
}

/** Log-probs of every completion's tokens, groups one after the other. @throws ComputeError */
export async function scoreGroups(
  compute: ComputeHost,
  groups: readonly TokenGroup[],
  maxTokens: number,
  under: 'policy' | 'reference',
): Promise<number[][]> {
  const rows = groups.flatMap(({ promptTokens, completions }) =>
    completions.map(({ tokens }) => ({ tokens: [...promptTokens, ...tokens], promptLength: promptTokens.length })),
  );
  return rows.length > 0 ? compute.call('score', { rows, maxTokens, under }) : [];
}

/** `index` counts the completions of all groups. */
function mapCompletions(
  groups: readonly TokenGroup[],
  change: (completion: TokenGroup['completions'][number], index: number) => TokenGroup['completions'][number],
): TokenGroup[] {
  let next = 0;
  return groups.map(({ promptTokens, completions }) => ({
    promptTokens,
    completions: completions.map((completion) => change(completion, next++)),
  }));
}

/**
 * Where memory runs out in a pass, the epoch's gradient is made again with passes of half the size, down to one row; `plan` says so
 * afterwards, so that doing it again gives the same bits.
 * @param onShrunk gets the new size of passes
 * @throws ComputeError; the gradient of an unfinished step is forgotten by the process's next start or step.
 */
export async function executePlan(
  compute: ComputeHost,
  plan: TrainPlan,
  onStep: (steps: number) => void = () => undefined,
  onShrunk: (maxTokens: number, cause: ComputeError) => void = () => undefined,
): Promise<TrainOutcome> {
  const outcome = emptyOutcome();
  if (plan.bridge) {
    const { bridge, parts } = plan;
    const rows = [...bridge.demonstrations, ...parts.flatMap((part) => part.rows)];
    await executeBridge({ ...plan, bridge }, outcome, onStep, (epoch, work) =>
      inPasses(compute, plan, epoch, onShrunk, (maxTokens, fill) => {
        fill(rows);
        return work(compute, maxTokens);
      }),
    );
    return outcome;
  }
  await compute.call('dropGradient', null);
  for (const [epoch, optimizer] of plan.optimizers.entries()) {
    for (const { source, sum } of await epochGradient(compute, plan, epoch, onShrunk)) {
      outcome.tokens += sum.tokens;
      addPart(outcome, source, sum, plan.epochs);
    }
    const update = await compute.call('update', { optimizer, maxGradientNorm: plan.maxGradientNorm });
    addStep(outcome, update, plan.epochs);
    onStep(outcome.steps);
  }
  return outcome;
}

async function epochGradient(
  compute: ComputeHost,
  plan: TrainPlan,
  epoch: number,
  onShrunk: (maxTokens: number, cause: ComputeError) => void,
): Promise<{ source: GroupSource; sum: GradientSum }[]> {
  return inPasses(compute, plan, epoch, onShrunk, async (maxTokens, fill) => {
    const sums: { source: GroupSource; sum: GradientSum }[] = [];
    for (const { source, objective, rows } of plan.parts) {
      fill(rows);
      sums.push({ source, sum: await compute.call('accumulate', { objective, rows, maxTokens }) });
    }
    return sums;
  });
}

/** `work` tells with `fill` which rows are in the passes that it begins, for those are what can be made smaller. */
async function inPasses<T>(
  compute: ComputeHost,
  plan: TrainPlan,
  epoch: number,
  onShrunk: (maxTokens: number, cause: ComputeError) => void,
  work: (maxTokens: number, fill: (rows: readonly TrainRow[]) => void) => Promise<T>,
): Promise<T> {
  for (;;) {
    const maxTokens = passTokens(plan, epoch);
    let filling: readonly TrainRow[] = [];
    try {
      return await work(maxTokens, (rows) => (filling = rows));
    } catch (error) {
      const smaller =
        error instanceof ComputeError && error.code === OUT_OF_MEMORY ? smallerPasses(filling, maxTokens) : null;
      if (smaller === null) throw error;
      plan.shrunk = [...(plan.shrunk ?? []), { fromEpoch: epoch, maxTokens: smaller }];
      onShrunk(smaller, error as ComputeError);
      await compute.call('dropGradient', null);
    }
  }
}

/** The same plan in passes of at most so many tokens: the same gradient but for rounding. */
export function withPassesUpTo(plan: TrainPlan, mostTokens: number): TrainPlan {
  if (plan.maxTokens <= mostTokens) return plan;
  const shrunk = plan.shrunk?.filter(({ maxTokens }) => maxTokens < mostTokens);
  return { ...plan, maxTokens: mostTokens, ...(shrunk ? { shrunk } : {}) };
}

function passTokens({ maxTokens, shrunk = [] }: TrainPlan, epoch: number): number {
  return shrunk.findLast(({ fromEpoch }) => fromEpoch <= epoch)?.maxTokens ?? maxTokens;
}
