/**
 * The branch without peers: rounds that the node has been through are trained once more, on as many groups each, all of them own.
 * The same tasks and the same random numbers, so that both branches differ by what peers' groups brought and replaced. Where a round's own
 * answers have too few groups with something to teach, further tasks are asked, within a limit. Knows nothing of schedules or exams.
 */
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import { createRandom } from '../../base/random.ts';
import type { Config } from '../../config.ts';
import { isUniform, type Objective } from '../../objective/objective.ts';
import {
  generatedTokens,
  generateOptions,
  generateRollouts,
  verifyRollouts,
  type OwnGroup,
  type PolicyText,
} from '../../rollout/rollout.ts';
import type { TaskInstance } from '../../tasks/task.ts';
import { executePlan, planTraining, withNeededLogprobs } from '../../train/train-round.ts';
import { sampleOwnGroups } from '../../train/training-set.ts';

/** What the branch needs to know of a round that the policy was trained in. */
export interface FollowedRound {
  round: number;
  tasks: readonly TaskInstance[];
  /** Groups trained on, own and peers'. */
  trained: number;
  fromPeers: number;
}

export interface AloneParts {
  config: Config;
  /** The node's; each round draws from it as it did the first time. */
  seed: string;
  compute: ComputeHost;
  policy: PolicyText;
  objective: Objective;
  /** Optimiser steps at the start of the branch. */
  version: number;
  /** Tasks beside those of a round, never seen in training. */
  moreTasks: (round: number, batch: number) => TaskInstance[];
  /** Before each call of the compute process; may throw. */
  onStep: () => void;
}

/** Batches of further tasks a round may take, each as large as a round. */
export const MAX_MORE_BATCHES = 3;

export interface AloneOutcome {
  trained: number;
  /** Generated and trained. */
  tokens: number;
}

/** @throws ComputeError, and what `onStep` throws */
export async function trainAlone(parts: AloneParts, rounds: readonly FollowedRound[]): Promise<AloneOutcome> {
  const { config, compute, objective, onStep } = parts;
  const total: AloneOutcome = { trained: 0, tokens: 0 };
  let { version } = parts;
  for (const round of rounds.filter(({ trained }) => trained > 0)) {
    const random = createRandom(parts.seed, `benefit/${round.round}`);
    const own = await ownGroups(parts, round);
    total.tokens += generatedTokens(own);
    const wanted = { ownGroups: round.trained, peerGroups: 0 };
    const chosen = sampleOwnGroups(own, 0, wanted, () => random.float());
    onStep();
    const groups = await withNeededLogprobs(compute, objective, chosen, config.microBatchTokens);
    const plan = planTraining([{ source: 'own', objective, groups }], version, config);
    if (!plan) continue;
    onStep();
    const outcome = await executePlan(compute, plan);
    version = outcome.policyVersion;
    total.trained += groups.length;
    total.tokens += outcome.tokens;
  }
  return total;
}

async function ownGroups(parts: AloneParts, { round, tasks, trained }: FollowedRound): Promise<OwnGroup[]> {
  const { seed, moreTasks } = parts;
  const own = await answer(parts, tasks, createRandom(seed, `round/${round}`).uint32());
  for (let batch = 0; batch < MAX_MORE_BATCHES && own.filter(teaches).length < trained; batch++) {
    const sampling = createRandom(seed, `benefit/${round}/${batch}`).uint32();
    own.push(...(await answer(parts, moreTasks(round, batch), sampling)));
  }
  return own;
}

async function answer(parts: AloneParts, tasks: readonly TaskInstance[], seed: number): Promise<OwnGroup[]> {
  const { config, compute, policy, onStep } = parts;
  onStep();
  const options = generateOptions(config, config.groupSize, seed);
  const generated = await generateRollouts(compute, policy, tasks, options, () => undefined);
  return verifyRollouts(policy, generated, config.scoring);
}

const teaches = ({ completions }: OwnGroup): boolean => !isUniform(completions.map(({ reward }) => reward));
