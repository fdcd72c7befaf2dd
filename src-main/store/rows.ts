/** What goes into the history, and the parsing of what comes out. The rows that leave are those of engine/api.ts, shape for shape. */
import { safeBlock, safeLine } from '../base/sanitise-text.ts';
import type { MetricValues } from '../stats/metrics.ts';
import type { PeerId, TaskRef } from '../types.ts';

export interface RoundRow {
  round: number;
  /** ms since epoch. */
  finishedAt: number;
  seconds: number;
  policyVersion: number;
  metrics: Record<string, number>;
}

export interface NewRound extends Omit<RoundRow, 'metrics'> {
  metrics: MetricValues;
}

export interface RolloutRow {
  id: number;
  /** Round of this node in which it was written or adopted. */
  round: number;
  at: number;
  origin: PeerId;
  own: boolean;
  policyName: string;
  task: TaskRef;
  question: string;
  answer: string;
  completion: string;
  ended: boolean;
  reward: number;
  advantage: number | null;
}

/** A group to keep, with every completion of it. Text is made safe on the way in. */
export interface NewRolloutGroup extends Omit<RolloutRow, 'id' | 'completion' | 'ended' | 'reward' | 'advantage'> {
  completions: { text: string; ended: boolean; reward: number; advantage: number | null }[];
}

/** The policy after `round` at held-out tasks; shares of right answers. */
export interface ExamRow {
  round: number;
  at: number;
  policyVersion: number;
  taskSet: string;
  taskSetVersion: number;
  tasks: number;
  greedy: number;
  sampled: number;
  seconds: number;
  byTask: { generator: string; tasks: number; greedy: number; sampled: number }[];
}

/** Held-out score of the policy after `round` and of the branch that did without peers' groups since `fromRound`; shares, 0 to 1. */
export interface BenefitRow {
  round: number;
  fromRound: number;
  at: number;
  taskSet: string;
  taskSetVersion: number;
  tasks: number;
  answers: number;
  withPeers: number;
  alone: number;
  standardError: number;
  groupsWithPeers: number;
  groupsFromPeers: number;
  groupsAlone: number;
  seconds: number;
}

export interface LeaderboardRow {
  peer: PeerId;
  own: boolean;
  displayName: string | null;
  policyName: string;
  groupsVerified: number;
  completionsVerified: number;
  completionsRight: number;
  groupsAdopted: number;
  rejected: number;
  firstSeenAt: number;
  lastSeenAt: number;
}

/** A policy that has rounds here. */
export interface KnownPolicy {
  identity: string;
  name: string;
  /** Its folder when it was last in use. */
  directory: string;
  /** The last. */
  round: number;
  /** ms since epoch, of the last round. */
  at: number;
}

/** Counters are added to what is there; names replace it where given. */
export interface PeerCredit {
  peer: PeerId;
  own: boolean;
  at: number;
  displayName?: string | null;
  policyName?: string;
  groupsVerified?: number;
  completionsVerified?: number;
  completionsRight?: number;
  groupsAdopted?: number;
  rejected?: number;
}

export const textLimits = { name: 60, question: 8000, answer: 2000, completion: 32_000 } as const;

/** The group as it is stored and shown: control, bidi and invisible characters are gone, lengths are bounded. */
export function safeGroup(group: NewRolloutGroup): NewRolloutGroup {
  return {
    ...group,
    policyName: safeLine(group.policyName, textLimits.name),
    question: safeBlock(group.question, textLimits.question),
    answer: safeBlock(group.answer, textLimits.answer),
    completions: group.completions.map((completion) => ({
      ...completion,
      text: safeBlock(completion.text, textLimits.completion),
    })),
  };
}

export type SqlRow = Record<string, unknown>;

export function rolloutFrom(row: SqlRow): RolloutRow {
  return {
    id: row['id'] as number,
    round: row['round'] as number,
    at: row['at'] as number,
    origin: row['origin'] as string,
    own: row['own'] === 1,
    policyName: row['policy_name'] as string,
    task: JSON.parse(row['task'] as string) as TaskRef,
    question: row['question'] as string,
    answer: row['answer'] as string,
    completion: row['completion'] as string,
    ended: row['ended'] === 1,
    reward: row['reward'] as number,
    advantage: row['advantage'] as number | null,
  };
}

export function examFrom(row: SqlRow): ExamRow {
  return {
    round: row['round'] as number,
    at: row['at'] as number,
    policyVersion: row['policy_version'] as number,
    taskSet: row['task_set'] as string,
    taskSetVersion: row['task_set_version'] as number,
    tasks: row['tasks'] as number,
    greedy: row['greedy'] as number,
    sampled: row['sampled'] as number,
    seconds: row['seconds'] as number,
    byTask: JSON.parse(row['by_task'] as string) as ExamRow['byTask'],
  };
}

export function benefitFrom(row: SqlRow): BenefitRow {
  return {
    round: row['round'] as number,
    fromRound: row['from_round'] as number,
    at: row['at'] as number,
    taskSet: row['task_set'] as string,
    taskSetVersion: row['task_set_version'] as number,
    tasks: row['tasks'] as number,
    answers: row['answers'] as number,
    withPeers: row['with_peers'] as number,
    alone: row['alone'] as number,
    standardError: row['standard_error'] as number,
    groupsWithPeers: row['groups_with_peers'] as number,
    groupsFromPeers: row['groups_from_peers'] as number,
    groupsAlone: row['groups_alone'] as number,
    seconds: row['seconds'] as number,
  };
}

export function leaderFrom(row: SqlRow): LeaderboardRow {
  return {
    peer: row['peer'] as string,
    own: row['own'] === 1,
    displayName: row['display_name'] as string | null,
    policyName: row['policy_name'] as string,
    groupsVerified: row['groups_verified'] as number,
    completionsVerified: row['completions_verified'] as number,
    completionsRight: row['completions_right'] as number,
    groupsAdopted: row['groups_adopted'] as number,
    rejected: row['rejected'] as number,
    firstSeenAt: row['first_seen_at'] as number,
    lastSeenAt: row['last_seen_at'] as number,
  };
}

export function policyFrom(row: SqlRow): KnownPolicy {
  return {
    identity: row['identity'] as string,
    name: row['name'] as string,
    directory: row['directory'] as string,
    round: row['round'] as number,
    at: row['at'] as number,
  };
}
