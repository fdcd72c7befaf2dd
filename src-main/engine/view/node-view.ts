/**
 * What people see of the node: its status put together from the parts that know, its hardware, and when to tell those who
 * listen (seldom enough that a fast round costs nothing). Reads only; knows nothing of how a round is run.
 */
import { cpus } from 'node:os';
import type { OpenedPolicy } from '../../../native-models/runtime/compute-protocol.ts';
import type { ProviderVerdict } from '../../../native-models/runtime/provider-trial.ts';
import { appVersion } from '../../base/app-root.ts';
import { safeLine } from '../../base/sanitise-text.ts';
import type { Emitter } from '../../base/emitter.ts';
import type { Config } from '../../config.ts';
import type { Store } from '../../store/store.ts';
import type { Events, ExamRow, HardwareReport, NodeStatus, RoundStage, RunState, SwarmSummary } from '../api.ts';
import { withGpuName } from '../providers/kept-verdicts.ts';
import { readHardware, residentBytes, type MachineReport } from '../providers/hardware.ts';
import type { ProviderTrouble } from '../providers/provider-trouble.ts';
import { nodeStatus } from './node-status.ts';
import type { RoundLedger } from '../rounds/round-ledger.ts';
import type { TrainedTime } from '../run/trained-time.ts';

export interface NodeViewOptions {
  config: Config;
  store: Pick<Store, 'recentMean' | 'counters' | 'leaderboard'>;
  emitter: Emitter<Events>;
  ledger: Pick<RoundLedger, 'round' | 'policyVersion' | 'lastCheckpointAt'>;
  trained: Pick<TrainedTime, 'pendingMs'>;
  policyDirectory: () => string;
  dataDirectory: string;
  state: () => RunState;
  opened: () => OpenedPolicy | null;
  swarm: () => SwarmSummary;
  work: () => NodeStatus['work'];
  computePid: () => number | null;
  verdicts: () => readonly ProviderVerdict[];
  /** As others see it. */
  displayName: () => string;
  troubles: () => readonly ProviderTrouble[];
  /** Whether the providers are being tried. */
  trying: () => boolean;
}

const processorName = safeLine((cpus()[0]?.model ?? '').replace(/\((?:R|TM)\)/gi, ''), 100) || null;
const RECENT_ROUNDS = 20;
const STATUS_INTERVAL_MS = 250;
const ROLLOUT_EVENT_INTERVAL_MS = 1000;

export class NodeView {
  private readonly options: NodeViewOptions;
  private readonly startedAt = Date.now();
  private stage: RoundStage = 'idle';
  private memory: NodeStatus['memory'] = [];
  private statusTimer: NodeJS.Timeout | null = null;
  private rolloutsSentAt = 0;
  private machineReport: Promise<MachineReport> | null = null;
  /** Empty until the machine has been read. */
  private gpuNames: readonly string[] = [];
  private closed = false;

  constructor(options: NodeViewOptions) {
    this.options = options;
  }

  status(): NodeStatus {
    const { config, store, ledger, trained, policyDirectory, dataDirectory, state, opened, swarm } = this.options;
    const counters = store.counters();
    return nodeStatus({
      version: appVersion,
      state: state(),
      stage: this.stage,
      opened: opened(),
      adapter: this.adapter(),
      troubles: this.options.troubles(),
      policyDirectory: policyDirectory(),
      policyVersion: ledger.policyVersion,
      config,
      round: ledger.round,
      meanReward: store.recentMean('ownReward', RECENT_ROUNDS),
      recentRounds: RECENT_ROUNDS,
      tokensPerSecond: {
        generate: store.recentMean('generateTokensPerSecond', RECENT_ROUNDS),
        train: store.recentMean('trainTokensPerSecond', RECENT_ROUNDS),
      },
      counters,
      swarm: swarm(),
      startedAt: this.startedAt,
      now: Date.now(),
      memory: this.memory,
      lastCheckpointAt: ledger.lastCheckpointAt,
      dataDirectory,
      trainedMs: (counters.trainedMs ?? 0) + trained.pendingMs,
      displayName: this.options.displayName(),
      work: this.options.work(),
    });
  }

  /** What the provider in use runs on: as its trial found, else as the machine can only mean it. */
  private adapter(): string | null {
    const provider = this.options.opened()?.provider;
    if (provider === undefined) return null;
    const rows = this.options.verdicts().filter((row) => row.provider === provider);
    const tried = (rows.find((row) => row.verdict === 'used') ?? rows[0])?.adapter;
    if (tried !== undefined && tried !== null) return tried;
    if (provider === 'cpu') return processorName;
    const unnamed: Pick<ProviderVerdict, 'provider' | 'adapter' | 'verdict'> = {
      provider,
      adapter: null,
      verdict: 'used',
    };
    return withGpuName([unnamed], this.gpuNames)[0]?.adapter ?? null;
  }

  /** Tells listeners the status soon; many calls make one event. */
  changed(): void {
    if (this.statusTimer || this.closed) return;
    this.statusTimer = setTimeout(() => {
      this.statusTimer = null;
      if (this.options.emitter.count('status') > 0) this.tellStatus();
    }, STATUS_INTERVAL_MS);
  }

  tellStatus(): void {
    this.options.emitter.emit('status', this.status());
  }

  report(stage: RoundStage, done: number, total: number): void {
    const { emitter, ledger } = this.options;
    const changed = stage !== this.stage;
    this.stage = stage;
    if (stage === 'idle') return;
    emitter.emit('progress', { round: ledger.round + 1, stage, done, total });
    if (changed) this.changed();
  }

  recorded({ row, rollouts }: ReturnType<Store['recordRound']>): void {
    const { emitter, store } = this.options;
    emitter.emit('round', row);
    emitter.emit('leaderboard', store.leaderboard());
    if (Date.now() - this.rolloutsSentAt >= ROLLOUT_EVENT_INTERVAL_MS) {
      this.rolloutsSentAt = Date.now();
      emitter.emit('rollouts', rollouts);
    }
    this.changed();
  }

  examined(row: ExamRow): void {
    this.options.emitter.emit('exam', row);
  }

  /** Read once: it takes seconds, and runs vendors' tools. */
  machine(): Promise<MachineReport> {
    this.machineReport ??= readHardware().then((report) => {
      this.gpuNames = report.gpus.map(({ name }) => name);
      return report;
    });
    return this.machineReport;
  }

  async hardware(): Promise<HardwareReport> {
    const machine = await this.machine();
    return { ...machine, verdicts: [...this.options.verdicts()], trying: this.options.trying() };
  }

  /** Resident memory of the compute process as last measured. */
  get computeBytes(): number | null {
    return this.memory.find(({ process }) => process === 'compute')?.rssBytes ?? null;
  }

  async measureMemory(): Promise<void> {
    const pid = this.options.computePid();
    const resident = await residentBytes([process.pid, ...(pid === null ? [] : [pid])]);
    this.memory = [...resident].map(([id, rssBytes]) => ({
      process: id === process.pid ? ('node' as const) : ('compute' as const),
      pid: id,
      rssBytes,
    }));
    this.changed();
  }

  close(): void {
    this.closed = true;
    if (this.statusTimer) clearTimeout(this.statusTimer);
  }
}
