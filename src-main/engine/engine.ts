/**
 * The node: wires the parts, owns them, and runs rounds as the run state allows. Every component gets functions and never holds
 * the engine. Closed once, in the reverse order of opening; whatever was opened is closed when a later part cannot start.
 *
 * Durability: a round counts once it is in the redo log; a checkpoint (weights, optimiser, round) is written every
 * `checkpointSeconds` and empties the log. After a crash of either process: checkpoint + log = the last whole round.
 */
import { basename, join, resolve } from 'node:path';
import {
  ComputeDiedError,
  forkCompute,
  type ComputeHost,
  type SpawnCompute,
} from '../../native-models/runtime/compute-host.ts';
import type { OpenedPolicy } from '../../native-models/runtime/compute-protocol.ts';
import type { SpawnTrial } from '../../native-models/runtime/provider-trial.ts';
import { loadTokenizer } from '../../native-models/text/tokenizer.ts';
import { appVersion } from '../base/app-root.ts';
import { asDiskFull, freeBytesAt } from '../base/atomic-file.ts';
import { createEmitter } from '../base/emitter.ts';
import { toApiFault, WaggleError, type Fault } from '../base/errors.ts';
import type { Log, Logger } from '../base/log.ts';
import type { Config } from '../config.ts';
import { createObjective } from '../objective/index.ts';
import type { Objective } from '../objective/objective.ts';
import type { PolicyText } from '../rollout/rollout.ts';
import { finiteMetrics } from '../stats/metrics.ts';
import { openStore, type RoundRecord, type Store } from '../store/store.ts';
import { openIdentity, type Identity } from '../swarm/identity.ts';
import { executePlan, type TrainPlan } from '../train/train-round.ts';
import { RedoLog } from '../train/redo-log.ts';
import { apiCalls } from './api-calls.ts';
import type { CallName, Calls, Events, HardwareReport, NodeApi, NodeStatus, RoundStage, RunState } from './api.ts';
import { bundledPolicyDirectory, promptStyleOf } from './bundled-policy.ts';
import { ComputeSupervisor } from './compute-supervisor.ts';
import { openDataFolder, type DataFolder } from './data-folder.ts';
import { readHardware, residentBytes, type MachineReport } from './hardware.ts';
import { runRound, type RoundParts, type RoundResult } from './loop.ts';
import { nodeStatus } from './node-status.ts';
import { ProviderChoice } from './provider-choice.ts';
import { generatedTokens, roundMetrics, roundRollouts, roundSeconds, type RoundSurroundings } from './round-record.ts';
import { createRunState, type RunStateHolder } from './run-state.ts';
import { NodeSwarm } from './swarm-port.ts';
import { roundTasks } from './task-stream.ts';

export interface EngineOptions {
  config: Config;
  log: Log;
  /** How the compute process is made; plain Node forks. */
  spawnCompute?: SpawnCompute;
  /** How a process that tries one provider is made; plain Node forks. */
  spawnTrial?: SpawnTrial;
}
export interface Engine {
  api: NodeApi;
  /** Settles when the engine has ended, by `quit` or `close`. */
  closed: Promise<void>;
  power(event: 'suspend' | 'resume'): void;
  close(): Promise<void>;
}

/** One logged round; null where there was nothing to train on. */
interface RedoEntry {
  round: number;
  /** Name of the policy that was trained. */
  policy: string;
  plan: TrainPlan | null;
}

/** A round that is trained but not yet durable: it stays in memory until there is room on the disk. */
interface UnsettledRound {
  entry: RedoEntry;
  logged: boolean;
  record: RoundRecord;
}

const RECENT_ROUNDS = 20;
const STATUS_INTERVAL_MS = 250;
const ROLLOUT_EVENT_INTERVAL_MS = 1000;
const MEMORY_INTERVAL_MS = 2000;
const DISK_POLL_MS = 5000;
/** Room for a checkpoint of the bundled policy and some history; less counts as still full. */
const DISK_RESUME_BYTES = 128 * 1024 * 1024;
const CLOSE_DEADLINE_MS = 10_000;
const CANCEL_INTERVAL_MS = 50;
const MAX_FAILURES = 5;

