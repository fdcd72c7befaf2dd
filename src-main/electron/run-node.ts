/**
 * What happens inside the node process under Electron: wait for main's `start`, start the engine with a
 * `spawnCompute` and a `spawnTrial` that ask main, serve the API over the port that came along, pass power events on, stop when told to.
 * Knows no Electron: the parent port and the engine come in by shape, so the whole exchange runs over real MessageChannels
 * in a test. Invariant: a node that cannot start says why as a fault before it ends.
 */
import type { SpawnCompute } from '../../native-models/runtime/compute-host.ts';
import type { SpawnTrial } from '../../native-models/runtime/provider-trial.ts';
import type { NodeApi } from '../engine/api.ts';
import { clientFault } from '../engine/serve/faults.ts';
import type { OwnerSeams } from '../engine/swarm/identity-desk.ts';
import { serveApi } from './api-bridge.ts';
import type { MessagePipe } from './message-pipe.ts';
import { parseShellToNode } from './shell-messages.ts';
import type { NodeToShell, PowerEvent } from './shell-messages.ts';
import { createShellAsker } from './shell-questions.ts';
import { createProcessSpawner } from './spawn-process.ts';

/** A running engine, by the parts the shell needs. */
export interface EngineHandle {
  api: NodeApi;
  /** The machine goes to sleep or wakes up: close or reopen sockets. */
  power(event: PowerEvent): void;
  /** Checkpoints and closes everything; idempotent. */
  close(): Promise<void>;
  /** Settles when the engine ended by itself (quit by a client). */
  ended: Promise<void>;
}

export type StartEngine = (options: {
  args: string[];
  appRoot: string;
  spawnCompute: SpawnCompute;
  spawnTrial: SpawnTrial;
  owner: OwnerSeams;
}) => Promise<EngineHandle>;

export interface NodeParent {
  post(message: NodeToShell): void;
  /** `pipe` is the port that came with the message, if one did. */
  onMessage(listener: (message: unknown, pipe: MessagePipe | null) => void): void;
}

export interface RunNodeParts {
  parent: NodeParent;
  startEngine: StartEngine;
  exit: (code: number) => void;
}

const restartDelayMs = 200;

/** Serves until told to stop; `exit` is called once, at the end. */
export function runNode({ parent, startEngine, exit }: RunNodeParts): void {
  const workers = createProcessSpawner((message) => parent.post(message));
  const shell = createShellAsker(
    (message) => parent.post(message),
    () => {
      parent.post({ kind: 'restart' });
      // A moment, so that whoever asked for it gets the answer.
      setTimeout(() => void stop().catch(fail), restartDelayMs);
    },
  );
  let engine: EngineHandle | null = null;
  let started = false;
  let over = false;

  const leave = (code: number) => {
    if (over) return;
    over = true;
    exit(code);
  };
  const fail = (thrown: unknown) => {
    parent.post({ kind: 'fault', fault: clientFault(thrown, 'start') });
    leave(1);
  };
  const start = async (args: string[], appRoot: string, pipe: MessagePipe) => {
    const handle = await startEngine({
      args,
      appRoot,
      spawnCompute: () => workers.spawn('compute'),
      spawnTrial: () => workers.spawn('trial'),
      owner: shell.owner,
    });
    engine = handle;
    if (over) return handle.close();
    serveApi(pipe, handle.api);
    parent.post({ kind: 'ready' });
    await handle.ended;
    await handle.close();
    leave(0);
  };
  const stop = async () => {
    await engine?.close();
    leave(0);
  };

  parent.onMessage((raw, pipe) => {
    const message = parseShellToNode(raw);
    if (!message) return;
    if (message.kind === 'start') {
      if (started || !pipe) return;
      started = true;
      start(message.args, message.appRoot, pipe).catch(fail);
    } else if (message.kind === 'stop') stop().catch(fail);
    else if (message.kind === 'answer') shell.answered(message.id, message.answer);
    else if (message.kind === 'power') engine?.power(message.event);
    else workers.handle(message, pipe);
  });
}
