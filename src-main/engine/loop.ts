/**
 * One round, the whole of what Waggle is for:
 *
 *     task -> prompt -> generate -> verify -> share | admit -> sample -> objective -> step -> record
 *
 * Each stage is one call below, in this order. The loop does not know how tokens are computed (native-models), how records
 * travel (swarm) or who watches (API). It holds no state between rounds: all of it is in `RoundParts`.
 * A node may do half of it: without tasks nothing is generated, and with I and J of 0 nothing is trained.
 * Invariant: a round leaves a trace only at its end, in `commit`; interrupted before, it never happened.
 */
import type { ComputeHost } from '../../native-models/runtime/compute-host.ts';
import { createRandom } from '../base/random.ts';
import type { Config } from '../config.ts';
import { mean, type Objective } from '../objective/objective.ts';
import {
  generateOptions,
  generateRollouts,
  promptTokens,
  verifyRollouts,
  type OwnGroup,
  type PolicyText,
} from '../rollout/rollout.ts';
import { instantiate } from '../tasks/task-ref.ts';
import type { TaskInstance } from '../tasks/task.ts';
import { peerTokenGroup, type TokenGroup } from '../train/rows.ts';
import { executePlan, planTraining, withNeededLogprobs, type TrainPart, type TrainPlan } from '../train/train-round.ts';
import type { ChosenDemonstration } from '../train/choose-demonstrations.ts';
import type { TrainOutcome } from '../train/outcome.ts';
import { planBridge } from '../train/plan-bridge.ts';
import { choosePeerGroups, withinSurpriseGap, type PeerGroupOptions } from '../train/foreign-groups.ts';
import { sampleOwnGroups, type TrainingSetOptions } from '../train/training-set.ts';
import type { Group } from '../types.ts';
import type { RoundStage } from './api.ts';

export interface SwarmPort {
  /** Record ids, null where not even two answers of a group fit into a record. */
  share(groups: readonly OwnGroup[], round: number): (string | null)[];
  /** Which of the verified groups with a spread of rewards `choose` picked, and how many own rounds each waited in the pool. */
  adopt(choose: (offered: readonly Group[]) => readonly Group[]): { group: Group; waitedRounds: number }[];
}

/** What a round needs beyond the rest where BRIDGE trains the policy. */
export interface BridgeParts {
  /** Learns from demonstrations. */
  imitation: Objective;
  /** The policy's version when BRIDGE began. */
  startedAt: number;
  demonstrations(own: readonly OwnGroup[], ownSurprise: number, round: number): Promise<ChosenDemonstration[]>;
}

export interface RoundParts {
  config: Config;
  /** What all random choices of a round start from, with the round's number. */
  seed: string;
  compute: ComputeHost;
  policy: PolicyText & { contextTokens: number; version: number };
  objectives: { own: Objective; peers: Objective };
  /** I and J of this round: the settings, or what they have become (train/sharing.ts). */
  sharing: TrainingSetOptions;
  /** None where the node only trains. */
  tasks: (round: number) => TaskInstance[];
  swarm: SwarmPort;
  /** Left out: rewards alone train the policy. */
  bridge?: BridgeParts | null;
  report: (stage: RoundStage, done: number, total: number) => void;
  /** Memory ran out in a pass, and smaller ones went through. */
  passesShrank?: (maxTokens: number, cause: Error) => void;
  /** Makes the round durable: redo log, history. */
  commit: (result: RoundResult) => Promise<void>;
}

export interface AdoptedGroup {
  group: Group;
  waitedRounds: number;
  instance: TaskInstance;
  tokens: TokenGroup;
}
export interface RoundResult {
  round: number;
  own: OwnGroup[];
  /** How many of `own` were offered to peers. */
  shared: number;
  trainedOwn: OwnGroup[];
  adopted: AdoptedGroup[];
  /** Groups of peers that were drawn and then left out by `maxSurpriseGap`. */
  tooForeign: number;
  /** What was imitated, and S of own answers beside it; null without BRIDGE. */
  imitated?: { demonstrations: ChosenDemonstration[]; ownSurprise: number } | null;
  plan: TrainPlan | null;
  outcome: TrainOutcome | null;
  /** Wall time by stage. */
  seconds: Partial<Record<RoundStage, number>>;
}

