/**
 * The history of a node: rounds with their metrics, rollouts, what each peer was verified to have done, totals. Rounds, metrics and
 * exams are kept apart by policy, and only those of the policy in use are seen. One transaction per round. Holds nothing that training needs: policy, optimiser and counters of the loop are in the checkpoint.
 *
 * Invariants: bounded in bytes, rounds and peers; text that leaves is safe for people; every failure is a StoreError or a
 * DiskFullError, after which the file is as it was before the call.
 */
import type { DatabaseSync } from 'node:sqlite';
import { safeLine } from '../base/sanitise-text.ts';
import { isMetricName, type MetricName } from '../stats/metrics.ts';
import { openDatabase, type OpenDatabase } from './open-database.ts';
import { createSweeper, type Retention } from './retention.ts';
import {
  benefitFrom,
  examFrom,
  leaderFrom,
  policyFrom,
  rolloutFrom,
  safeGroup,
  textLimits,
  type BenefitRow,
  type ExamRow,
  type KnownPolicy,
  type LeaderboardRow,
  type NewRolloutGroup,
  type NewRound,
  type PeerCredit,
  type RolloutRow,
  type RoundRow,
} from './rows.ts';
import { prepareStatements, type Statements } from './statements.ts';
import { asStoreError } from './store-error.ts';

const keptExams = 10_000;
const keptBenefits = 10_000;

/** Totals over all starts. */
export type CounterName =
  | 'generatedTokens'
  | 'trainedTokens'
  | 'trainedMs'
  | 'uptimeMs'
  | 'groupsShared'
  | 'groupsAdopted'
  | 'computeRestarts'
  | `rejected.${string}`;

export interface RoundRecord {
  round: NewRound;
  rollouts?: readonly NewRolloutGroup[];
  peers?: readonly PeerCredit[];
  counters?: Partial<Record<CounterName, number>>;
}

export interface Store {
  /**
   * From here on rounds and exams are those of this policy. `claim`: it is the one whose rounds an older version recorded without
   * saying whose they were.
   */
  usePolicy(policy: { identity: string; name: string; directory: string; claim: boolean }): void;
  /** The one used last first. */
  policies(): KnownPolicy[];
  /** Everything of one round, in one transaction; a round recorded before is replaced. Returns the rollouts as clients see them. */
  recordRound(record: RoundRecord): { row: RoundRow; rollouts: RolloutRow[] };
  /** Oldest first, at most `limit`, spread evenly over all rounds from `sinceRound`; the newest is always among them. */
  rounds(query: { sinceRound: number; limit: number }): RoundRow[];
  /** Newest first. */
  rollouts(query: { limit: number; beforeId: number | null; origin: 'all' | 'own' | 'peers' }): RolloutRow[];
  /** The latest 10,000 are kept; one of the same round is replaced. */
  recordExam(exam: ExamRow): void;
  /** Oldest first, the latest `limit`. */
  exams(limit: number): ExamRow[];
  /** Null before the first. */
  lastExamRound(): number | null;
  /** The latest 10,000 are kept; one of the same round is replaced. */
  recordBenefit(benefit: BenefitRow): void;
  /** Oldest first, the latest `limit`. */
  benefits(limit: number): BenefitRow[];
  creditPeers(credits: readonly PeerCredit[]): void;
  /** Most right completions first, at most 500. */
  leaderboard(): LeaderboardRow[];
  addCounters(amounts: Partial<Record<CounterName, number>>): void;
  counters(): Record<string, number>;
  /** Small texts that must survive a restart, for example whether the owner paused. */
  note(name: string): string | null;
  setNote(name: string, value: string | null): void;
  lastRound(): number | null;
  /** Mean of a metric over the latest `rounds` rounds that have it; null when none has. */
  recentMean(metric: MetricName, rounds: number): number | null;
  /** Forgets rounds after `round` and their rollouts: after a crash the checkpoint may be older than the history. */
  rewindTo(round: number): void;
  setRetention(retention: Retention): void;
  usedBytes(): number;
  close(): void;
}

export interface StoreOptions {
  retention: Retention;
  maxPeers?: number;
}

/** @throws StoreError (foreign, newer, locked, unwritable), DiskFullError. A damaged file is moved aside and told to `warn`. */
export function openStore(
  path: string,
  options: StoreOptions & { now?: () => number; warn: (message: string) => void },
): Store {
  const open = openDatabase(path, { now: options.now ?? Date.now });
  if (open.movedTo !== null)
    options.warn(
      `The history was damaged: it was moved to ${open.movedTo} and a new one begun. The policy is not affected.`,
    );
  return createStore(open, options);
}

