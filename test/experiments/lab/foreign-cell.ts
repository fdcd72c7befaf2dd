/**
 * One cell of the foreign-mix experiment: each round a policy trains on `8 - J` groups of its own and on J groups that a frozen
 * policy of another initialisation wrote about other tasks. Own groups are trained with GRPO as a node does; the foreign
 * ones, which come as text alone, with the objective under test. What the policy itself answers is the reward curve.
 */
import { createRandom } from '../../../src-main/base/random.ts';
import type { Config } from '../../../src-main/config.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import { isUniform, mean } from '../../../src-main/objective/objective.ts';
import type { OwnGroup } from '../../../src-main/rollout/rollout.ts';
import type { TaskSet } from '../../../src-main/tasks/task-sets.ts';
import { peerTokenGroup, type TokenGroup } from '../../../src-main/train/rows.ts';
import { tasksOf } from './round-tasks.ts';
import { subjectObjective, type SubjectName } from './subjects.ts';
import type { TrainedPolicy } from './trained-policy.ts';

export interface ForeignOptions {
  /** Objective of the foreign groups. */
  subject: SubjectName;
  /** J: at most this many of `groups` are foreign. */
  foreign: number;
  /** I + J. */
  groups: number;
  rounds: number;
  seed: number;
  tasks: TaskSet;
  config: Config;
}
export interface ForeignCurves {
  /** Mean reward of the policy's own answers in round t. */
  reward: number[];
  /** The same of the frozen policy's. */
  peerReward: number[];
  /** Groups trained: own, foreign. */
  own: number[];
  foreign: number[];
  /** Mean -log p per token, of own and of foreign groups. */
  ownNll: (number | null)[];
  foreignNll: (number | null)[];
  foreignBalance: (number | null)[];
}

/** Streams of tasks of own rounds and of the frozen policy's are told apart by the seed. */
const PEER_SEED_OFFSET = 1_000_000;

/** `policy`: fresh; `peer`: never trained. */
export async function runForeignCell(
  policy: TrainedPolicy,
  peer: TrainedPolicy,
  { subject, foreign, groups, rounds, seed, tasks, config }: ForeignOptions,
): Promise<ForeignCurves> {
  const objectives = { own: createObjective('grpo', config), peers: subjectObjective(subject, config) };
  const random = createRandom(seed, 'foreign');
  const curves: ForeignCurves = {
    reward: [],
    peerReward: [],
    own: [],
    foreign: [],
    ownNll: [],
    foreignNll: [],
    foreignBalance: [],
  };
  for (let round = 0; round < rounds; round++) {
    const seeds = { own: random.uint32(), peer: random.uint32() };
    const own = await policy.rollouts(tasksOf(tasks, seed, round, config.promptsPerRound), seeds.own);
    const theirs = await peer.rollouts(
      tasksOf(tasks, seed + PEER_SEED_OFFSET, round, config.promptsPerRound),
      seeds.peer,
    );
    const adopted = foreign > 0 ? theirs.flatMap((group) => asText(group, policy)).slice(0, foreign) : [];
    const kept = own.filter(hasSpread).slice(0, groups - adopted.length);
    const outcome = await policy.train([
      { source: 'own', objective: objectives.own, groups: kept },
      { source: 'peers', objective: objectives.peers, groups: adopted },
    ]);
    const [ownSums, peerSums] = [outcome?.parts.own?.metrics, outcome?.parts.peers?.metrics];
    curves.reward.push(meanReward(own));
    curves.peerReward.push(meanReward(theirs));
    curves.own.push(kept.length);
    curves.foreign.push(adopted.length);
    curves.ownNll.push(ownSums ? ownSums.nll! / ownSums.tokens! : null);
    curves.foreignNll.push(peerSums ? peerSums.nll! / peerSums.tokens! : null);
    curves.foreignBalance.push(peerSums?.raised ? peerSums.lowered! / peerSums.raised : null);
  }
  return curves;
}

const hasSpread = ({ completions }: OwnGroup): boolean => !isUniform(completions.map(({ reward }) => reward));
const meanReward = (groups: readonly OwnGroup[]): number =>
  mean(groups.flatMap(({ completions }) => completions.map(({ reward }) => reward)));

/** What travels between nodes is text: re-tokenised here, without log-probs. */
function asText({ promptTokens, completions }: OwnGroup, policy: TrainedPolicy): TokenGroup[] {
  const group = peerTokenGroup(policy.text.tokenizer, promptTokens, completions, policy.contextTokens);
  return group ? [group] : [];
}
