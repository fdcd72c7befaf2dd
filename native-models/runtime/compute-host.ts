/**
 * The node's side of the compute process: calls as promises, controls, and the news that it died. How the process is made is
 * handed in as `spawn`: plain Node forks, Electron asks its main process for a utility process.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type {
  ComputeCallName,
  ComputeCalls,
  ComputeControl,
  ComputeFault,
  FromCompute,
  ToCompute,
} from './compute-protocol.ts';

export interface ComputeExit {
  code: number | null;
  signal: string | null;
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
    const how = exit.signal ? `by signal ${exit.signal}` : `with code ${exit.code ?? 'unknown'}`;
    super({
      code: 'computeDied',
      message: `The compute process ended ${how}`,
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

export const forkCompute: SpawnCompute = () => {
  const child = fork(entry, [], { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
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
};

interface Pending {
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
  private ended: ComputeExit | null = null;
  private nextId = 1;

  constructor(spawn: SpawnCompute) {
    this.channel = spawn();
    this.channel.onMessage((message) => this.receive(message as FromCompute));
    this.exited = new Promise((resolve) => {
      this.channel.onExit((exit) => {
        this.ended = exit;
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
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject, onProgress });
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

  private receive(message: FromCompute): void {
    if (message.kind === 'held') for (const listener of this.heldListeners) listener(message.held);
    if (message.kind === 'ready' || message.kind === 'held') return;
    const pending = this.pending.get(message.id);
    if (!pending) return;
    if (message.kind === 'progress') {
      pending.onProgress(message.done);
      return;
    }
    this.pending.delete(message.id);
    if (message.kind === 'result') pending.resolve(message.result as never);
    else pending.reject(new ComputeError(message.fault));
  }
}
