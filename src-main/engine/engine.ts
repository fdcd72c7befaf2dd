/**
 * The node: wires the parts and owns them. Every component gets functions and never holds the engine. Closed once, in the
 * reverse order of opening; whatever was opened is closed when a later part cannot start.
 *
 *     run-control   does what the run state says: compute process up, rounds, errors      loop   one round
 *     round-ledger  which rounds count: redo log, history, checkpoints                    node-view   what is shown
 */
import { forkCompute, type SpawnCompute } from '../../native-models/runtime/compute-host.ts';
import type { SpawnTrial } from '../../native-models/runtime/provider-trial.ts';
import { COLLECT_EVERY_MS, collectGarbageEvery } from '../base/collect-garbage.ts';
import { createEmitter, type Emitter } from '../base/emitter.ts';
import type { Log, Logger } from '../base/log.ts';
import type { Config } from '../config.ts';
import { createObjective } from '../objective/index.ts';
import type { Objective } from '../objective/objective.ts';
import { adapterRequestOf } from '../models/model-fit.ts';
import { chosenPolicy, type ChosenPolicy } from '../models/policy-choice.ts';
import { openStore, type RoundRecord, type Store } from '../store/store.ts';
import type { Identity } from '../swarm/identity/identity.ts';
import { openKeptIdentity, type KeptWhere } from '../swarm/identity/kept-identity.ts';
import { apiCalls } from './api-calls.ts';
import { BenefitMeter } from './benefit/benefit-meter.ts';
import type { CallName, Calls, Events, NodeApi } from './api.ts';
import { bundledPolicyDirectory } from './policy/bundled-policy.ts';
import { ComputeSupervisor } from './compute/compute-supervisor.ts';
import { openDataFolder, type DataFolder } from './data-folder.ts';
import { DemonstrationKeeper } from './rounds/demonstrations.ts';
import { IdentityDesk, type OwnerSeams } from './swarm/identity-desk.ts';
import type { RoundResult, SwarmPort } from './loop.ts';
import { ModelDesk } from './policy/model-desk.ts';
import { NodeView } from './view/node-view.ts';
import type { PolicyHome } from './policy/policy-home.ts';
import { PolicySlot } from './policy/policy-slot.ts';
import { OwnProfile } from './swarm/own-profile.ts';
import { Practice } from './rounds/practice.ts';
import { seedOfKey } from './rounds/task-stream.ts';
import { readCardMemory } from './providers/card-memory.ts';
import { ProviderChoice } from './providers/provider-choice.ts';
import { RoundLedger } from './rounds/round-ledger.ts';
import { roundRecord } from './rounds/round-record.ts';
import { RunControl } from './run/run-control.ts';
import { createRunState, type RunStateHolder } from './run/run-state.ts';
import { SwarmChoice } from './swarm/swarm-choice.ts';
import { NodeSwarm, practisedTaskSet } from './swarm/swarm-port.ts';
import { WorkFit } from './compute/work-fit.ts';
import { TrainedTime } from './run/trained-time.ts';
import { triedMachine } from './providers/tried-machine.ts';

export interface EngineOptions {
  config: Config;
  log: Log;
  /** How the compute process is made; plain Node forks. */
  spawnCompute?: SpawnCompute;
  /** How a process that tries one provider is made; plain Node forks. */
  spawnTrial?: SpawnTrial;
  /** Keyring, confirmation and restart, where a desktop shell is there to give them. */
  owner?: OwnerSeams;
  /** Where models are fetched from, by the variables of Hugging Face programs; this process's own if left out. */
  env?: NodeJS.ProcessEnv;
  /** Silence of the compute process that is fine whatever it works on; for tests. */
  silenceBaseMs?: number;
}
export interface Engine {
  api: NodeApi;
  /** Settles when the engine has ended, by `quit` or `close`. */
  closed: Promise<void>;
  power(event: 'suspend' | 'resume'): void;
  close(): Promise<void>;
}

const MEMORY_INTERVAL_MS = 2000;
const DISK_POLL_MS = 5000;

