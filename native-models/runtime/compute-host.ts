/**
 * The node's side of the compute process: calls as promises, controls, and the news that it died. One that owes an answer and
 * gives no sign of life is ended (compute-watchdog.ts). How the process is made is handed in as `spawn`: plain Node forks,
 * Electron asks its main process for a utility process.
 */
import { fork } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type {
  ComputeCallName,
  ComputeCalls,
  ComputeControl,
  ComputeFault,
  FromCompute,
  OpenedPolicy,
  ToCompute,
} from './compute-protocol.ts';
import { SILENCE_BASE_MS, silenceLimitMs, Watchdog } from './compute-watchdog.ts';

export interface ComputeExit {
  code: number | null;
  signal: string | null;
  /** Where it was ended for not answering: what it owed, and for how long it had been silent. */
  hung?: { call: ComputeCallName; silentMs: number };
}

/** For people: how the process ended, to stand after "the process ended". */
export function describeExit({ code, signal, hung }: ComputeExit): string {
  if (hung) return `no sign of life for ${Math.round(hung.silentMs / 1000)} s while it worked on ${hung.call}`;
  return signal ? `signal ${signal}` : `exit code ${code ?? 'unknown'}`;
}
/** A started process and the messages to and from it. */
export interface ComputeChannel {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onExit(listener: (exit: ComputeExit) => void): void;
  kill(): void;
  readonly pid: number | null;
}
export type SpawnCompute = () => ComputeChannel;

/** A call that the compute process answered with an error; `code` and `fix` are its own. */
export class ComputeError extends Error {
  readonly code: string;
  readonly fix: string;
  constructor({ code, message, fix }: ComputeFault) {
    super(message);
    this.name = 'ComputeError';
    this.code = code;
    this.fix = fix;
  }
}

/** The process ended while calls were open. */
export class ComputeDiedError extends ComputeError {
  readonly exit: ComputeExit;
  constructor(exit: ComputeExit) {
    super({
      code: 'computeDied',
      message: `The compute process ended (${describeExit(exit)})`,
      fix: 'It is started again from the last checkpoint; if this repeats, try --provider cpu.',
    });
    this.name = 'ComputeDiedError';
    this.exit = exit;
  }
}

