/**
 * Which rounds count, and how they survive a crash of either process. A round counts once it is in the redo log; a checkpoint
 * (weights, optimiser, round) holds all rounds up to its own and empties the log. Checkpoint + log = the last whole round.
 * Knows nothing of run states, nor of what a round is made of beyond its training plan.
 *
 * Invariants: redo log first, history second; after a full disk the round that could not be written waits in memory, and no
 * other round is trained before it is durable. Rounds that do not follow the checkpoint without a gap are never trained again.
 */
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import type { OpenedPolicy } from '../../../native-models/runtime/compute-protocol.ts';
import { asDiskFull } from '../../base/atomic-file.ts';
import { WaggleError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Config } from '../../config.ts';
import type { ObjectiveName } from '../../objective/objective.ts';
import type { RoundRecord, Store } from '../../store/store.ts';
import type { RedoLog } from '../../train/redo-log.ts';
import { executePlan, withPassesUpTo, type TrainPlan } from '../../train/train-round.ts';
import type { JsonValue } from '../../types.ts';
import type { RoundResult } from '../loop.ts';

/** One logged round; `plan` is null where there was nothing to train on. */
export interface RedoEntry {
  round: number;
  /** Identity of the policy that was trained; older logs have its name. */
  policy: string;
  plan: TrainPlan | null;
  /** Levels and successes after the round, see `Practice`; older logs have none. */
  practised?: JsonValue;
  /** What the benefit meter keeps, see `BenefitMeter`; older logs have none. */
  benefit?: JsonValue;
}

/** One policy's rounds. */
export interface RoundBook {
  policy: { identity: string; name: string };
  redo: Pick<RedoLog<RedoEntry>, 'append' | 'clear'>;
  /** What the redo log held when it was opened. */
  entries: RedoEntry[];
  /** Folder of redo log and checkpoints, for the message about a full disk. */
  directory: string;
}

export interface RoundLedgerOptions {
  store: Pick<Store, 'recordRound' | 'rewindTo'>;
  log: Logger;
  /** The round is in redo log and history. */
  onRecorded: (recorded: ReturnType<Store['recordRound']>) => void;
}

/** A round that is trained but not yet durable. */
interface UnsettledRound {
  entry: RedoEntry;
  logged: boolean;
  record: RoundRecord;
}

export class RoundLedger {
  private readonly options: RoundLedgerOptions;
  private opened: RoundBook | null = null;
  private openedAt = Date.now();
  /** What makes rounds of one policy after another a sequence that only rises. */
  private shift = 0;
  private unsettled: UnsettledRound | null = null;
  private checkpointRound = 0;
  /** The last whole round. */
  round = 0;
  /** Optimiser steps since the base policy. */
  policyVersion = 0;
  /** What was kept of the practice after the last whole round; null where nothing was. */
  practised: JsonValue = null;
  /** The same of the benefit meter. */
  benefit: JsonValue = null;
  /** In this start. */
  lastCheckpointAt: number | null = null;

  constructor(options: RoundLedgerOptions) {
    this.options = options;
  }

  /** From here on the rounds are those of this policy; `replay` says which is the last. Everything before must be settled. */
  open(book: RoundBook): void {
    if (this.opened !== null) this.shift = this.sharedRound(this.round);
    this.opened = book;
    this.openedAt = Date.now();
    this.unsettled = null;
    this.checkpointRound = 0;
    this.round = 0;
    this.policyVersion = 0;
    this.practised = null;
    this.benefit = null;
    this.lastCheckpointAt = null;
  }

  private get book(): RoundBook {
    if (this.opened === null) throw new Error('No policy has been opened');
    return this.opened;
  }

  private get entries(): RedoEntry[] {
    return this.opened?.entries ?? [];
  }

  /** A round as peers are told it: they judge age by it, and must not see it fall when another policy is trained. */
  sharedRound(round: number): number {
    return this.shift + round;
  }

  /** Objectives that the rounds to be trained again need. */
  get loggedObjectives(): ObjectiveName[] {
    return this.entries.flatMap(({ plan }) => [
      ...(plan?.parts.map(({ objective }) => objective) ?? []),
      ...(plan?.bridge ? [plan.bridge.sft] : []),
    ]);
  }