/** @throws WaggleError and its kin when the data folder, the key, the history or the bundled policy cannot be used. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const opened: (() => Promise<void> | void)[] = [];
  const own = <T>(part: T, close: (part: T) => Promise<void> | void): T => {
    opened.push(() => close(part));
    return part;
  };
  try {
    const { config, log } = options;
    own(collectGarbageEvery(COLLECT_EVERY_MS), (stop) => stop());
    const folder = own(await openDataFolder(config.dataDirectory), (f) => f.close());
    const { identity, kept } = await openKeptIdentity(folder.paths.identity, options.owner?.vault ?? null);
    if (kept.note !== null) log.for('engine').warn(`The identity stays in its file (mode 600). ${kept.note}`);
    const profile = await OwnProfile.open(folder.paths.profile, config);
    const store = own(
      openStore(folder.paths.history, { retention: retentionOf(config), warn: (m) => log.for('store').warn(m) }),
      (s) => s.close(),
    );
    const engine = new WaggleEngine(options, {
      folder,
      identity,
      kept,
      profile,
      store,
      policy: await chosenPolicy(config, bundledPolicyDirectory),
      taskSet: await practisedTaskSet(config, folder.paths.root),
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
  kept: KeptWhere;
  profile: OwnProfile;
  store: Store;
  policy: ChosenPolicy;
  /** Name of the set that is practised. */
  taskSet: string;
  close(): Promise<void>;
}

class WaggleEngine implements Engine {
  readonly api: NodeApi;
  readonly closed: Promise<void>;
  private readonly options: EngineOptions;
  private readonly parts: OwnedParts;
  private readonly log: Logger;
  private readonly emitter: Emitter<Events>;
  private readonly objectives: { own: Objective; peers: Objective };
  private readonly trained = new TrainedTime();
  private readonly state: RunStateHolder;
  private readonly swarm: NodeSwarm;
  private readonly swarms: SwarmChoice;
  private readonly providers: ProviderChoice;
  private readonly work: WorkFit;
  private readonly ledger: RoundLedger;
  private readonly slot: PolicySlot;
  private readonly models: ModelDesk;
  private readonly practice: Practice;
  private readonly demonstrations: DemonstrationKeeper;
  /** Of BRIDGE; null where rewards alone train the policy. */
  private readonly imitation: Objective | null;
  private readonly benefit: BenefitMeter;
  private readonly supervisor: ComputeSupervisor;
  private readonly control: RunControl;
  private readonly view: NodeView;
  private readonly timers = new Set<NodeJS.Timeout>();
  private settleClosed: () => void = () => undefined;
  private closing: Promise<void> | null = null;

  constructor(options: EngineOptions, parts: OwnedParts) {
    this.options = options;
    this.parts = parts;
    const { config, log } = options;
    this.log = log.for('engine');
    this.emitter = createEmitter<Events>((error, name) => this.log.error(`A listener of ${name} failed`, error));
    this.objectives = {
      own: createObjective(config.ownObjective, config),
      peers: createObjective(config.peerObjective, config),
    };
    this.state = createRunState({
      now: Date.now,
      role: config.role,
      onChange: (state, before) => {
        this.control.stateChanged(state, before);
        this.view.tellStatus();
      },
    });
    this.work = new WorkFit({
      config,
      log: log.for('compute'),
      freeCardBytes: async () => (await readCardMemory())?.freeBytes ?? null,
      onChange: () => this.view.changed(),
    });
    this.swarm = this.createSwarm();
    this.swarms = this.createSwarmChoice();
    this.providers = this.createProviders();
    this.ledger = new RoundLedger({
      store: parts.store,
      log: this.log,
      onRecorded: (recorded) => this.view.recorded(recorded),
    });
    this.slot = new PolicySlot({
      chosen: parts.policy,
      checkpointsRoot: parts.folder.paths.checkpoints,
      ledger: this.ledger,
      store: parts.store,
      log: this.log,
    });
    this.imitation = config.method === 'bridge' ? createObjective('sft', config) : null;
    this.demonstrations = new DemonstrationKeeper({
      config: this.work.config,
      path: parts.folder.paths.demonstrations,
      publicKey: parts.identity.publicKey,
      log: this.log,
    });
    this.practice = new Practice({ ...config, taskSet: parts.taskSet, seed: this.seed });
    this.benefit = this.createBenefitMeter();
    this.supervisor = this.createSupervisor();
    this.view = this.createView();
    this.control = this.createControl();
    this.models = this.createModels();
    this.closed = new Promise((resolve) => (this.settleClosed = resolve));
    this.api = this.createApi();
  }

  async open(): Promise<void> {
    const { log } = this.options;
    await this.swarm.open();
    log.subscribe((row) => this.emitter.emit('log', row));
    this.every(MEMORY_INTERVAL_MS, () => void this.view.measureMemory());
    this.every(DISK_POLL_MS, () => void this.control.lookAtDisk());
    this.control.start();
    await this.models.open();
  }

