/**
 * Keeps the node process alive: starts it, hands it its API port, brokers its worker processes, starts it again with
 * back-off when it dies, stops it with a deadline. Knows no Electron and nothing of training.
 * Invariants: at most one node process; a node that refuses to start (bad config, data folder in use) is not retried but
 * reported with its fix; after `stop` nothing is started again.
 */
import type { ApiFault } from '../engine/api.ts';
import { createProcessBroker } from './process-broker.ts';
import type { ForkedProcess, ProcessBroker } from './process-broker.ts';
import { parseNodeToShell } from './shell-messages.ts';
import type { NodeToShell, PowerEvent, ShellAnswer, ShellQuestion, ShellToNode, WorkerKind } from './shell-messages.ts';

export interface SupervisorParts<Port> {
  forkNode: () => ForkedProcess<Port>;
  forkWorker: (worker: WorkerKind) => ForkedProcess<Port>;
  createChannel: () => { port1: Port; port2: Port };
  forceKill: (pid: number) => void;
  /** Never rejects. */
  answer: (question: ShellQuestion) => Promise<ShellAnswer>;
  /** Command-line arguments for the node, and the folder of the (unpacked) app. */
  args: string[];
  appRoot: string;
  /** A node is up: `port` speaks its API. */
  onUp: (port: Port) => void;
  onDown: (restart: { attempt: number; retryInMs: number }) => void;
  /** The node refused to start; it is not tried again until `start` is called. */
  onFault: (fault: ApiFault) => void;
  /** The node ended because it was asked to (quit from the page or the CLI). */
  onQuit: () => void;
  setTimer?: (callback: () => void, ms: number) => unknown;
  clearTimer?: (timer: unknown) => void;
  now?: () => number;
}

export interface NodeSupervisor {
  start(): void;
  sendPower(event: PowerEvent): void;
  /** Asks the node to checkpoint and end; kills it at the deadline. Resolves when it is gone. */
  stop(deadlineMs: number): Promise<void>;
}

const firstRetryMs = 1000;
const maxRetryMs = 60_000;
/** A node that lived this long starts the back-off anew. */
const stableMs = 60_000;

interface Running<Port> {
  child: ForkedProcess<Port>;
  broker: ProcessBroker;
  startedAt: number;
  fault: ApiFault | null;
  ready: boolean;
  /** It said that it ends in order to be started again. */
  restarting: boolean;
}

export function createNodeSupervisor<Port>(parts: SupervisorParts<Port>): NodeSupervisor {
  const setTimer = parts.setTimer ?? setTimeout;
  const clearTimer = parts.clearTimer ?? ((timer) => clearTimeout(timer as NodeJS.Timeout));
  const now = parts.now ?? Date.now;
  let running: Running<Port> | null = null;
  let attempt = 0;
  let retryTimer: unknown = null;
  let stopping = false;
  const gone = new Set<() => void>();

  const post = (message: ShellToNode, transfer?: Port[]) => running?.child.postMessage(message, transfer);

  const ended = (former: Running<Port>, code: number) => {
    former.broker.close();
    running = null;
    for (const resolve of gone) resolve();
    gone.clear();
    if (stopping) return;
    if (former.fault && !former.ready) {
      parts.onFault(former.fault);
      return;
    }
    if (former.restarting) {
      parts.onDown({ attempt: 1, retryInMs: 0 });
      start();
      return;
    }
    if (code === 0 && former.ready) {
      parts.onQuit();
      return;
    }
    attempt = now() - former.startedAt >= stableMs ? 1 : attempt + 1;
    const retryInMs = Math.min(maxRetryMs, firstRetryMs * 2 ** (attempt - 1));
    parts.onDown({ attempt, retryInMs });
    retryTimer = setTimer(start, retryInMs);
  };

  const heard = (from: Running<Port>, apiPort: Port, message: NodeToShell) => {
    if (message.kind === 'fault') from.fault = message.fault;
    else if (message.kind === 'restart') from.restarting = true;
    else if (message.kind === 'ask') {
      const { id, question } = message;
      void parts.answer(question).then((answer) => from.child.postMessage({ kind: 'answer', id, answer }));
    } else if (message.kind !== 'ready') from.broker.handle(message);
    else if (!from.ready) {
      from.ready = true;
      parts.onUp(apiPort);
    }
  };

  function start(): void {
    clearTimer(retryTimer);
    retryTimer = null;
    if (running || stopping) return;
    const child = parts.forkNode();
    const broker = createProcessBroker<Port>({
      fork: parts.forkWorker,
      createChannel: parts.createChannel,
      forceKill: parts.forceKill,
      post: (message, transfer) => child.postMessage(message, transfer),
    });
    const started: Running<Port> = { child, broker, startedAt: now(), fault: null, ready: false, restarting: false };
    running = started;
    const { port1, port2 } = parts.createChannel();
    child.on('message', (raw) => {
      const message = parseNodeToShell(raw);
      if (message && running === started) heard(started, port1, message);
    });
    child.on('exit', (code) => {
      if (running === started) ended(started, code);
    });
    post({ kind: 'start', args: parts.args, appRoot: parts.appRoot }, [port2]);
  }

  return {
    start,
    sendPower: (event) => post({ kind: 'power', event }),
    stop(deadlineMs) {
      stopping = true;
      clearTimer(retryTimer);
      if (!running) return Promise.resolve();
      post({ kind: 'stop' });
      const { child } = running;
      return new Promise((resolve) => {
        const timer = setTimer(() => {
          child.kill();
          if (child.pid !== undefined) parts.forceKill(child.pid);
        }, deadlineMs);
        gone.add(() => {
          clearTimer(timer);
          resolve();
        });
      });
    },
  };
}