export function createStore({ database, path }: OpenDatabase, options: StoreOptions): Store {
  const transact = <T>(work: () => T): T => transaction(database, path, work);
  const guard = <T>(work: () => T): T => guarded(path, work);
  const sql = prepareStatements(database);
  let retention = options.retention;
  const sweeper = createSweeper(database, () => retention, transact);
  const maxPeers = options.maxPeers ?? 5000;
  let closed = false;
  let policy = guard(() => sql.policyInUse.get()!['id'] as number);
  return {
    usePolicy: (used) => {
      // The usual start writes nothing: on a full disk it must come as far as the rounds.
      if (!guard(() => isInUse(sql, used))) policy = transact(() => enterPolicy(sql, used));
    },
    policies: () => guard(() => sql.policies.all().map(policyFrom)),
    recordRound: (record) => {
      const recorded = transact(() => writeRecord(sql, policy, record, maxPeers));
      guard(() => sweeper.sweep(policy));
      return recorded;
    },
    rounds: (query) => guard(() => readRounds(sql, policy, query)),
    rollouts: ({ limit, beforeId, origin }) =>
      guard(() => {
        const before = beforeId ?? Number.MAX_SAFE_INTEGER;
        const rows =
          origin === 'all'
            ? sql.rollouts.all(before, limit)
            : sql.rolloutsByOwn.all(origin === 'own' ? 1 : 0, before, limit);
        return rows.map(rolloutFrom);
      }),
    recordExam: (exam) =>
      transact(() => {
        sql.putExam.run({ ...exam, policy, byTask: JSON.stringify(exam.byTask) });
        sql.dropOldExams.run(policy, keptExams);
      }),
    exams: (limit) => guard(() => sql.exams.all(policy, limit).map(examFrom)),
    lastExamRound: () => guard(() => sql.lastExam.get(policy)?.['round'] as number | null),
    recordBenefit: (benefit) =>
      transact(() => {
        sql.putBenefit.run({ ...benefit, policy });
        sql.dropOldBenefits.run(policy, keptBenefits);
      }),
    benefits: (limit) => guard(() => sql.benefits.all(policy, limit).map(benefitFrom)),
    creditPeers: (credits) => transact(() => writePeers(sql, credits, maxPeers)),
    leaderboard: () => guard(() => sql.leaderboard.all(500).map(leaderFrom)),
    addCounters: (amounts) => transact(() => writeCounters(sql, amounts)),
    counters: () =>
      guard(() => Object.fromEntries(sql.counters.all().map((row) => [String(row['name']), Number(row['value'])]))),
    note: (name) => guard(() => (sql.note.get(name)?.['value'] as string | undefined) ?? null),
    setNote: (name, value) => {
      guard(() => (value === null ? sql.dropNote.run(name) : sql.setNote.run(name, value)));
    },
    lastRound: () => guard(() => sql.lastRound.get(policy)?.['round'] as number | null),
    recentMean: (metric, rounds) =>
      guard(() => (sql.recentMean.get(policy, metric, rounds)?.['mean'] ?? null) as number | null),
    rewindTo: (round) =>
      transact(() =>
        [
          sql.rewindRollouts,
          sql.rewindGroups,
          sql.rewindMetrics,
          sql.rewindRounds,
          sql.rewindExams,
          sql.rewindBenefits,
        ].forEach((step) => step.run(policy, round)),
      ),
    setRetention: (next) => {
      retention = next;
    },
    usedBytes: () => guard(() => sweeper.usedBytes()),
    close: () => {
      if (closed) return;
      closed = true;
      database.close();
    },
  };
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asStoreError(error, path);
  }
}

function transaction<T>(database: DatabaseSync, path: string, work: () => T): T {
  return guarded(path, () => {
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk makes SQLite roll back by itself.
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  });
}

function isInUse(sql: Statements, { identity, name, directory }: Parameters<Store['usePolicy']>[0]): boolean {
  const row = sql.policyInUse.get()!;
  const isSame = row['identity'] === identity && row['directory'] === directory;
  return isSame && row['name'] === safeLine(name, textLimits.name);
}

/** @returns the id of the policy. */
function enterPolicy(sql: Statements, { identity, name, directory, claim }: Parameters<Store['usePolicy']>[0]): number {
  const known = (): unknown => sql.policyOf.get(identity)?.['id'];
  if (known() === undefined && claim) sql.claimRounds.run(identity);
  if (known() === undefined) sql.addPolicy.run(identity);
  const id = known() as number;
  sql.usePolicy.run(safeLine(name, textLimits.name), directory, id);
  return id;
}