  power(event: 'suspend' | 'resume'): void {
    void this.swarm.power(event).catch((error: unknown) => this.log.error(`The swarm did not ${event}`, error));
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.providers.end();
    await this.models.close();
    await this.control.end();
    this.view.close();
    try {
      const { credits } = this.swarm.takeCredits();
      this.parts.store.creditPeers(credits);
      this.parts.store.addCounters({ trainedMs: this.trained.takeMs() });
    } catch (error) {
      this.log.error('What happened since the last round was not added to the history', error);
    }
    await this.swarm.close();
    await this.demonstrations.close();
    await this.slot.close();
    await this.parts.close();
    this.emitter.clear();
    this.settleClosed();
  }

  // --- wiring -----------------------------------------------------------------------------------------------------------

  private createSwarm(): NodeSwarm {
    const { config, log } = this.options;
    return new NodeSwarm({
      config,
      dataDirectory: this.parts.folder.paths.root,
      identity: this.parts.identity,
      policyName: () => this.control.policyName,
      profile: () => this.parts.profile.current(),
      currentRound: () => this.ledger.sharedRound(this.ledger.round),
      log: log.for('swarm'),
      onChange: () => this.view.changed(),
      onVerified: (group) => this.demonstrations.offer(group),
    });
  }

  private createSwarmChoice(): SwarmChoice {
    return new SwarmChoice({
      config: this.options.config,
      dataDirectory: this.parts.folder.paths.root,
      identity: this.parts.identity,
      onChosen: (taskSet) => {
        this.practice.choose(taskSet);
        this.log.info(`Changing over to another swarm; its tasks (${taskSet}) begin with the next round`);
        this.swarm
          .moveOver()
          .catch((error: unknown) => this.log.error('The other swarm could not be entered; training alone', error));
      },
    });
  }

  private createBenefitMeter(): BenefitMeter {
    return new BenefitMeter({
      config: this.work.config,
      seed: this.seed,
      objective: this.objectives.own,
      practice: this.practice,
      store: this.parts.store,
      report: (stage, done, total) => this.view.report(stage, done, total),
      onChange: () => {
        if (this.emitter.count('benefit') > 0) this.emitter.emit('benefit', this.benefit.report());
      },
      now: Date.now,
      log: this.log,
    });
  }

  private createIdentityDesk(): IdentityDesk {
    const { identity, kept, profile, folder } = this.parts;
    return new IdentityDesk({
      identity,
      kept,
      profile,
      path: folder.paths.identity,
      owner: this.options.owner ?? null,
      devices: () => this.swarm.board('all').find(({ own }) => own)?.devices ?? [],
      onRenamed: () => this.view.changed(),
    });
  }

  private createProviders(): ProviderChoice {
    const { config, log, spawnTrial } = this.options;
    return new ProviderChoice({
      wanted: config.provider,
      wantedDevice: config.providerDevice,
      path: this.parts.folder.paths.hardware,
      machine: async () => triedMachine(await this.view.machine()),
      ...(spawnTrial === undefined ? {} : { spawn: spawnTrial }),
      log: log.for('compute'),
    });
  }

  private createSupervisor(): ComputeSupervisor {
    const { config, log, spawnCompute, silenceBaseMs } = this.options;
    return new ComputeSupervisor({
      spawn: spawnCompute ?? forkCompute,
      policy: () => this.openedPolicy(),
      threads: config.cpuThreads,
      decodePrecision: config.decodePrecision,
      adapter: adapterRequestOf(config),
      bridge: config.method === 'bridge' ? { rank: config.bridgeRank } : null,
      target: () => this.providers.choose(),
      giveUp: (trouble) => this.providers.giveUp(trouble),
      ...(silenceBaseMs === undefined ? {} : { silenceBaseMs }),
      objectives: () => this.neededObjectives(),
      fit: (directory, provider) => this.work.prepare(directory, provider),
      log: log.for('compute'),
      onDied: (exit) => this.control.computeDied(exit),
    });
  }

  private createView(): NodeView {
    const { store, folder } = this.parts;
    return new NodeView({
      config: this.options.config,
      store,
      emitter: this.emitter,
      ledger: this.ledger,
      trained: this.trained,
      policyDirectory: () => this.slot.chosen.directory,
      dataDirectory: folder.paths.root,
      state: () => this.state.current(),
      opened: () => this.control.opened,
      swarm: () => this.swarm.summary(),
      work: () => this.work.status(),
      computePid: () => this.supervisor.pid,
      verdicts: () => this.providers.verdicts,
      displayName: () => this.parts.profile.current().displayName,
      troubles: () => this.providers.troubles,
      trying: () => this.providers.isTrying,
    });
  }

