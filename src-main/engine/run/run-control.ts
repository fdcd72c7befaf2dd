/**
 * Does what the run state says: brings the compute process up, runs rounds, waits, goes over to another policy. What an error means
 * is run-failures.ts's to say. Knows nothing of what is shown, or how rounds become durable.
 *
 * Invariants: one thing at a time (`run` is the only caller of the compute process); after an error inside a round the
 * process is made anew, for a fresh one brought to the last whole round is the only known good state.
 */
import { basename, resolve } from 'node:path';
import type { ComputeExit, ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import type { OpenedPolicy } from '../../../native-models/runtime/compute-protocol.ts';
import { loadChatTemplate } from '../../../native-models/text/chat-template.ts';
import { loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import { asFault, WaggleError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { createRandom } from '../../base/random.ts';
import type { Config } from '../../config.ts';
import type { Objective } from '../../objective/objective.ts';
import { promptTokens, type PolicyText } from '../../rollout/rollout.ts';
import type { TaskInstance } from '../../tasks/task.ts';
import { ratedFor } from '../../train/train-round.ts';
import type { ChosenPolicy } from '../../models/policy-choice.ts';
import { readPolicyConfig } from '../../models/model-fit.ts';
import type { RoundRecord } from '../../store/store.ts';
import type { RunState, WaitReason } from '../api.ts';
import { promptStyleOf } from '../policy/bundled-policy.ts';
import { requireRoomForBridge } from '../compute/bridge-gate.ts';
import type { ComputeSupervisor } from '../compute/compute-supervisor.ts';
import type { BenefitMeter, PolicyNow } from '../benefit/benefit-meter.ts';
import type { DemonstrationKeeper } from '../rounds/demonstrations.ts';
import { Examiner, type ExaminerOptions } from '../rounds/examiner.ts';
import {
  countAdoptable,
  runRound,
  type BridgeParts,
  type RoundParts,
  type RoundResult,
  type SwarmPort,
} from '../loop.ts';
import type { PolicySlot } from '../policy/policy-slot.ts';
import type { Practice } from '../rounds/practice.ts';
import type { RoundLedger } from '../rounds/round-ledger.ts';
import { RunFailures, type RunFailuresOptions } from './run-failures.ts';
import { isComputing, isTraining, type RunEvent, type RunStateHolder } from './run-state.ts';
import type { TrainedTime } from './trained-time.ts';
import type { WorkFit } from '../compute/work-fit.ts';

export interface RunControlOptions extends Pick<RoundParts, 'seed' | 'objectives' | 'report'> {
  swarm: { forRound(): SwarmPort };
  config: Config;
  state: RunStateHolder;
  supervisor: ComputeSupervisor;
  ledger: RoundLedger;
  practice: Practice;
  benefit: BenefitMeter;
  demonstrations: DemonstrationKeeper;
  /** Learns from demonstrations; null where BRIDGE does not train the policy. */
  imitation: Objective | null;
  store: ExaminerOptions['store'] & RunFailuresOptions['store'];
  trained: TrainedTime;
  slot: PolicySlot;
  work: Pick<WorkFit, 'passesShrank' | 'ranOut' | 'freeBytes'>;
  dataDirectory: string;
  recordOf: (result: RoundResult) => RoundRecord;
  onExam: ExaminerOptions['onExam'];
  log: Logger;
}

const CLOSE_DEADLINE_MS = 10_000;
const CANCEL_INTERVAL_MS = 50;
const LOOK_FOR_GROUPS_MS = 500;

export class RunControl {
  private readonly options: RunControlOptions;
  private readonly failures: RunFailures;
  private readonly examiner: Examiner;
  private compute: { host: ComputeHost; opened: OpenedPolicy } | null = null;
  private policyText: (PolicyText & { directory: string }) | null = null;
  /** Another policy that is to be trained. */
  private change: { to: ChosenPolicy; done: PromiseWithResolvers<null> } | null = null;
  private roundsThisStart = 0;
  private ending = false;
  private running: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;
  private stopCancelling: () => void = () => undefined;

  constructor(options: RunControlOptions) {
    this.options = options;
    this.failures = new RunFailures({ ...options, onComputeLost: () => (this.compute = null) });
    this.examiner = new Examiner({ ...options, report: this.report });
  }

  private readonly report: RoundParts['report'] = (stage, done, total) => {
    if (stage !== 'idle') this.failures.stage = stage;
    this.options.report(stage, done, total);
  };

  /** Null while no compute process has the policy. */
  get opened(): OpenedPolicy | null {
    return this.compute?.opened ?? null;
  }

  get policyName(): string {
    return this.opened?.name ?? basename(resolve(this.options.slot.chosen.directory));
  }

  private get isToChange(): boolean {
    return this.change !== null;
  }

  start(): void {
    this.running = this.run();
  }

  /** Does what the run state says until it says stopped. */
  private async run(): Promise<void> {
    const { state } = this.options;
    for (;;) {
      const { name, reason } = state.machine();
      if (name === 'stopped') return;
      if (this.change) await this.carryOut(this.change);
      else if (name === 'starting') await this.bringUp();
      else if (name === 'training' || name === 'finishing') await this.oneRound();
      else if (name === 'waiting' && reason?.kind === 'computeRestarting') {
        await this.stateChange(reason.retryInMs);
        if (!this.isToChange && state.machine().reason === reason) await this.bringUp();
      } else if (name === 'waiting' && reason?.kind === 'tooFewGroups') await this.awaitGroups(reason);
      else await this.stateChange();
    }
  }

  /** Settles at the next change of state, or after `timeoutMs`. */
  private stateChange(timeoutMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = timeoutMs === undefined ? null : setTimeout(resolve, timeoutMs);
      this.wake = () => {
        if (timer) clearTimeout(timer);
        resolve();
      };
    });
  }

  private async bringUp(): Promise<void> {
    try {
      await this.openPolicy();
      this.options.state.dispatch({ type: 'computeReady' });
    } catch (error) {
      await this.failed(error);
    }
  }

  /** Starts the compute process and brings it to the last whole round of the policy. */
  private async openPolicy(): Promise<void> {
    const { slot, supervisor, ledger, practice, benefit, state, log } = this.options;
    const { directory } = await slot.open();
    if (this.options.imitation) await this.requireRoomForBridge(directory);
    const compute = await supervisor.start();
    if (!isComputing(state.machine())) supervisor.hold(); // paused while it started
    if (this.policyText?.directory !== directory) this.policyText = await readPolicyText(directory);
    await this.options.demonstrations.open();
    await this.failures.whileReplaying((maxTokens) => ledger.replay(compute.host, compute.opened, maxTokens));
    practice.restore(ledger.practised);
    benefit.restore(ledger.benefit);
    this.compute = compute;
    const { name, parameters, provider, decode, training } = compute.opened;
    log.info(`Policy ${name} (${(parameters / 1e6).toFixed(1)} M parameters) on ${provider}, round ${ledger.round}`);
    log.info(`Answers are sampled in ${decode.precision}. ${decode.reason}`);
    log.info(`Training is in ${training.precision}. ${training.reason}`);
  }

  /**
   * Trains another policy from now on. The round in progress is dropped, what was whole is saved, and the former policy goes on
   * where it was when it is chosen again. Settles when the new one is open; rejects when it cannot be opened, and then the former
   * one is trained on. One at a time.
   */
  async changePolicy(to: ChosenPolicy): Promise<void> {
    const done = Promise.withResolvers<null>();
    this.change = { to, done };
    // As in `end`: a cancel between two calls reaches neither.
    const cancelling = setInterval(() => this.options.supervisor.cancel(), CANCEL_INTERVAL_MS);
    this.stopCancelling = () => clearInterval(cancelling);
    this.wake();
    await done.promise;
  }

  private async carryOut({ to, done }: NonNullable<RunControl['change']>): Promise<void> {
    const { slot, supervisor, state, log } = this.options;
    this.stopCancelling();
    this.change = null;
    this.report('idle', 0, 0);
    const former = slot.chosen;
    try {
      await this.putDown();
    } catch (error) {
      done.reject(error);
      await this.failed(error);
      return;
    }
    try {
      await slot.moveTo(to);
      await this.openPolicy();
    } catch (error) {
      log.warn(`${asFault(error).message} The former policy is trained on.`);
      this.compute = null;
      await supervisor.stop();
      await slot.moveTo(former);
      state.dispatch({ type: 'computeStopped' });
      done.reject(error);
      return;
    }
    this.failures.clear();
    done.resolve(null);
    if (state.machine().name === 'error') state.dispatch({ type: 'resume' }); // what was wrong was the former policy's
    state.dispatch({ type: 'computeReady' });
  }

  /** Saves what is whole of the policy, and ends the compute process. @throws DiskFullError: nothing has changed then */
  private async putDown(): Promise<void> {
    const { ledger, supervisor, state } = this.options;
    await ledger.settle();
    await this.saveAll();
    this.compute = null;
    await supervisor.stop();
    state.dispatch({ type: 'computeStopped' });
  }

  private async oneRound(): Promise<void> {
    const { config, state, supervisor, ledger, benefit } = this.options;
    const { compute, policyText } = this;
    if (!compute || !policyText) {
      state.dispatch({ type: 'computeStopped' });
      return;
    }
    try {
      await ledger.settle();
      const scarce = this.allRoundsDone() ? null : this.tooFewGroups();
      if (scarce) {
        state.dispatch(scarce);
        return;
      }
      if (!this.allRoundsDone()) {
        await runRound(this.roundParts(compute, policyText), ledger.round + 1);
        supervisor.worked();
        this.failures.clear();
        const now = this.policyNow(compute, policyText);
        if (this.examiner.isDue(now.round)) await this.examiner.examine(now);
        // Not while somebody waits for the round to end.
        if (state.machine().name !== 'finishing') await benefit.afterRound(now);
        this.report('idle', 0, 0);
        state.dispatch({ type: 'roundEnded' });
      }
      if (this.allRoundsDone()) {
        await ledger.checkpoint(compute.host);
        this.roundsThisStart = 0;
        state.dispatch({ type: 'roundsDone', rounds: config.rounds });
      }
    } catch (error) {
      this.report('idle', 0, 0);
      await this.failed(error);
    }
  }

  /** A node that only trains begins a round with half of what it may draw: what waits in the pool for more grows old. */
  private tooFewGroups(): Extract<RunEvent, { type: 'tooFewGroups' }> | null {
    const { config, benefit, swarm } = this.options;
    if (config.role !== 'trains') return null;
    const wanted = Math.ceil(benefit.mix.peerGroups / 2);
    const have = countAdoptable(swarm.forRound(), { ...config, ...benefit.mix });
    return have < wanted ? { type: 'tooFewGroups', have, wanted } : null;
  }

  private async awaitGroups(reason: WaitReason): Promise<void> {
    const { state } = this.options;
    await this.stateChange(LOOK_FOR_GROUPS_MS);
    if (this.isToChange || state.machine().reason !== reason) return;
    state.dispatch(this.tooFewGroups() ?? { type: 'groupsArrived' });
  }

  /** After a whole round. */
  private policyNow({ host, opened }: { host: ComputeHost; opened: OpenedPolicy }, policy: PolicyText): PolicyNow {
    const { round, policyVersion: version } = this.options.ledger;
    return { compute: host, opened, policy, round, version, fits: roomFor(policy, opened) };
  }

  private allRoundsDone(): boolean {
    const { rounds } = this.options.config;
    return rounds > 0 && this.roundsThisStart >= rounds;
  }

  private roundParts(
    { host, opened }: { host: ComputeHost; opened: OpenedPolicy },
    policyText: PolicyText,
  ): RoundParts {
    const { config, seed, objectives, swarm, work, ledger, practice, benefit } = this.options;
    return {
      config: ratedFor(config, opened.adapter),
      seed,
      compute: host,
      policy: { ...policyText, contextTokens: opened.config.contextTokens, version: ledger.policyVersion },
      objectives,
      sharing: benefit.mix,
      tasks: (round) => (config.role === 'trains' ? [] : practice.tasks(round, roomFor(policyText, opened))),
      swarm: swarm.forRound(),
      bridge: this.bridgeParts({ host, opened }, policyText),
      report: this.report,
      passesShrank: (maxTokens, cause) => work.passesShrank(maxTokens, cause),
      commit: (result) => this.commit(result, host),
    };
  }

  /** @throws WaggleError `bridgeMemory` */
  private async requireRoomForBridge(directory: string): Promise<void> {
    const { supervisor, config, work, log } = this.options;
    await supervisor.stop(); // what a former process holds is free then
    const policyConfig = await readPolicyConfig(directory).catch(() => null); // opening it says best what is wrong
    if (policyConfig) log.info(requireRoomForBridge(policyConfig, config, work.freeBytes()));
  }

  private bridgeParts(
    { host: compute, opened }: { host: ComputeHost; opened: OpenedPolicy },
    policyText: PolicyText,
  ): BridgeParts | null {
    const { seed, imitation, demonstrations } = this.options;
    if (!imitation || !opened.bridge) return null;
    const policy = { ...policyText, contextTokens: opened.config.contextTokens };
    return {
      imitation,
      startedAt: opened.bridge.startedAt,
      demonstrations: (own, ownSurprise, round) => {
        const random = createRandom(seed, `demonstrations/${round}`);
        return demonstrations.choose({ compute, policy, own, ownSurprise, random });
      },
    };
  }

  private async commit(result: RoundResult, host: ComputeHost): Promise<void> {
    const { ledger, config, practice, benefit, demonstrations, recordOf } = this.options;
    this.roundsThisStart++;
    if (result.imitated) demonstrations.imitated(result.round, result.imitated);
    const kept = { practised: practice.learn(result.own), benefit: benefit.learn(result) };
    await ledger.commit({ ...result, ...kept }, () => recordOf(result));
    if (ledger.checkpointDue(config.checkpointSeconds * 1000)) await ledger.checkpoint(host);
  }

  private async failed(error: unknown): Promise<void> {
    if (!this.ending) await this.failures.failed(error);
  }

  /** Ends the compute process on purpose; it is started again, with what is chosen then, as soon as it is needed. */
  async releaseCompute(): Promise<void> {
    this.compute = null;
    await this.options.supervisor.stop();
    this.options.state.dispatch({ type: 'computeStopped' });
  }

  /** For the supervisor to call. */
  computeDied(exit: ComputeExit): void {
    this.failures.computeDied(exit);
  }

  /** For the state machine to call. */
  stateChanged(state: RunState, before: RunState): void {
    const { supervisor, trained, benefit, config } = this.options;
    if (isTraining(state) && config.role !== 'generates') trained.start();
    else trained.stop();
    if (state.name === 'finishing' && benefit.isComparing) {
      benefit.abandon();
      supervisor.cancel();
    }
    if (state.name === 'stopped') supervisor.cancel();
    else if (isComputing(state)) supervisor.release();
    else supervisor.hold();
    // A trainer that is quicker than its peers write waits every few rounds.
    const isScarcity = [state, before].some(({ reason }) => reason?.kind === 'tooFewGroups');
    if (state.name !== before.name) this.options.log[isScarcity ? 'debug' : 'info'](state.text);
    this.wake();
  }

  /** Ends a wait for room on the disk when there is some. */
  lookAtDisk(): Promise<void> {
    return this.failures.lookAtDisk();
  }

  /** Ends the round in progress, saves what is whole, and the compute process ends. Once. */
  async end(): Promise<void> {
    const { state, supervisor } = this.options;
    this.ending = true;
    this.stopCancelling();
    this.change?.done.reject(endedError());
    supervisor.refuseStarts();
    state.dispatch({ type: 'close' });
    // A cancel between two calls reaches neither: it is said until the round has ended.
    const cancelling = setInterval(() => supervisor.cancel(), CANCEL_INTERVAL_MS);
    await withDeadline(this.running, CLOSE_DEADLINE_MS);
    clearInterval(cancelling);
    await this.saveAll();
    await supervisor.stop();
  }

  /** What cannot be saved is said; the redo log holds it. */
  private async saveAll(): Promise<void> {
    const { ledger, log } = this.options;
    try {
      await ledger.settle();
      if (this.compute) await withDeadline(ledger.checkpoint(this.compute.host), CLOSE_DEADLINE_MS);
    } catch (error) {
      if (asFault(error).code === 'checkpointMidRound')
        log.info('The round in progress is left out; the redo log holds those since the last checkpoint');
      else
        log.error(
          'The last checkpoint could not be written; the redo log holds the rounds since the one before',
          error,
        );
    }
  }
}

async function readPolicyText(directory: string): Promise<PolicyText & { directory: string }> {
  return {
    directory,
    tokenizer: await loadTokenizer(directory),
    style: await promptStyleOf(directory),
    chat: await loadChatTemplate(directory),
  };
}

function endedError(): WaggleError {
  return new WaggleError({
    code: 'nodeEnding',
    message: 'The node is ending, so no other policy is opened',
    fix: 'Start it again and choose the policy then.',
  });
}

/** A task whose prompt would leave less than this many tokens of the context is not worth asking. */
const MIN_ANSWER_TOKENS = 16;

function roomFor(policy: PolicyText, { config }: OpenedPolicy): (instance: TaskInstance) => boolean {
  return (instance) => promptTokens(policy, instance).length + MIN_ANSWER_TOKENS <= config.contextTokens;
}

async function withDeadline(work: Promise<void>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
  await Promise.race([work, deadline]);
  clearTimeout(timer);
}