  /**
   * Brings a policy just opened to the last whole round: the training of every logged round after its checkpoint again. Where
   * memory no longer suffices for passes as they were logged, smaller ones round otherwise: then a checkpoint is written at once.
   */
  async replay(compute: ComputeHost, opened: OpenedPolicy, mostTokens = Infinity): Promise<void> {
    const { log, store } = this.options;
    const saved = Number(opened.state?.round ?? 0);
    this.round = saved;
    this.checkpointRound = saved;
    this.policyVersion = opened.version;
    this.practised = (opened.state?.practised ?? null) as JsonValue;
    this.benefit = (opened.state?.benefit ?? null) as JsonValue;
    const entries = await this.roundsAfter(saved, opened);
    if (entries.length > 0) log.info(`Doing the training of ${entries.length} rounds since the last checkpoint again`);
    let isExact = true;
    for (const { round, plan, practised, benefit } of entries) {
      if (plan) {
        isExact &&= plan.maxTokens <= mostTokens;
        const again = withPassesUpTo(plan, mostTokens);
        const shrank = (): void => void (isExact = false);
        this.policyVersion = (await executePlan(compute, again, undefined, shrank)).policyVersion;
      }
      this.round = round;
      this.practised = practised ?? null;
      this.benefit = benefit ?? null;
    }
    store.rewindTo(this.round);
    if (isExact) return;
    log.warn('Memory did not suffice to train the logged rounds in passes as large as before: last digits may differ');
    await this.checkpoint(compute);
  }

  /** The logged rounds that follow the checkpoint without a gap; what does not is forgotten, and the log with it. */
  private async roundsAfter(saved: number, { state, bridge }: OpenedPolicy): Promise<RedoEntry[]> {
    const { log } = this.options;
    const { redo, policy } = this.book;
    const after = this.entries.filter((entry) => entry.round > saved);
    const other = after.find((entry) => entry.policy !== policy.identity && entry.policy !== policy.name);
    if (other) throw foreignRounds(other.policy, policy.name);
    const otherwise = after.find(({ plan }) => plan && (plan.bridge !== undefined) !== (bridge !== null));
    if (otherwise) throw otherMethod(otherwise.plan?.bridge ? 'bridge' : 'sapo', after.length);
    const gap = after.findIndex((entry, i) => entry.round !== saved + 1 + i);
    const entries = gap < 0 ? after : after.slice(0, gap);
    if (gap >= 0) {
      const from = state ? `the checkpoint of round ${saved}` : 'the base policy';
      log.warn(`${after.length - gap} logged rounds do not follow ${from}; they are left out`);
      await redo.clear();
      for (const entry of entries) await this.append(entry);
    }
    this.entries.splice(0, Infinity, ...entries);
    return entries;
  }

  /**
   * The round exists from here on. `makeRecord` is called once, when round and policy version are those after it.
   * @throws DiskFullError: the round is kept, and `settle` tries again
   */
  async commit(
    {
      round,
      plan,
      outcome,
      practised,
      benefit,
    }: Pick<RoundResult, 'round' | 'plan' | 'outcome'> & { practised: JsonValue; benefit?: JsonValue },
    makeRecord: () => RoundRecord,
  ): Promise<void> {
    const entry: RedoEntry = { round, policy: this.book.policy.identity, plan, practised, benefit: benefit ?? null };
    this.entries.push(entry);
    this.round = round;
    this.practised = practised;
    this.benefit = benefit ?? null;
    if (outcome) this.policyVersion = outcome.policyVersion;
    this.unsettled = { entry, logged: false, record: makeRecord() };
    await this.settle();
  }

  /** Writes what is not yet durable. After a full disk it is tried again before anything else is trained. */
  async settle(): Promise<void> {
    const { unsettled } = this;
    if (!unsettled) return;
    if (!unsettled.logged) await this.append(unsettled.entry);
    unsettled.logged = true;
    const recorded = this.options.store.recordRound(unsettled.record);
    this.unsettled = null;
    this.options.onRecorded(recorded);
  }

  private append(entry: RedoEntry): Promise<void> {
    const { redo, directory } = this.book;
    return redo.append(entry).catch(async (error: unknown) => {
      throw await asDiskFull(error, directory);
    });
  }

  checkpointDue(intervalMs: number): boolean {
    return Date.now() - (this.lastCheckpointAt ?? this.openedAt) >= intervalMs;
  }

  /** Nothing to do where the last checkpoint holds the last round. @throws ComputeError, the system's error */
  async checkpoint(compute: ComputeHost): Promise<void> {
    if (this.round === this.checkpointRound) return;
    const { round, practised, benefit } = this;
    await compute.call('save', { state: { round, practised, benefit }, version: this.policyVersion });
    this.checkpointRound = round;
    this.lastCheckpointAt = Date.now();
    this.entries.splice(0);
    if (this.unsettled) this.unsettled.logged = true; // the checkpoint holds it
    await this.book.redo.clear();
  }
}

function otherMethod(theirs: Config['method'], rounds: number): WaggleError {
  return new WaggleError({
    code: 'foreign',
    message: `${rounds} rounds since the last checkpoint were trained with method ${theirs}`,
    fix: `Start once with --method ${theirs} and end the node in an orderly way, so that they get into a checkpoint; then change the method.`,
  });
}

function foreignRounds(theirs: string, ours: string): WaggleError {
  return new WaggleError({
    code: 'foreign',
    message: `This data folder holds rounds of the policy "${theirs}", the policy opened is "${ours}"`,
    fix: 'Start with the policy this data folder was made with (--policy), or give this one a data folder of its own with --data.',
  });
}
