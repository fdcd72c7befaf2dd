/**
 * The swarm benefit meter: what peers' groups bring to this node's policy, by experiment on this machine. From one moment on two branches
 * are trained for some rounds: one is the node's own training as it is, with whatever peers' groups came in; for the other the
 * policy of that moment is kept aside, and trains the same rounds on equally many groups, all its own (train-alone.ts). Then both answer the
 * same held-out tasks, with the same random numbers, and the difference is taken task by task. So half of an A/B test costs nothing, and
 * it is peers' real groups at their real ages that are judged. Held-out tasks are new ones for every comparison.
 *
 * Training is not touched: the branch takes the policy's place in the compute process (native-models/runtime/branch.ts) between two
 * rounds and gives it back bit for bit. Pausing holds it like anything else; finishing, ending, a death of either process drop the
 * comparison, and the next is begun later. What is saved up, and J where it is adaptive, belong to the round and are kept with it.
 *
 * When: as much as is saved up (budget.ts) and rounds alone decide, no clock, so that the same rounds give the same comparisons.
 * Knows nothing of run states, nor of how rounds become durable.
 */
import { ComputeDiedError, type ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import type { OpenedPolicy } from '../../../native-models/runtime/compute-protocol.ts';
import type { Logger } from '../../base/log.ts';
import { createRandom } from '../../base/random.ts';
import type { Config } from '../../config.ts';
import { mean, type Objective } from '../../objective/objective.ts';
import { generatedTokens, type PolicyText } from '../../rollout/rollout.ts';
import { pairedDifference } from '../../stats/paired-difference.ts';
import type { Store } from '../../store/store.ts';
import type { TaskInstance } from '../../tasks/task.ts';
import { sampleTasks, type TaskSet } from '../../tasks/task-sets.ts';
import { ratedFor } from '../../train/train-round.ts';
import { afterComparison, afterSharedRound, mixOf, restoreSharing, type SharingState } from '../../train/sharing.ts';
import type { TrainingSetOptions } from '../../train/training-set.ts';
import type { JsonValue } from '../../types.ts';
import type { BenefitReport, BenefitRow, RoundStage } from '../api.ts';
import { answerTasks } from '../rounds/exam.ts';
import type { RoundResult } from '../loop.ts';
import type { Practice } from '../rounds/practice.ts';
import { benefitReport, isEqualTraining, SHOWN_ROWS, type BenefitActivity, type BenefitOff } from './benefit-report.ts';
import { likelyCost, saveUp, type ComparisonSize, type RoundTokens } from './budget.ts';
import { MAX_MORE_BATCHES, trainAlone, type AloneOutcome, type FollowedRound } from './train-alone.ts';

export interface BenefitMeterOptions {
  config: Config;
  /** The node's, hexadecimal. */
  seed: string;
  /** Of own groups. */
  objective: Objective;
  practice: Pick<Practice, 'set' | 'standings'>;
  store: Pick<Store, 'recordBenefit' | 'benefits'>;
  report: (stage: RoundStage, done: number, total: number) => void;
  /** `report` may say something new. */
  onChange: () => void;
  now: () => number;
  log: Pick<Logger, 'info' | 'warn'>;
}

/** The policy after a whole round, in the compute process. */
export interface PolicyNow {
  compute: ComputeHost;
  opened: OpenedPolicy;
  policy: PolicyText;
  round: number;
  /** Optimiser steps. */
  version: number;
  fits: (instance: TaskInstance) => boolean;
}

/** To each held-out task, by either branch. */
export const ANSWERS = 4;
/** Weights and both moments of what is trained are held a second time; beyond this nothing is measured. */
export const MAX_BRANCH_BYTES = 2 ** 30;
const BYTES_PER_PARAMETER = 12;
/** The exam's tasks come before these in the held-out stream. */
const FIRST_HELD_OUT = 4096;
/** Less than this share of what J allows, and the branches hardly differ. */
const FEWEST_FROM_PEERS = 0.25;

/** The comparison was given up by `abandon`. */
class AbandonedError extends Error {}

interface Following {
  compute: ComputeHost;
  /** Another one chosen meanwhile ends the comparison. */
  set: TaskSet;
  round: number;
  version: number;
  rounds: FollowedRound[];
}

interface Measured {
  withPeers: number[];
  alone: number[];
  branch: AloneOutcome;
  tokens: number;
}

export class BenefitMeter {
  private readonly options: BenefitMeterOptions;
  private sharing: SharingState;
  private saved = 0;
  private latest: RoundTokens & { adopted: number } = { generated: 0, trained: 0, adopted: 0 };
  private following: Following | null = null;
  private opened: OpenedPolicy | null = null;
  private failure: string | null = null;
  private isAbandoned = false;
  /** Between two rounds the branch is trained and examined. */
  isComparing = false;

  constructor(options: BenefitMeterOptions) {
    this.options = options;
    this.sharing = restoreSharing(options.config, null);
  }

  /** I and J of the next round. */
  get mix(): TrainingSetOptions {
    const { role, sharing, ownGroups, peerGroups } = this.options.config;
    if (role === 'generates') return { ownGroups: 0, peerGroups: 0 };
    if (role === 'trains') return { ownGroups: 0, peerGroups: ownGroups + peerGroups };
    if (sharing === 'adaptive') return mixOf(this.sharing);
    return { ownGroups, peerGroups };
  }

  /** `kept`: what `learn` returned after the last whole round, or null. A comparison that was in progress is dropped. */
  restore(kept: JsonValue): void {
    const isObject = typeof kept === 'object' && kept !== null && !Array.isArray(kept);
    const saved = isObject ? kept['saved'] : 0;
    this.saved = typeof saved === 'number' && Number.isFinite(saved) ? saved : 0;
    this.sharing = restoreSharing(this.options.config, (isObject ? kept['sharing'] : null) ?? null);
    this.following = null;
  }

  /** After a round, before it is durable. Returns what to keep with it. */
  learn({ round, own, trainedOwn, adopted, outcome }: RoundResult): JsonValue {
    const { config } = this.options;
    this.latest = { generated: generatedTokens(own), trained: outcome?.tokens ?? 0, adopted: adopted.length };
    if (this.why() === null) this.saved = saveUp(this.saved, this.latest, config.benefitPercent, this.size);
    if (config.sharing === 'adaptive') this.sharing = afterSharedRound(this.sharing);
    this.following?.rounds.push({
      round,
      tasks: own.map(({ instance }) => instance),
      trained: outcome ? trainedOwn.length + adopted.length : 0,
      fromPeers: adopted.length,
    });
    return { saved: this.saved, sharing: structuredClone(this.sharing) as unknown as JsonValue };
  }

  /**
   * Between two rounds: begins a comparison, or ends the one whose rounds are through.
   * @throws ComputeError where the policy could not be put back: the process is of no more use
   */
  async afterRound(now: PolicyNow): Promise<void> {
    this.opened = now.opened;
    if (this.following && this.following.compute !== now.compute) this.following = null;
    if (this.following) await this.follow(this.following, now);
    else if (this.isDue()) await this.begin(now);
    this.options.onChange();
  }

  /** Gives the comparison in progress up as soon as the call of the compute process ends that runs just now. */
  abandon(): void {
    this.isAbandoned = true;
  }

  report(): BenefitReport {
    const { config, store } = this.options;
    const sharing = { mode: config.sharing, ...this.mix };
    return benefitReport(store.benefits(SHOWN_ROWS), this.activity(), { percent: config.benefitPercent, sharing });
  }

  // --- when -------------------------------------------------------------------------------------------------------------

  private get size(): ComparisonSize {
    const { benefitRounds, benefitTasks, promptsPerRound, groupSize } = this.options.config;
    return { rounds: benefitRounds, answers: ANSWERS * benefitTasks, answersPerRound: promptsPerRound * groupSize };
  }

  /** Why nothing is measured; null where it is. */
  private why(): BenefitOff | null {
    const { config } = this.options;
    if (config.benefitPercent === 0) return { kind: 'unwanted' };
    if (config.role !== 'both') return { kind: 'role', role: config.role };
    if (!config.swarmEnabled) return { kind: 'noSwarm' };
    if (config.sharing === 'fixed' && config.peerGroups === 0) return { kind: 'noPeerGroups' };
    if (this.opened?.bridge) return { kind: 'bridge' };
    const bytes = (this.opened?.trainedParameters ?? 0) * BYTES_PER_PARAMETER;
    if (bytes > MAX_BRANCH_BYTES) return { kind: 'memory', bytes };
    return this.failure === null ? null : { kind: 'failed', message: this.failure };
  }

  private isDue(): boolean {
    return this.why() === null && this.latest.adopted > 0 && this.saved >= likelyCost(this.latest, this.size);
  }

  private activity(): BenefitActivity {
    const why = this.why();
    if (why) return { name: 'off', why };
    if (this.isComparing) return { name: 'comparing' };
    const { benefitRounds: rounds } = this.options.config;
    if (this.following) return { name: 'following', round: Math.min(rounds, this.following.rounds.length + 1), rounds };
    if (this.latest.adopted === 0) return { name: 'noPeers' };
    return { name: 'saving', share: this.saved / likelyCost(this.latest, this.size) };
  }

  // --- a comparison -----------------------------------------------------------------------------------------------------

  private async begin({ compute, round, version }: PolicyNow): Promise<void> {
    await this.unlessFatal(async () => {
      await compute.call('branch', 'keep');
      this.following = { compute, set: this.options.practice.set, round, version, rounds: [] };
    });
  }

  private async follow(following: Following, now: PolicyNow): Promise<void> {
    const { benefitRounds } = this.options.config;
    if (following.rounds.length < benefitRounds) return;
    this.following = null;
    const fromPeers = following.rounds.reduce((sum, round) => sum + round.fromPeers, 0);
    const isEnough = fromPeers >= FEWEST_FROM_PEERS * benefitRounds * this.mix.peerGroups;
    if (isEnough && following.set === this.options.practice.set) await this.compare(following, now);
    await now.compute.call('branch', 'drop');
  }

  private async compare(following: Following, now: PolicyNow): Promise<void> {
    const startedMs = performance.now();
    this.isComparing = true;
    this.isAbandoned = false;
    this.options.onChange();
    try {
      await this.unlessFatal(async () => {
        const measured = await this.measure(following, now);
        this.saved -= measured.tokens;
        this.conclude(following, measured, now.round, (performance.now() - startedMs) / 1000);
      });
    } finally {
      this.isComparing = false;
    }
  }

  /** A failed comparison must not stop training; one that was given up is no failure. */
  private async unlessFatal(work: () => Promise<void>): Promise<void> {
    const { log } = this.options;
    try {
      await work();
    } catch (error) {
      if (error instanceof ComputeDiedError || error instanceof PolicyLostError) throw error;
      if (error instanceof AbandonedError || (error as { code?: unknown }).code === 'cancelled') {
        log.info('The comparison with and without peers’ groups was given up; it is begun anew later');
        return;
      }
      this.failure = error instanceof Error ? error.message : String(error);
      log.warn(`What peers’ groups bring is not measured until the next start: ${this.failure}`);
    }
  }

  private async measure(following: Following, { compute, opened, policy, round, fits }: PolicyNow): Promise<Measured> {
    const { config, seed, objective, practice } = this.options;
    const { set } = following;
    const levels = Object.fromEntries(practice.standings().tasks.map(({ generator, level }) => [generator, level]));
    const drawn = { levels, accepts: fits };
    const tasks = sampleTasks(set, {
      ...drawn,
      seed: BigInt(set.version),
      from: FIRST_HELD_OUT + round * config.benefitTasks,
      count: config.benefitTasks,
      purpose: 'held-out',
    });
    const first = await this.examine(compute, policy, tasks, round, 0);
    const extra = BigInt(createRandom(seed, 'benefit/tasks').uint32());
    const moreTasks = (at: number, batch: number): TaskInstance[] =>
      sampleTasks(set, {
        ...drawn,
        seed: extra,
        from: (at * MAX_MORE_BATCHES + batch) * config.promptsPerRound,
        count: config.promptsPerRound,
      });
    await compute.call('branch', 'exchange');
    let second: Awaited<ReturnType<typeof answerTasks>>;
    let branch: AloneOutcome;
    try {
      const { version, rounds } = following;
      const parts = {
        config: ratedFor(config, opened.adapter),
        seed,
        compute,
        policy,
        objective,
        version,
        moreTasks,
        onStep: () => this.step(),
      };
      branch = await trainAlone(parts, rounds);
      second = await this.examine(compute, policy, tasks, round, tasks.length);
    } finally {
      await putBack(compute);
    }
    const spent = first.tokens + branch.tokens + second.tokens;
    return { withPeers: first.scores, alone: second.scores, branch, tokens: spent };
  }

  private step(): void {
    if (this.isAbandoned) throw new AbandonedError();
  }

  private examine(
    compute: ComputeHost,
    policy: PolicyText,
    tasks: readonly TaskInstance[],
    round: number,
    before: number,
  ): ReturnType<typeof answerTasks> {
    const { config, seed, report } = this.options;
    return answerTasks(compute, policy, tasks, {
      ...config,
      answers: ANSWERS,
      seed: createRandom(seed, `benefit/exam/${round}`).uint32(),
      onBatch: (from) => {
        this.step();
        report('compare', before + from, 2 * tasks.length);
      },
    });
  }

  private conclude(following: Following, { withPeers, alone, branch }: Measured, round: number, seconds: number): void {
    const { config, store, now, log } = this.options;
    const { set } = following;
    const { mean: difference, standardError } = pairedDifference(alone, withPeers);
    const row: BenefitRow = {
      round,
      fromRound: following.round,
      at: now(),
      taskSet: set.name,
      taskSetVersion: set.version,
      tasks: withPeers.length,
      answers: ANSWERS,
      withPeers: mean(withPeers),
      alone: mean(alone),
      standardError,
      groupsWithPeers: following.rounds.reduce((sum, { trained }) => sum + trained, 0),
      groupsFromPeers: following.rounds.reduce((sum, { fromPeers }) => sum + fromPeers, 0),
      groupsAlone: branch.trained,
      seconds,
    };
    if (config.sharing === 'adaptive' && isEqualTraining(row))
      this.sharing = afterComparison(this.sharing, { difference, standardError });
    store.recordBenefit(row);
    const points = (share: number): string => (100 * share).toFixed(1);
    log.info(
      `Rounds ${row.fromRound + 1} to ${round} with peers’ groups: ${points(row.withPeers)} % of held-out tasks; without: ${points(row.alone)} % (difference ${points(difference)}, standard error ${points(standardError)} points)`,
    );
  }
}

/** The policy could not be put back where it belongs: only a new process brings it back. */
class PolicyLostError extends Error {
  readonly code = 'computeFailed';
  readonly fix = 'Nothing to do: the policy is brought back from its last checkpoint and the redo log.';
}

async function putBack(compute: ComputeHost): Promise<void> {
  try {
    await compute.call('branch', 'exchange');
  } catch (error) {
    if (error instanceof ComputeDiedError) throw error;
    throw new PolicyLostError('After a comparison the policy could not be put back', { cause: error });
  }
}