function writeRecord(
  sql: Statements,
  policy: number,
  record: RoundRecord,
  maxPeers: number,
): { row: RoundRow; rollouts: RolloutRow[] } {
  const { round, finishedAt, seconds, policyVersion } = record.round;
  sql.dropRolloutsOf.run(policy, round);
  sql.dropGroupsOf.run(policy, round);
  sql.putRound.run(policy, round, finishedAt, seconds, policyVersion);
  sql.dropMetricsOf.run(policy, round);
  const metrics: Record<string, number> = {};
  for (const [name, value] of Object.entries(record.round.metrics)) {
    if (!Number.isFinite(value)) continue;
    metrics[name] = value;
    sql.nameMetric.run(name);
    sql.putMetric.run(policy, round, value, name);
  }
  const rollouts = (record.rollouts ?? []).flatMap((group) => writeGroup(sql, policy, safeGroup(group)));
  writePeers(sql, record.peers ?? [], maxPeers);
  writeCounters(sql, record.counters ?? {});
  return { row: { round, finishedAt, seconds, policyVersion, metrics }, rollouts };
}

function writeGroup(sql: Statements, policy: number, { completions, ...group }: NewRolloutGroup): RolloutRow[] {
  const { round, at, origin, own, policyName, task, question, answer } = group;
  const groupId = sql.putGroup.run(
    policy,
    round,
    at,
    origin,
    policyName,
    JSON.stringify(task),
    question,
    answer,
  ).lastInsertRowid;
  return completions.map(({ text, ended, reward, advantage }) => {
    const id = Number(sql.putRollout.run(groupId, own ? 1 : 0, text, ended ? 1 : 0, reward, advantage).lastInsertRowid);
    return { id, ...group, completion: text, ended, reward, advantage };
  });
}

function writePeers(sql: Statements, credits: readonly PeerCredit[], maxPeers: number): void {
  for (const credit of credits) {
    sql.creditPeer.run({
      peer: credit.peer,
      own: credit.own ? 1 : 0,
      at: credit.at,
      displayName:
        credit.displayName === undefined || credit.displayName === null
          ? null
          : safeLine(credit.displayName, textLimits.name),
      policyName: credit.policyName === undefined ? null : safeLine(credit.policyName, textLimits.name),
      groupsVerified: credit.groupsVerified ?? 0,
      completionsVerified: credit.completionsVerified ?? 0,
      completionsRight: credit.completionsRight ?? 0,
      groupsAdopted: credit.groupsAdopted ?? 0,
      rejected: credit.rejected ?? 0,
    });
  }
  // Keys cost nothing to make: those that brought least are forgotten first.
  const surplus = credits.length === 0 ? 0 : Number(sql.peerCount.get()?.['count']) - maxPeers;
  if (surplus > 0) sql.dropPeers.run(surplus);
}

function writeCounters(sql: Statements, amounts: Partial<Record<CounterName, number>>): void {
  for (const [name, amount = 0] of Object.entries(amounts))
    if (amount !== 0 && Number.isFinite(amount)) sql.addCounter.run(name, amount);
}

/** Rounds at multiples of the stride, so that the same points stay while the curve grows, and the newest. */
function readRounds(
  sql: Statements,
  policy: number,
  { sinceRound, limit }: { sinceRound: number; limit: number },
): RoundRow[] {
  const span = sql.roundSpan.get(policy, sinceRound);
  const last = span?.['last'];
  if (limit < 1 || typeof last !== 'number') return [];
  const first = span!['first'] as number;
  const total = span!['count'] as number;
  const stride = total <= limit ? 1 : limit === 1 ? last - first + 1 : Math.ceil((last - first + 1) / (limit - 1));
  const rows = new Map<number, RoundRow>();
  const [from, step] = limit === 1 ? [last, 1] : [first, stride];
  for (const row of sql.roundRows.all(policy, from, step, last)) {
    const round = row['round'] as number;
    let entry = rows.get(round);
    if (entry === undefined) {
      entry = {
        round,
        finishedAt: row['finished_at'] as number,
        seconds: row['seconds'] as number,
        policyVersion: row['policy_version'] as number,
        metrics: {},
      };
      rows.set(round, entry);
    }
    const name = row['name'];
    // A name that this version no longer defines is not shown: every number shown says what it measures.
    if (typeof name === 'string' && isMetricName(name)) entry.metrics[name] = row['value'] as number;
  }
  return [...rows.values()];
}