  private createModels(): ModelDesk {
    const { config, env = process.env } = this.options;
    return new ModelDesk({
      config,
      dataDirectory: this.parts.folder.paths.root,
      env,
      bundledDirectory: bundledPolicyDirectory,
      chosen: () => this.slot.chosen,
      changePolicy: (to) => this.control.changePolicy(to),
      store: this.parts.store,
      log: this.log,
      onActivity: (activity) => this.emitter.emit('models', activity),
      onChanged: () => {
        this.emitter.emit('policyChanged', { name: this.control.policyName });
        this.view.tellStatus();
      },
    });
  }

  private openedPolicy(): PolicyHome {
    const { home } = this.slot;
    if (home === null) throw new Error('The compute process is started after the policy is known');
    return home;
  }

  /** For one round, with its number as peers are told it. */
  private swarmForRound(): SwarmPort {
    const port = this.swarm.forRound();
    return { ...port, share: (groups, round) => port.share(groups, this.ledger.sharedRound(round)) };
  }

  private createControl(): RunControl {
    const { store, folder } = this.parts;
    return new RunControl({
      config: this.work.config,
      work: this.work,
      seed: this.seed,
      objectives: this.objectives,
      swarm: { forRound: () => this.swarmForRound() },
      state: this.state,
      supervisor: this.supervisor,
      ledger: this.ledger,
      practice: this.practice,
      benefit: this.benefit,
      demonstrations: this.demonstrations,
      imitation: this.imitation,
      store,
      trained: this.trained,
      slot: this.slot,
      dataDirectory: folder.paths.root,
      recordOf: (result) => this.recordOf(result),
      report: (stage, done, total) => this.view.report(stage, done, total),
      onExam: (row) => this.view.examined(row),
      log: this.log,
    });
  }

  /** Config seed, or one's own key, so that nodes practise different tasks. */
  private get seed(): string {
    const { seed } = this.options.config;
    return seed === 0 ? seedOfKey(this.parts.identity.publicKey) : seed.toString(16);
  }

  /** Those of the config, and those that logged rounds were trained with before the config was changed. */
  private neededObjectives(): Objective[] {
    const { own, peers } = this.objectives;
    const logged = new Set(this.ledger.loggedObjectives);
    const wanted = this.imitation ? [own, peers, this.imitation] : [own, peers];
    const others = [...logged].filter((name) => wanted.every((objective) => objective.name !== name));
    return [...wanted, ...others.map((name) => createObjective(name, this.options.config))];
  }

  private recordOf(result: RoundResult): RoundRecord {
    const taken = this.swarm.takeCredits();
    const summary = this.swarm.summary();
    const { record, warnings } = roundRecord(result, {
      publicKey: this.parts.identity.publicKey,
      policyName: this.control.policyName,
      role: this.options.config.role,
      at: Date.now(),
      objectives: this.objectives,
      peers: summary.peers,
      pooledGroups: summary.groupsPooled,
      admittedGroups: taken.admitted,
      rejectedRecords: taken.refused,
      computeBytes: this.view.computeBytes,
      nodeBytes: process.memoryUsage.rss(),
      policyVersion: this.ledger.policyVersion,
      credits: taken.credits,
      trainedMs: this.trained.takeMs(),
    });
    for (const warning of warnings) this.log.warn(warning);
    return record;
  }

  /** The compute process makes room first: it would distort the times, and may hold a card's memory. */
  private async tryProviders(): Promise<void> {
    await this.providers.again(this.control.releaseCompute());
    this.view.tellStatus();
  }

  private createApi(): NodeApi {
    const answers = apiCalls({
      config: this.options.config,
      store: this.parts.store,
      log: this.options.log,
      status: () => this.view.status(),
      hardware: () => this.view.hardware(),
      tryProviders: () => void this.tryProviders(),
      peers: () => this.swarm.peers(),
      board: (window) => this.swarm.board(window),
      receiptsOf: (peer, limit) => this.swarm.receiptsOf(peer, limit),
      ownScore: (window) => this.swarm.ownScore(window),
      swarms: this.swarms,
      identity: this.createIdentityDesk(),
      models: this.models,
      practice: () => this.practice.standings(),
      demonstrations: (limit) => this.demonstrations.report(limit),
      benefit: () => this.benefit.report(),
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

  private every(intervalMs: number, work: () => void): void {
    this.timers.add(setInterval(work, intervalMs));
  }
}