/** @throws WaggleError and its kin when the data folder, the key, the history or the bundled policy cannot be used. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const opened: (() => Promise<void> | void)[] = [];
  const own = <T>(part: T, close: (part: T) => Promise<void> | void): T => {
    opened.push(() => close(part));
    return part;
  };
  try {
    const { config, log } = options;
    const folder = own(await openDataFolder(config.dataDirectory), (f) => f.close());
    const identity = await openIdentity(folder.paths.identity);
    const store = own(
      openStore(folder.paths.history, { retention: retentionOf(config), warn: (m) => log.for('store').warn(m) }),
      (s) => s.close(),
    );
    const policyDirectory = config.policyDirectory === '' ? bundledPolicyDirectory() : config.policyDirectory;
    const redo = await RedoLog.open<RedoEntry>(join(folder.paths.checkpoints, 'redo.log'));
    own(redo.log, (l) => l.close());
    if (redo.damagedBytes > 0)
      log
        .for('engine')
        .warn(`The last ${redo.damagedBytes} bytes of the redo log were damaged; what they held is trained anew`);
    const engine = new WaggleEngine(options, {
      folder,
      identity,
      store,
      policyDirectory,
      redo: redo.log,
      entries: redo.entries,
      close: () => closeAll(opened),
    });
    await engine.open();
    return engine;
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function closeAll(opened: (() => Promise<void> | void)[]): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

function retentionOf(config: Config) {
  return { rounds: config.retentionRounds, bytes: config.retentionMegabytes * 1024 * 1024 };
}

interface OwnedParts {
  folder: DataFolder;
  identity: Identity;
  store: Store;
  policyDirectory: string;
  redo: RedoLog<RedoEntry>;
  entries: RedoEntry[];
  close(): Promise<void>;
}

class WaggleEngine implements Engine {
  readonly api: NodeApi;
  readonly closed: Promise<void>;
  private readonly options: EngineOptions;
  private readonly parts: OwnedParts;
  private readonly log: Logger;
  private readonly emitter;
  private readonly state: RunStateHolder;
  private readonly swarm: NodeSwarm;
  private readonly supervisor: ComputeSupervisor;
  private readonly providers: ProviderChoice;
  private readonly objectives;
  private readonly startedAt = Date.now();
  private readonly timers = new Set<NodeJS.Timeout>();
  private settleClosed: () => void = () => undefined;
  private wake: () => void = () => undefined;
  private closing: Promise<void> | null = null;
  private running: Promise<void> = Promise.resolve();

  private compute: { host: ComputeHost; opened: OpenedPolicy } | null = null;
  private policyText: PolicyText | null = null;
  private policyVersion = 0;
  private round = 0;
  private roundsThisStart = 0;
  private failures = 0;
  private stage: RoundStage = 'idle';
  private trainingSince: number | null = null;
  private unsavedTrainedMs = 0;
  private lastCheckpointAt: number | null = null;
  private checkpointRound = 0;
  private unsettled: UnsettledRound | null = null;
  private memory: NodeStatus['memory'] = [];
  private statusTimer: NodeJS.Timeout | null = null;
  private rolloutsSentAt = 0;
  private hardwareReport: Promise<MachineReport> | null = null;

  constructor(options: EngineOptions, parts: OwnedParts) {
    this.options = options;
    this.parts = parts;
    const { config, log } = options;
    this.log = log.for('engine');
    this.emitter = createEmitter<Events>((error, name) => this.log.error(`A listener of ${name} failed`, error));
    this.state = createRunState({ now: Date.now, onChange: (state, before) => this.onStateChange(state, before) });
    this.objectives = {
      own: createObjective(config.ownObjective, config),
      peers: createObjective(config.peerObjective, config),
    };
    this.swarm = new NodeSwarm({
      config,
      identity: parts.identity,
      policyName: () => this.policyName,
      currentRound: () => this.round,
      log: log.for('swarm'),
      onChange: () => this.statusChanged(),
    });
    this.providers = new ProviderChoice({
      wanted: config.provider,
      path: parts.folder.paths.hardware,
      machineKey: () => this.machineKey(),
      gpuNames: async () => (await this.machine()).gpus.map(({ name }) => name),
      ...(options.spawnTrial === undefined ? {} : { spawn: options.spawnTrial }),
      log: log.for('compute'),
    });
    this.supervisor = new ComputeSupervisor({
      spawn: options.spawnCompute ?? forkCompute,
      policyDirectory: parts.policyDirectory,
      checkpointDirectory: parts.folder.paths.checkpoints,
      threads: config.cpuThreads,
      provider: () => this.providers.choose(),
      objectives: () => this.neededObjectives(),
      log: log.for('compute'),
      onDied: (detail) => this.onComputeDied(detail),
    });
    this.closed = new Promise((resolve) => (this.settleClosed = resolve));
    this.api = this.createApi();
  }

  async open(): Promise<void> {
    const { log } = this.options;
    await this.swarm.open();
    log.subscribe((row) => this.emitter.emit('log', row));
    this.every(MEMORY_INTERVAL_MS, () => void this.measureMemory());
    this.every(DISK_POLL_MS, () => void this.pollDisk());
    this.running = this.run();
  }

  power(event: 'suspend' | 'resume'): void {
    void this.swarm.power(event).catch((error: unknown) => this.log.error(`The swarm did not ${event}`, error));
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  // --- the life of a node ---------------------------------------------------------------------------------------------

  /** Does what the run state says until it says stopped. */
  private async run(): Promise<void> {
    for (;;) {
      const { name, reason } = this.state.machine();
      if (name === 'stopped') return;
      if (name === 'starting') await this.bringUp();
      else if (name === 'training' || name === 'finishing') await this.oneRound();
      else if (name === 'waiting' && reason?.kind === 'computeRestarting') {
        await this.stateChange(reason.retryInMs);
        if (this.state.machine().reason === reason) await this.bringUp();
      } else await this.stateChange();
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

  /** Starts the compute process and brings it to the last whole round. */
  private async bringUp(): Promise<void> {
    try {
      this.policyText ??= {
        tokenizer: await loadTokenizer(this.parts.policyDirectory),
        style: await promptStyleOf(this.parts.policyDirectory),
      };
      const compute = await this.supervisor.start();
      if (!computes(this.state.machine())) this.supervisor.hold(); // paused while it started
      await this.replay(compute);
      this.compute = compute;
      const { name, parameters } = compute.opened;
      this.log.info(
        `Policy ${name} (${(parameters / 1e6).toFixed(1)} M parameters) on ${compute.opened.provider}, round ${this.round}`,
      );
      this.state.dispatch({ type: 'computeReady' });
    } catch (error) {
      await this.failed(error);
    }
  }

  /** Those of the config, and those that logged rounds were trained with before the config was changed. */
  private neededObjectives(): Objective[] {
    const { own, peers } = this.objectives;
    const logged = this.parts.entries.flatMap(({ plan }) => plan?.parts.map(({ objective }) => objective) ?? []);
    const others = [...new Set(logged)].filter((name) => name !== own.name && name !== peers.name);
    return [own, peers, ...others.map((name) => createObjective(name, this.options.config))];
  }

  /** Checkpoint, then every logged round after it: the same training again. */
  private async replay({ host, opened }: { host: ComputeHost; opened: OpenedPolicy }): Promise<void> {
    const saved = Number(opened.state?.round ?? 0);
    this.round = saved;
    this.checkpointRound = saved;
    this.policyVersion = opened.version;
    const entries = await this.roundsAfter(saved, opened);
    if (entries.length > 0)
      this.log.info(`Doing the training of ${entries.length} rounds since the last checkpoint again`);
    for (const { round, plan } of entries) {
      if (plan) this.policyVersion = (await executePlan(host, plan)).policyVersion;
      this.round = round;
    }
    this.parts.store.rewindTo(this.round);
  }

  /** The logged rounds that follow the checkpoint without a gap; what does not is forgotten, and the log with it. */
  private async roundsAfter(saved: number, { name, state }: OpenedPolicy): Promise<RedoEntry[]> {
    const after = this.parts.entries.filter((entry) => entry.round > saved);
    const other = after.find(({ policy }) => policy !== name);
    if (other) {
      throw new WaggleError({
        code: 'foreign',
        message: `This data folder holds rounds of the policy "${other.policy}", the policy opened is "${name}"`,
        fix: 'Start with the policy this data folder was made with (--policy-directory), or give this one a data folder of its own with --data.',
      });
    }
    const gap = after.findIndex((entry, i) => entry.round !== saved + 1 + i);
    const entries = gap < 0 ? after : after.slice(0, gap);
    if (gap >= 0) {
      const from = state ? `the checkpoint of round ${saved}` : 'the base policy';
      this.log.warn(`${after.length - gap} logged rounds do not follow ${from}; they are left out`);
      await this.parts.redo.clear();
      for (const entry of entries) await this.parts.redo.append(entry);
    }
    this.parts.entries.splice(0, Infinity, ...entries);
    return entries;
  }

  private async oneRound(): Promise<void> {
    const { compute, policyText } = this;
    if (!compute || !policyText) {
      this.state.dispatch({ type: 'computeStopped' });
      return;
    }
    try {
      await this.settle();
      if (!this.allRoundsDone()) {
        await runRound(this.roundParts(compute, policyText), this.round + 1);
        this.supervisor.worked();
        this.failures = 0;
        this.stage = 'idle';
        this.state.dispatch({ type: 'roundEnded' });
      }
      if (this.allRoundsDone()) {
        await this.checkpoint();
        this.roundsThisStart = 0;
        this.state.dispatch({ type: 'roundsDone', rounds: this.options.config.rounds });
      }
    } catch (error) {
      this.stage = 'idle';
      await this.failed(error);
    }
  }

  private allRoundsDone(): boolean {
    const { rounds } = this.options.config;
    return rounds > 0 && this.roundsThisStart >= rounds;
  }

  private roundParts(
    { host, opened }: { host: ComputeHost; opened: OpenedPolicy },
    policyText: PolicyText,
  ): RoundParts {
    const { config } = this.options;
    return {
      config,
      seed: this.seed(),
      compute: host,
      policy: { ...policyText, contextTokens: opened.config.contextTokens, version: this.policyVersion },
      objectives: this.objectives,
      tasks: (round) => roundTasks(config.taskSet, this.seed(), round, config.promptsPerRound),
      swarm: this.swarm,
      report: (stage, done, total) => this.report(stage, done, total),
      commit: (result) => this.commit(result),
    };
  }

  /** Config seed, or one's own key, so that nodes practise different tasks. */
  private seed(): string {
    const { seed } = this.options.config;
    return seed === 0 ? this.parts.identity.publicKey.slice(0, 15) : seed.toString(16);
  }

  /** The round exists from here on: redo log first, then the history, then a checkpoint when one is due. */
  private async commit(result: RoundResult): Promise<void> {
    const entry: RedoEntry = { round: result.round, policy: this.policyName, plan: result.plan };
    this.parts.entries.push(entry);
    this.round = result.round;
    this.roundsThisStart++;
    if (result.outcome) this.policyVersion = result.outcome.policyVersion;
    this.unsettled = { entry, logged: false, record: this.recordOf(result) };
    await this.settle();
    const due = this.options.config.checkpointSeconds * 1000;
    if (Date.now() - (this.lastCheckpointAt ?? this.startedAt) >= due) await this.checkpoint();
  }

  /** Writes what is not yet durable. After a full disk it is tried again before anything else is trained. */
  private async settle(): Promise<void> {
    const { unsettled } = this;
    if (!unsettled) return;
    if (!unsettled.logged) {
      await this.parts.redo.append(unsettled.entry).catch(async (error: unknown) => {
        throw await asDiskFull(error, this.parts.folder.paths.checkpoints);
      });
      unsettled.logged = true;
    }
    const recorded = this.parts.store.recordRound(unsettled.record);
    this.unsettled = null;
    this.emitter.emit('round', recorded.row);
    this.emitter.emit('leaderboard', this.parts.store.leaderboard());
    if (Date.now() - this.rolloutsSentAt >= ROLLOUT_EVENT_INTERVAL_MS) {
      this.rolloutsSentAt = Date.now();
      this.emitter.emit('rollouts', recorded.rollouts);
    }
    this.statusChanged();
  }

  private async checkpoint(): Promise<void> {
    if (!this.compute || this.round === this.checkpointRound) return;
    const round = this.round;
    await this.compute.host.call('save', { state: { round }, version: this.policyVersion });
    this.checkpointRound = round;
    this.lastCheckpointAt = Date.now();
    this.parts.entries.splice(0);
    if (this.unsettled) this.unsettled.logged = true; // the checkpoint holds it
    await this.parts.redo.clear();
  }

  private get policyName(): string {
    return this.compute?.opened.name ?? basename(resolve(this.parts.policyDirectory));
  }

  private recordOf(result: RoundResult): RoundRecord {
    const taken = this.swarm.takeCredits();
    const summary = this.swarm.summary();
    const around: RoundSurroundings = {
      publicKey: this.parts.identity.publicKey,
      policyName: this.policyName,
      at: Date.now(),
      objectives: this.objectives,
      peers: summary.peers,
      pooledGroups: summary.groupsPooled,
      admittedGroups: taken.admitted,
      rejectedRecords: taken.refused,
      computeBytes: this.memory.find(({ process }) => process === 'compute')?.rssBytes ?? null,
      nodeBytes: process.memoryUsage.rss(),
    };
    const { metrics, dropped } = finiteMetrics(roundMetrics(result, around));
    if (dropped.length > 0) this.log.warn(`Round ${result.round}: not finite: ${dropped.join(', ')}`);
    if (result.outcome && result.outcome.skippedSteps > 0)
      this.log.warn(`Round ${result.round}: the gradient was not finite, the step was left out`);
    return {
      round: {
        round: result.round,
        finishedAt: around.at,
        seconds: roundSeconds(result),
        policyVersion: this.policyVersion,
        metrics,
      },
      rollouts: roundRollouts(result, around),
      peers: taken.credits,
      counters: {
        generatedTokens: generatedTokens(result),
        trainedTokens: result.outcome?.tokens ?? 0,
        groupsShared: result.shared,
        groupsAdopted: result.adopted.length,
        trainedMs: this.takeTrainedMs(),
      },
    };
  }

  /** What an error means for the run state. A death has been dispatched already, a cancelled call means that somebody wanted it. */
  private async failed(error: unknown): Promise<void> {
    if (error instanceof ComputeDiedError || this.closing) return;
    const { code, message, fix } = faultOf(error);
    if (code === 'cancelled') return;
    if (code === 'diskFull') {
      const path = this.parts.folder.paths.root;
      this.log.error(`The disk is full (${message}); nothing is lost, training goes on when there is room`);
      this.state.dispatch({ type: 'diskFull', path, freeBytes: await freeBytesAt(path).catch(() => 0) });
      return;
    }
    this.failures++;
    this.log.error(`${message} (${code})`);
    // The process lives, but perhaps in the middle of a round: a fresh one is the only known good state.
    this.compute = null;
    await this.supervisor.stop();
    if (code !== 'computeFailed' || this.failures >= MAX_FAILURES) {
      this.failures = 0;
      this.state.dispatch({ type: 'fault', code, message, fix });
      this.state.dispatch({ type: 'computeStopped' });
      return;
    }
    const retryInMs = 1000 * 2 ** this.failures;
    this.state.dispatch({ type: 'computeDied', attempt: this.failures, retryInMs, detail: message });
  }

  private onComputeDied({ code, signal }: { code: number | null; signal: string | null }): void {
    const detail = signal ? `signal ${signal}` : `exit code ${code ?? 'unknown'}`;
    this.compute = null;
    const { attempt, retryInMs } = this.supervisor.retry;
    this.log.warn(
      `The compute process ended (${detail}); attempt ${attempt} to restart it in ${retryInMs / 1000} s, from the last whole round`,
    );
    try {
      this.parts.store.addCounters({ computeRestarts: 1 });
    } catch (error) {
      this.log.error('The restart was not counted', error);
    }
    this.state.dispatch({ type: 'computeDied', attempt, retryInMs, detail });
  }

  private onStateChange(state: RunState, before: RunState): void {
    if (trains(state) && !trains(before)) this.trainingSince = Date.now();
    if (!trains(state) && trains(before)) {
      this.unsavedTrainedMs += Date.now() - (this.trainingSince ?? Date.now());
      this.trainingSince = null;
    }
    if (state.name === 'stopped') this.supervisor.cancel();
    else if (computes(state)) this.supervisor.release();
    else this.supervisor.hold();
    if (state.name !== before.name) this.log.info(state.text);
    this.emitter.emit('status', this.status());
    this.wake();
  }

  private async shutDown(): Promise<void> {
    this.state.dispatch({ type: 'close' });
    for (const timer of this.timers) clearInterval(timer);
    if (this.statusTimer) clearTimeout(this.statusTimer);
    // A cancel between two calls reaches neither: it is said until the round has ended.
    const cancelling = setInterval(() => this.supervisor.cancel(), CANCEL_INTERVAL_MS);
    await withDeadline(this.running, CLOSE_DEADLINE_MS);
    clearInterval(cancelling);
    try {
      await this.settle();
      if (this.compute) await withDeadline(this.checkpoint(), CLOSE_DEADLINE_MS);
      const { credits } = this.swarm.takeCredits();
      this.parts.store.creditPeers(credits);
      this.parts.store.addCounters({ trainedMs: this.takeTrainedMs() });
    } catch (error) {
      if (faultOf(error).code === 'checkpointMidRound')
        this.log.info('The round in progress is left out; the redo log holds those since the last checkpoint');
      else
        this.log.error(
          'The last checkpoint could not be written; the redo log holds the rounds since the one before',
          error,
        );
    }
    await this.supervisor.stop();
    await this.swarm.close();
    await this.parts.close();
    this.emitter.clear();
    this.settleClosed();
  }

  // --- what is shown ----------------------------------------------------------------------------------------------------

  private createApi(): NodeApi {
    const answers = apiCalls({
      config: this.options.config,
      store: this.parts.store,
      log: this.options.log,
      status: () => this.status(),
      hardware: () => this.hardware(),
      peers: () => this.swarm.peers(),
      pause: () => this.state.dispatch({ type: 'pause' }),
      resume: () => this.state.dispatch({ type: 'resume' }),
      finish: () => this.state.dispatch({ type: 'finish' }),
      quit: () => void setTimeout(() => void this.close(), 50),
    });
    return {
      invoke: async <K extends CallName>(name: K, args: Calls[K]['args']) => answers[name](args),
      subscribe: (name, listener) => this.emitter.on(name, listener),
    };
  }

  private status(): NodeStatus {
    const { store, folder, policyDirectory } = this.parts;
    return nodeStatus({
      version: appVersion,
      state: this.state.current(),
      stage: this.stage,
      opened: this.compute?.opened ?? null,
      policyDirectory,
      policyVersion: this.policyVersion,
      config: this.options.config,
      round: this.round,
      meanReward: store.recentMean('ownReward', RECENT_ROUNDS),
      recentRounds: RECENT_ROUNDS,
      tokensPerSecond: {
        generate: store.recentMean('generateTokensPerSecond', RECENT_ROUNDS),
        train: store.recentMean('trainTokensPerSecond', RECENT_ROUNDS),
      },
      counters: store.counters(),
      swarm: this.swarm.summary(),
      startedAt: this.startedAt,
      now: Date.now(),
      memory: this.memory,
      lastCheckpointAt: this.lastCheckpointAt,
      dataDirectory: folder.paths.root,
      trainedMs:
        (store.counters().trainedMs ?? 0) +
        this.unsavedTrainedMs +
        (this.trainingSince === null ? 0 : Date.now() - this.trainingSince),
    });
  }

  private async hardware(): Promise<HardwareReport> {
    return { ...(await this.machine()), verdicts: [...this.providers.verdicts] };
  }

  /** Read once: it takes seconds, and runs vendors' tools. */
  private machine(): Promise<MachineReport> {
    return (this.hardwareReport ??= readHardware());
  }

  private async machineKey(): Promise<string> {
    const { gpus, os } = await this.machine();
    return JSON.stringify([appVersion, os, gpus.map(({ name, driver }) => [name, driver])]);
  }

  private report(stage: RoundStage, done: number, total: number): void {
    const changed = stage !== this.stage;
    this.stage = stage;
    this.emitter.emit('progress', { round: this.round + 1, stage, done, total });
    if (changed) this.statusChanged();
  }

  private statusChanged(): void {
    if (this.statusTimer || this.closing) return;
    this.statusTimer = setTimeout(() => {
      this.statusTimer = null;
      if (this.emitter.count('status') > 0) this.emitter.emit('status', this.status());
    }, STATUS_INTERVAL_MS);
  }

  private takeTrainedMs(): number {
    const now = Date.now();
    const trained = this.unsavedTrainedMs + (this.trainingSince === null ? 0 : now - this.trainingSince);
    this.unsavedTrainedMs = 0;
    if (this.trainingSince !== null) this.trainingSince = now;
    return trained;
  }

  private async measureMemory(): Promise<void> {
    const { pid } = this.supervisor;
    const resident = await residentBytes([process.pid, ...(pid === null ? [] : [pid])]);
    this.memory = [...resident].map(([id, rssBytes]) => ({
      process: id === process.pid ? ('node' as const) : ('compute' as const),
      pid: id,
      rssBytes,
    }));
    this.statusChanged();
  }

  private async pollDisk(): Promise<void> {
    if (this.state.machine().reason?.kind !== 'diskFull') return;
    const free = await freeBytesAt(this.parts.folder.paths.root).catch(() => 0);
    if (free < DISK_RESUME_BYTES) return;
    this.state.dispatch({ type: 'diskFreed' });
  }

  private every(intervalMs: number, work: () => void): void {
    this.timers.add(setInterval(work, intervalMs));
  }
}

type Standing = Pick<RunState, 'name' | 'reason'>;

const trains = ({ name }: Standing): boolean => name === 'training' || name === 'finishing';
/** Whether the compute process may compute: training, and doing logged rounds again. */
const computes = (standing: Standing): boolean =>
  trains(standing) || standing.name === 'starting' || standing.reason?.kind === 'computeRestarting';

async function withDeadline(work: Promise<void>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
  await Promise.race([work, deadline]);
  clearTimeout(timer);
}

/** Errors of native-models carry code and fix without sharing our class. */
function faultOf(error: unknown): Fault {
  const { code, message, fix } = error as Partial<Fault>;
  return typeof code === 'string' && typeof message === 'string' && typeof fix === 'string'
    ? { code, message, fix }
    : toApiFault(error);
}
