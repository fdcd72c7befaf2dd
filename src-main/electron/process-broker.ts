/**
 * Main's side of the node's worker processes (compute, provider trial): forks one when the node asks, gives both ends of a
 * channel away, reports its pid and its end, kills it on request. Knows no Electron (fork and channel come in by shape)
 * and nothing of what is computed.
 * Invariants: every spawned id is reported as exited exactly once; closing the broker leaves no worker behind.
 */
import type { NodeToShell, ShellToNode, WorkerKind } from './shell-messages.ts';

/** A utility process, by the parts used here. */
export interface ForkedProcess<Port> {
  readonly pid: number | undefined;
  postMessage(message: unknown, transfer?: Port[]): void;
  kill(): boolean;
  on(event: 'spawn', listener: () => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

export interface BrokerParts<Port> {
  fork(worker: WorkerKind): ForkedProcess<Port>;
  createChannel(): { port1: Port; port2: Port };
  /** To the node process. */
  post(message: ShellToNode, transfer?: Port[]): void;
  /** Ends a process that did not heed `kill` (a driver call blocks its thread): SIGKILL by pid. */
  forceKill(pid: number): void;
}

export interface ProcessBroker {
  handle(message: NodeToShell): void;
  /** Kills what is left; idempotent. */
  close(): void;
}

export function createProcessBroker<Port>(parts: BrokerParts<Port>): ProcessBroker {
  const running = new Map<number, ForkedProcess<Port>>();
  const doomed = new Set<number>();
  let closed = false;

  const kill = (id: number, child: ForkedProcess<Port>) => {
    doomed.add(id);
    child.kill();
    // Before it has spawned there is no pid; the spawn listener below finishes the job.
    if (child.pid !== undefined) parts.forceKill(child.pid);
  };

  const spawn = (id: number, worker: WorkerKind) => {
    if (closed || running.has(id)) return;
    const child = parts.fork(worker);
    running.set(id, child);
    child.on('spawn', () => {
      if (doomed.has(id)) kill(id, child);
      else if (child.pid !== undefined) parts.post({ kind: 'workerSpawned', id, pid: child.pid });
    });
    child.on('exit', (code) => {
      if (!running.delete(id)) return;
      doomed.delete(id);
      if (!closed) parts.post({ kind: 'workerExited', id, code });
    });
    const { port1, port2 } = parts.createChannel();
    child.postMessage({ kind: 'port' }, [port1]);
    parts.post({ kind: 'workerPort', id }, [port2]);
  };

  return {
    handle(message) {
      if (message.kind === 'spawnWorker') spawn(message.id, message.worker);
      if (message.kind === 'killWorker') {
        const child = running.get(message.id);
        if (child) kill(message.id, child);
      }
    },
    close() {
      closed = true;
      for (const [id, child] of running) kill(id, child);
    },
  };
}