/** `.ts` when run from source, `.js` when built. */
const entry = fileURLToPath(
  new URL(`./compute-process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);

export const forkCompute: SpawnCompute = () => forkComputeEntry(entry);

/** The node's own flags do not fit here: it may do without V8's optimising compilers, sampling may not. */
const V8_FLAGS = ['--max-semi-space-size=1', '--v8-pool-size=1'];

/** The same for another entry and environment, for tests. */
export function forkComputeEntry(path: string, env: NodeJS.ProcessEnv = process.env): ComputeChannel {
  const stdio: StdioOptions = ['ignore', 'inherit', 'inherit', 'ipc'];
  const child = fork(path, [], { execArgv: V8_FLAGS, serialization: 'advanced', stdio, env });
  return {
    post: (message) => child.connected && child.send(message as object, () => undefined),
    onMessage: (listener) => child.on('message', listener),
    onExit: (listener) => {
      child.on('exit', (code, signal) => listener({ code, signal }));
      // A process that could not be started has no 'exit'; a send to one that just died fails through its 'exit'.
      child.on('error', () => child.pid === undefined && listener({ code: null, signal: null }));
    },
    kill: () => child.kill('SIGKILL'),
    pid: child.pid ?? null,
  };
}

interface Pending {
  call: ComputeCallName;
  /** Longest silence while it is worked on. */
  limitMs: () => number;
  resolve(result: never): void;
  reject(error: Error): void;
  onProgress(done: number): void;
}

/** One compute process from its start to its end. */
export class ComputeHost {
  /** Settles when the process has ended, for whatever reason. */
  readonly exited: Promise<ComputeExit>;
  private readonly channel: ComputeChannel;
  private readonly pending = new Map<number, Pending>();
  private readonly heldListeners = new Set<(held: boolean) => void>();
  private readonly silenceBaseMs: number;
  private readonly watchdog: Watchdog;
  private ended: ComputeExit | null = null;
  private hung: ComputeExit['hung'];
  private held = false;
  private parameters = 0;
  private nextId = 1;

  /** `silenceBaseMs`: silence that is fine whatever the process works on. */
  constructor(spawn: SpawnCompute, { silenceBaseMs = SILENCE_BASE_MS }: { silenceBaseMs?: number } = {}) {
    this.silenceBaseMs = silenceBaseMs;
    this.channel = spawn();
    this.watchdog = new Watchdog({
      limitMs: () => (this.held ? null : (this.current()?.limitMs() ?? null)),
      onSilent: (silentMs) => this.giveUp(silentMs),
      tickMs: Math.min(1000, silenceBaseMs / 10),
    });
    this.channel.onMessage((message) => this.receive(message as FromCompute));
    this.exited = new Promise((resolve) => {
      this.channel.onExit((end) => {
        const exit = this.hung ? { ...end, hung: this.hung } : end;
        this.ended = exit;
        this.watchdog.close();
        for (const pending of this.pending.values()) pending.reject(new ComputeDiedError(exit));
        this.pending.clear();
        resolve(exit);
      });
    });
  }

  /** Null until the process is known to run: Electron tells it later. */
  get pid(): number | null {
    return this.channel.pid;
  }

  /** @throws ComputeError from the process, ComputeDiedError when it ended. */
  call<K extends ComputeCallName>(
    call: K,
    args: ComputeCalls[K]['args'],
    onProgress: (done: number) => void = () => undefined,
  ): Promise<ComputeCalls[K]['result']> {
    if (this.ended) return Promise.reject(new ComputeDiedError(this.ended));
    const id = this.nextId++;
    if (this.pending.size === 0) this.watchdog.heard();
    return new Promise((resolve, reject) => {
      const limitMs = (): number => silenceLimitMs(call, args, this.parameters, this.silenceBaseMs);
      this.pending.set(id, { call, limitMs, resolve, reject, onProgress });
      this.channel.post({ kind: 'call', id, call, args });
    });
  }

  control(control: ComputeControl): void {
    if (!this.ended) this.channel.post({ kind: 'control', control } satisfies ToCompute);
  }

  /** Tells when the process has really stopped computing after `hold`, and when it goes on. */
  onHeld(listener: (held: boolean) => void): () => void {
    this.heldListeners.add(listener);
    return () => this.heldListeners.delete(listener);
  }

  /** Ends the process at once; what it had not saved is gone. */
  async close(): Promise<void> {
    if (!this.ended) this.channel.kill();
    await this.exited;
  }

  /** What it works on: calls are answered in the order they came. */
  private current(): Pending | undefined {
    return this.pending.values().next().value;
  }

  private giveUp(silentMs: number): void {
    const call = this.current()?.call;
    if (call === undefined || this.ended) return;
    this.hung = { call, silentMs };
    this.channel.kill();
  }

  private receive(message: FromCompute): void {
    this.watchdog.heard();
    if (message.kind === 'held') {
      this.held = message.held;
      for (const listener of this.heldListeners) listener(message.held);
    }
    if (message.kind === 'ready' || message.kind === 'held' || message.kind === 'alive') return;
    const pending = this.pending.get(message.id);
    if (!pending) return;
    if (message.kind === 'progress') {
      pending.onProgress(message.done);
      return;
    }
    this.pending.delete(message.id);
    if (message.kind === 'result' && pending.call === 'open')
      this.parameters = (message.result as Partial<OpenedPolicy>).parameters ?? 0;
    if (message.kind === 'result') pending.resolve(message.result as never);
    else pending.reject(new ComputeError(message.fault));
  }
}
