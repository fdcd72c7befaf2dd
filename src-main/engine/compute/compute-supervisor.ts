/**
 * Keeps one compute process with the policy opened: starts it, restarts it with back-off and says why. The engine tells it to
 * hold, release or end. Knows nothing of rounds.
 *
 * Back-off: 1, 2, 4 .. 60 s; a finished round sets it back. A provider on which it keeps failing is given up
 * (provider-trouble.ts); the next start takes what is chosen then, the CPU last.
 */
import {
  ComputeError,
  ComputeHost,
  describeExit,
  type ComputeExit,
  type SpawnCompute,
} from '../../../native-models/runtime/compute-host.ts';
import type { OpenedPolicy } from '../../../native-models/runtime/compute-protocol.ts';
import type { DecodePrecisionRequest } from '../../../native-models/runtime/precision.ts';
import { loweringFor, type ComputeTarget, type ProviderName } from '../../../native-models/runtime/provider.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import type { AdapterRequest } from '../../../native-models/policy/adapter.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import type { Logger } from '../../base/log.ts';
import type { Objective } from '../../objective/objective.ts';
import type { PolicyHome } from '../policy/policy-home.ts';
import type { FittedWork } from './work-fit.ts';
import { FailureCount, type ProviderTrouble, type TroubleKind } from '../providers/provider-trouble.ts';

export interface ComputeSupervisorOptions {
  spawn: SpawnCompute;
  /** Asked at every start. */
  policy: () => Pick<PolicyHome, 'directory' | 'name' | 'identity' | 'checkpoints'>;
  threads: number;
  decodePrecision: DecodePrecisionRequest;
  adapter: AdapterRequest;
  /** Where BRIDGE trains the policy: the rank of its second adapter. */
  bridge?: { rank: number } | null;
  /** Chosen by the provider trial; asked at every start. */
  target: () => Promise<ComputeTarget>;
  /** Notes that a provider is not to be chosen any more; does not reject. */
  giveUp: (trouble: ProviderTrouble) => Promise<void>;
  /** Silence of the process that is fine whatever it works on; for tests. */
  silenceBaseMs?: number;
  /** Asked at every start: logged rounds may need one that the config no longer names. */
  objectives: () => readonly Objective[];
  /** Fits the work into the memory there is, before each start; throws where it is too large. */
  fit: (directory: string, provider: ProviderName) => Promise<FittedWork>;
  log: Logger;
  /** The process died although nobody ended it. */
  onDied: (exit: ComputeExit) => void;
}

const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

export class ComputeSupervisor {
  private readonly options: ComputeSupervisorOptions;
  private host: ComputeHost | null = null;
  private ending = false;
  private readonly refused = Promise.withResolvers<never>();
  private closed = false;
  private deaths = 0;
  /** What the present process computes with. */
  private target: ComputeTarget | null = null;
  private readonly failures = new FailureCount();
  private givingUp: Promise<void> = Promise.resolve();

  constructor(options: ComputeSupervisorOptions) {
    this.options = options;
    this.refused.promise.catch(() => undefined);
  }

  get pid(): number | null {
    return this.host?.pid ?? null;
  }

  /** Deaths in a row, and the wait before the next try. */
  get retry(): { attempt: number; retryInMs: number } {
    return {
      attempt: this.deaths,
      retryInMs: Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, this.deaths - 1)),
    };
  }

  /**
   * Starts a process and opens the policy in it.
   * @throws ComputeError where the policy or the checkpoint is at fault (restarting would not help), ComputeDiedError where it crashed.
   */
  async start(): Promise<{ host: ComputeHost; opened: OpenedPolicy }> {
    const { log, objectives, threads, decodePrecision, adapter, bridge } = this.options;
    const policy = this.options.policy();
    await this.givingUp;
    const target = await Promise.race([this.options.target(), this.refused.promise]); // may try them for long
    const { provider, device } = target;
    await this.stop(); // one that is still there after a failed start
    if (this.closed) throw closedError();
    this.ending = false;
    this.target = target;
    const work = await this.options.fit(policy.directory, provider);
    const { spawn, silenceBaseMs } = this.options;
    const host = new ComputeHost(spawn, silenceBaseMs === undefined ? {} : { silenceBaseMs });
    this.host = host;
    void host.exited.then((exit) => this.onExit(host, exit));
    try {
      const opened = await host.call('open', {
        policyDirectory: policy.directory,
        checkpointDirectory: policy.checkpoints,
        identity: { present: policy.identity, earlier: [policy.name] },
        provider,
        device,
        threads,
        decodePrecision,
        adapter,
        ...(bridge ? { bridge } : {}),
        decodedRows: work.decodedRows,
      });
      for (const reason of opened.passedOver) log.warn(`A damaged checkpoint was passed over: ${reason}`);
      const names = new Set<string>();
      for (const { name, loss } of objectives()) {
        if (names.has(name)) continue;
        names.add(name);
        const graph = gradientGraph(opened.config, loss, opened.adapter, { recompute: work.recompute });
        await host.call('defineObjective', { name, model: lowerGraph(graph, loweringFor(provider), name) });
      }
      return { host, opened };
    } catch (error) {
      if ((error as ComputeError).code !== 'computeDied') await this.stop();
      throw error;
    }
  }

  /** A round came through: what died before is forgiven. */
  worked(): void {
    this.deaths = 0;
  }

  /**
   * A call failed in a way that the provider may be to blame for, while the process lives on.
   * @returns whether the provider was given up for it: a start will take another
   */
  callFailed(kind: TroubleKind, detail: string): boolean {
    const trouble = this.target && this.failures.failed(this.target, kind, detail);
    if (!trouble) return false;
    this.deaths = Math.min(this.deaths, 1);
    this.givingUp = this.options.giveUp(trouble);
    return true;
  }

  hold(): void {
    this.host?.control('hold');
  }
  release(): void {
    this.host?.control('release');
  }
  /** Ends the call in progress; it fails with code `cancelled`. */
  cancel(): void {
    this.host?.control('cancel');
  }

  /** Ends the process; nobody is told that it died. */
  async stop(): Promise<void> {
    this.ending = true;
    await this.host?.close();
    this.host = null;
  }

  /** From now on no process is started; a start that still waits for its provider fails with code `cancelled`. */
  refuseStarts(): void {
    this.closed = true;
    this.refused.reject(closedError());
  }

  private onExit(host: ComputeHost, exit: ComputeExit): void {
    if (this.host !== host) return;
    this.host = null;
    if (this.ending) return;
    this.deaths++;
    this.callFailed(exit.hung ? 'hung' : 'crashed', describeExit(exit));
    this.options.onDied(exit);
  }
}

function closedError(): ComputeError {
  return new ComputeError({
    code: 'cancelled',
    message: 'The node has ended, so no compute process is started',
    fix: 'Nothing to do.',
  });
}
