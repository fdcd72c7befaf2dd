/**
 * What goes wrong in a run, turned into events of the state machine: wait for room on the disk, do less at once, start the compute process
 * anew, go over to another provider, or stop and say so. The one place that decides what an error means. Knows nothing of rounds.
 */
import { ComputeDiedError, describeExit, type ComputeExit } from '../../../native-models/runtime/compute-host.ts';
import { OUT_OF_MEMORY } from '../../../native-models/runtime/out-of-memory.ts';
import { freeBytesAt } from '../../base/atomic-file.ts';
import { asFault } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Config } from '../../config.ts';
import type { Store } from '../../store/store.ts';
import type { RoundStage } from '../api.ts';
import type { ComputeSupervisor } from '../compute/compute-supervisor.ts';
import { MemoryKill } from '../compute/memory-kill.ts';
import type { TroubleKind } from '../providers/provider-trouble.ts';
import type { RunStateHolder } from './run-state.ts';
import type { WorkFit } from '../compute/work-fit.ts';

export interface RunFailuresOptions {
  config: Config;
  state: RunStateHolder;
  supervisor: ComputeSupervisor;
  store: Pick<Store, 'addCounters'>;
  work: Pick<WorkFit, 'ranOut'>;
  dataDirectory: string;
  /** The compute process is of no more use, or gone. */
  onComputeLost: () => void;
  log: Logger;
}

/** Room for a checkpoint of the bundled policy and some history; less counts as still full. */
const DISK_RESUME_BYTES = 128 * 1024 * 1024;
const MAX_FAILURES = 5;

/** Faults of a call that another provider may not have. */
const providerFaults: Readonly<Record<string, TroubleKind>> = {
  computeFailed: 'failed',
  gradientNotFinite: 'notFinite',
  logitsNotFinite: 'notFinite',
};

export class RunFailures {
  private readonly options: RunFailuresOptions;
  /** In a row. */
  private failures = 0;
  private readonly memoryKill = new MemoryKill();
  /** Logged rounds are being trained again, in passes of at most so many tokens. */
  private replaying = false;
  private replayTokens = Infinity;
  /** What the compute process was last asked for. */
  stage: RoundStage = 'idle';

  constructor(options: RunFailuresOptions) {
    this.options = options;
  }

  /** What went wrong before was not what is wrong now. */
  clear(): void {
    this.failures = 0;
  }

  /** `work` trains logged rounds again, in passes of at most `maxTokens`: smaller ones where memory ran out in it before. */
  async whileReplaying(work: (maxTokens: number) => Promise<void>): Promise<void> {
    this.stage = 'train';
    this.replaying = true;
    await work(this.replayTokens);
    this.replaying = false;
    this.replayTokens = Infinity;
  }

  /** A death has been dispatched already, a cancelled call means that somebody wanted it. */
  async failed(error: unknown): Promise<void> {
    if (error instanceof ComputeDiedError) return;
    const { state, supervisor, dataDirectory, onComputeLost, log } = this.options;
    const { code, message, fix } = asFault(error);
    if (code === 'cancelled') return;
    if (code === 'diskFull') {
      log.error(`The disk is full (${message}); nothing is lost, training goes on when there is room`);
      const freeBytes = await freeBytesAt(dataDirectory).catch(() => 0);
      state.dispatch({ type: 'diskFull', path: dataDirectory, freeBytes });
      return;
    }
    if (code === OUT_OF_MEMORY && this.ranOut(message)) {
      onComputeLost();
      await supervisor.stop();
      state.dispatch({ type: 'computeStopped' }); // a new process goes on from the last whole round, with less to do at once
      return;
    }
    this.failures++;
    log.error(`${message} (${code})`);
    onComputeLost();
    const kind = Object.hasOwn(providerFaults, code) ? providerFaults[code] : undefined;
    const gaveUp = kind !== undefined && supervisor.callFailed(kind, message);
    await supervisor.stop();
    if (gaveUp) this.failures = 1;
    else if (code !== 'computeFailed' || this.failures >= MAX_FAILURES) {
      this.failures = 0;
      state.dispatch({ type: 'fault', code, message, fix });
      state.dispatch({ type: 'computeStopped' });
      return;
    }
    const retryInMs = 1000 * 2 ** this.failures;
    state.dispatch({ type: 'computeDied', attempt: this.failures, retryInMs, detail: message });
  }

  /** For the supervisor to call. */
  computeDied(exit: ComputeExit): void {
    const { state, supervisor, store, onComputeLost, log } = this.options;
    const detail = describeExit(exit);
    onComputeLost();
    if (this.memoryKill.explains(exit)) this.ranOut('The compute process ran out of memory');
    const { attempt, retryInMs } = supervisor.retry;
    log.warn(
      `The compute process ended (${detail}); attempt ${attempt} to restart it in ${retryInMs / 1000} s, from the last whole round`,
    );
    try {
      store.addCounters({ computeRestarts: 1 });
    } catch (error) {
      log.error('The restart was not counted', error);
    }
    state.dispatch({ type: 'computeDied', attempt, retryInMs, detail });
  }

  /** Ends a wait for room on the disk when there is some. */
  async lookAtDisk(): Promise<void> {
    const { state, dataDirectory } = this.options;
    if (state.machine().reason?.kind !== 'diskFull') return;
    const free = await freeBytesAt(dataDirectory).catch(() => 0);
    if (free >= DISK_RESUME_BYTES) state.dispatch({ type: 'diskFreed' });
  }

  /** Makes the work smaller for the next start; false where that is not possible. */
  private ranOut(cause: string): boolean {
    const { work, config } = this.options;
    const isSmaller = work.ranOut(this.stage, cause);
    if (this.replaying) this.replayTokens = config.microBatchTokens;
    return isSmaller;
  }
}