export async function runRound(parts: RoundParts, round: number): Promise<RoundResult> {
  const { config, compute, policy, objectives, sharing, swarm } = parts;
  const seconds: RoundResult['seconds'] = {};
  const stage = async <T>(name: RoundStage, work: () => T | Promise<T>): Promise<T> => {
    parts.report(name, 0, 0);
    const start = performance.now();
    const result = await work();
    seconds[name] = (seconds[name] ?? 0) + (performance.now() - start) / 1000;
    return result;
  };
  const random = createRandom(parts.seed, `round/${round}`);

  const tasks = parts.tasks(round);
  const generate = () =>
    generateRollouts(compute, policy, tasks, generateOptions(config, config.groupSize, random.uint32()), (tokens) =>
      parts.report('generate', tokens, tasks.length * config.groupSize * config.maxNewTokens),
    );
  const generated = tasks.length > 0 ? await stage('generate', generate) : [];
  const own =
    generated.length > 0 ? await stage('verify', () => verifyRollouts(policy, generated, config.scoring)) : [];
  // Also without own groups: what of peers' was checked is said then.
  const share = () => shareOwn(swarm, own, round, config.sharedGroupsPerRound);
  const shared = own.length > 0 ? await stage('share', share) : share();
  const adopt = () => adoptFromPeers(swarm, { ...config, ...sharing }, policy, () => random.float());
  const offered = sharing.peerGroups > 0 ? await stage('admit', adopt) : [];
  const near = { ownSurprise: ownSurprise(own), maxGap: config.maxSurpriseGap, maxTokens: config.microBatchTokens };
  const adopted = offered.length > 0 ? await stage('admit', () => withinSurpriseGap(compute, offered, near)) : [];
  const peers = adopted.map(({ tokens }) => tokens);
  const trainedOwn = sampleOwnGroups(own, adopted.length, sharing, () => random.float());
  const withLogprobs = async (objective: Objective, groups: readonly TokenGroup[]): Promise<TokenGroup[]> =>
    groups.length > 0
      ? stage('train', () => withNeededLogprobs(compute, objective, groups, config.microBatchTokens))
      : [];
  const imitated = parts.bridge
    ? {
        demonstrations: await stage('admit', () => parts.bridge!.demonstrations(own, ownSurprise(own), round)),
        ownSurprise: ownSurprise(own),
      }
    : null;
  const plan = planRound(
    parts,
    [
      { source: 'own', objective: objectives.own, groups: await withLogprobs(objectives.own, trainedOwn) },
      { source: 'peers', objective: objectives.peers, groups: await withLogprobs(objectives.peers, peers) },
    ],
    imitated?.demonstrations ?? [],
  );
  const train = (todo: TrainPlan) =>
    executePlan(compute, todo, (steps) => parts.report('train', steps, todo.epochs), parts.passesShrank);
  const outcome = plan ? await stage('train', () => train(plan)) : null;
  const tooForeign = offered.length - adopted.length;
  const result: RoundResult = { round, own, shared, trainedOwn, adopted, tooForeign, imitated, plan, outcome, seconds };
  await stage('record', () => parts.commit(result));
  return result;
}

function planRound(
  { bridge, policy, config }: RoundParts,
  rewarded: readonly TrainPart[],
  demonstrations: readonly ChosenDemonstration[],
): TrainPlan | null {
  if (!bridge) return planTraining(rewarded, policy.version, config);
  const { imitation, startedAt } = bridge;
  return planBridge(rewarded, { imitation, startedAt, demonstrations, policyVersion: policy.version }, config);
}

/** Groups that have something to teach go first; a peer would drop the others. */
function shareOwn(swarm: SwarmPort, own: readonly OwnGroup[], round: number, most: number): number {
  const hasSpread = (group: OwnGroup): boolean =>
    group.completions.some(({ reward }) => reward !== group.completions[0]!.reward);
  const ordered = [...own.filter(hasSpread), ...own.filter((group) => !hasSpread(group))];
  return swarm.share(ordered.slice(0, most), round).filter((id) => id !== null).length;
}

/** Mean -log p per token of own answers when they were sampled. */
function ownSurprise(own: readonly OwnGroup[]): number {
  return -mean(own.flatMap(({ completions }) => completions.flatMap(({ behaviorLogprobs }) => behaviorLogprobs)));
}

/** How many of peers' groups a round begun now would draw; they stay where they are. */
export function countAdoptable(swarm: SwarmPort, options: PeerGroupOptions): number {
  let count = 0;
  swarm.adopt((groups) => {
    count = choosePeerGroups(groups, options, () => 0.5).length;
    return [];
  });
  return count;
}

/** Regenerates each adopted task and puts the peers' text into own tokens; what does not fit the own context is left out. */
function adoptFromPeers(
  swarm: SwarmPort,
  options: PeerGroupOptions,
  policy: RoundParts['policy'],
  random: () => number,
): AdoptedGroup[] {
  const drawn = swarm.adopt((groups) => choosePeerGroups(groups, options, random));
  return drawn.flatMap(({ group, waitedRounds }) => {
    const made = instantiate(group.task);
    if (!made.ok) return [];
    const prompt = promptTokens(policy, made.instance);
    const tokens = peerTokenGroup(policy.tokenizer, prompt, group.completions, policy.contextTokens);
    return tokens ? [{ group, waitedRounds, instance: made.instance, tokens }] : [];
  });
}
