/**
 * The node's side of its worker processes under Electron: a channel to one as the runtime wants it (`ComputeChannel`), made
 * of messages to main. Under plain Node the same seam is filled by child_process.fork; nothing behind it can tell.
 * Invariants: messages posted before the port is there are kept in order; `onExit` is called exactly once, and nothing
 * is delivered after it.
 */
import type { ComputeChannel, ComputeExit } from '../../native-models/runtime/compute-host.ts';
import type { MessagePipe } from './message-pipe.ts';
import type { NodeToShell, ShellToNode, WorkerKind } from './shell-messages.ts';

interface Remote {
  pid: number | null;
  pipe: MessagePipe | null;
  unsent: unknown[];
  received: unknown[];
  listener: ((message: unknown) => void) | null;
  exit: ComputeExit | null;
  exitListener: ((exit: ComputeExit) => void) | null;
  killed: boolean;
}

export interface ProcessSpawner {
  spawn(worker: WorkerKind): ComputeChannel;
  /** Feed every message from main in; `pipe` is the port that came with it. */
  handle(message: ShellToNode, pipe: MessagePipe | null): void;
}

function connect(remote: Remote, pipe: MessagePipe): void {
  remote.pipe = pipe;
  for (const message of remote.unsent.splice(0)) pipe.post(message);
  pipe.onMessage((message) => {
    if (remote.exit) return;
    if (remote.listener) remote.listener(message);
    else remote.received.push(message);
  });
}

function finish(remote: Remote, code: number | null): void {
  if (remote.exit) return;
  remote.exit = { code, signal: remote.killed ? 'SIGKILL' : null };
  remote.pipe?.close();
  remote.exitListener?.(remote.exit);
}

function channelTo(remote: Remote, kill: () => void): ComputeChannel {
  return {
    get pid() {
      return remote.pid;
    },
    // Electron's ports transfer ports only: arrays are copied.
    post(message) {
      if (remote.exit) return;
      if (remote.pipe) remote.pipe.post(message);
      else remote.unsent.push(message);
    },
    onMessage(listener) {
      remote.listener = listener;
      for (const message of remote.received.splice(0)) listener(message);
    },
    onExit(listener) {
      remote.exitListener = listener;
      if (remote.exit) listener(remote.exit);
    },
    kill() {
      if (remote.exit || remote.killed) return;
      remote.killed = true;
      kill();
    },
  };
}

/** `post` goes to main. */
export function createProcessSpawner(post: (message: NodeToShell) => void): ProcessSpawner {
  const remotes = new Map<number, Remote>();
  let nextId = 1;
  return {
    spawn(worker) {
      const id = nextId++;
      const remote: Remote = {
        pid: null,
        pipe: null,
        unsent: [],
        received: [],
        listener: null,
        exit: null,
        exitListener: null,
        killed: false,
      };
      remotes.set(id, remote);
      post({ kind: 'spawnWorker', id, worker });
      return channelTo(remote, () => post({ kind: 'killWorker', id }));
    },
    handle(message, pipe) {
      if (message.kind !== 'workerPort' && message.kind !== 'workerSpawned' && message.kind !== 'workerExited') return;
      const remote = remotes.get(message.id);
      if (!remote) return;
      if (message.kind === 'workerPort' && pipe) connect(remote, pipe);
      if (message.kind === 'workerSpawned') remote.pid = message.pid;
      if (message.kind === 'workerExited') {
        remotes.delete(message.id);
        finish(remote, message.code);
      }
    },
  };
}
