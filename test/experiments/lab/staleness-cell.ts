/**
 * One cell of the staleness experiment: train a policy for a number of rounds on rollouts that its own past self wrote K
 * rounds ago, under one objective. The rollouts that each round generates are scored at once, so the curve is the reward of the policy of
 * that moment on tasks it has not trained on yet.
 *
 * The queue starts with K rounds by the first policy: round t trains on what policy max(0, t - K) wrote.
 */
import { createRandom } from '../../../src-main/base/random.ts';
import type { Config } from '../../../src-main/config.ts';
import { isUniform, mean } from '../../../src-main/objective/objective.ts';
import type { OwnGroup } from '../../../src-main/rollout/rollout.ts';
import type { TaskSet } from '../../../src-main/tasks/task-sets.ts';
import { tasksOf } from './round-tasks.ts';
import { subjectObjective, type SubjectName } from './subjects.ts';
import type { TrainedPolicy } from './trained-policy.ts';

export interface StalenessOptions {
  subject: SubjectName;
  /** K: age of the trained rollouts in rounds. */
  staleness: number;
  rounds: number;
  seed: number;
  tasks: TaskSet;
  config: Config;
}
export interface StalenessCurves {
  /** Mean reward of all answers of round t, by the policy of round t. */
  reward: number[];
  /** lowered / raised of what was trained in round t; null where nothing was. */
  balance: (number | null)[];
  /** Mean -log p per token of what was trained in round t. */
  nll: (number | null)[];
  gradientNorm: (number | null)[];
}

/** `policy`: fresh. */
export async function runStalenessCell(
  policy: TrainedPolicy,
  { subject, staleness, rounds, seed, tasks, config }: StalenessOptions,
  onRound: (round: number, reward: number) => void = () => undefined,
): Promise<StalenessCurves> {
  const objective = subjectObjective(subject, config);
  const random = createRandom(seed, 'staleness');
  const generate = async (round: number): Promise<OwnGroup[]> =>
    policy.rollouts(tasksOf(tasks, seed, round, config.promptsPerRound), random.uint32());
  const queue: OwnGroup[][] = [];
  for (let early = 0; early < staleness; early++) queue.push(await generate(early));
  const curves: StalenessCurves = { reward: [], balance: [], nll: [], gradientNorm: [] };
  for (let round = 0; round < rounds; round++) {
    const fresh = await generate(staleness + round);
    const reward = mean(fresh.flatMap(({ completions }) => completions.map((completion) => completion.reward)));
    queue.push(fresh);
    const groups = queue.shift()!.filter(({ completions }) => !isUniform(completions.map((c) => c.reward)));
    const outcome = await policy.train([{ source: 'own', objective, groups }]);
    const sums = outcome?.parts.own?.metrics;
    curves.reward.push(reward);
    curves.balance.push(sums?.raised ? sums.lowered! / sums.raised : null);
    curves.nll.push(sums ? sums.nll! / sums.tokens! : null);
    curves.gradientNorm.push(outcome?.gradientNorm ?? null);
    onRound(round, reward);
  }
  return curves;
}
