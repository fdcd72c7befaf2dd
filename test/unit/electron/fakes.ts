/** Stand-ins for what Electron supplies: statuses, ports over Node's own MessageChannel, forked processes. */
import { EventEmitter } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type {
  CallName,
  EventName,
  NodeApi,
  NodeStatus,
  RunStateName,
  WaitReason,
} from '../../../src-main/engine/api.ts';
import type { ForkedProcess } from '../../../src-main/electron/process-broker.ts';
import type { MessagePipe } from '../../../src-main/electron/message-pipe.ts';

export function statusOf(name: RunStateName, text: string, reason: WaitReason | null = null): NodeStatus {
  return {
    version: '0.1.0',
    role: 'both',
    state: { name, reason, text, sinceMs: 0 },
    stage: 'idle',
    policy: null,
    provider: null,
    givenUp: [],
    objective: { own: 'grpo', peers: 'asympo', method: 'sapo' },
    round: 41,
    meanReward: 0.523,
    recentRounds: 10,
    tokensPerSecond: { generate: 4000, train: 9000 },
    tokensTotal: { generated: 1, trained: 1 },
    swarm: {
      presence: 'connected',
      text: 'Connected to 3 peers',
      name: 'test',
      publicKey: '00'.repeat(32),
      peers: 3,
      groupsShared: 12,
      groupsAdopted: 5,
      groupsPooled: 0,
      rejected: {},
      bytesIn: 0,
      bytesOut: 0,
      network: null,
    },
    uptimeMs: 1,
    trainedMs: 1,
    memory: [],
    computeRestarts: 0,
    work: {
      passTokens: 1024,
      askedPassTokens: 1024,
      recompute: false,
      decodedRows: null,
      needBytes: null,
      freeBytes: null,
      isTight: false,
      shortages: 0,
      text: null,
    },
    lastCheckpointAt: null,
    dataDirectory: '/tmp',
    displayName: 'tester',
  };
}

/** A pipe over one of Node's ports. */
export function pipeOver(port: MessagePort): MessagePipe {
  return {
    post: (message) => port.postMessage(message),
    onMessage: (listener) => void port.on('message', listener),
    onClose: (listener) => void port.on('close', listener),
    close: () => port.close(),
  };
}

export function pipePair(): { near: MessagePipe; far: MessagePipe } {
  const { port1, port2 } = new MessageChannel();
  return { near: pipeOver(port1), far: pipeOver(port2) };
}

export interface RecordingApi {
  api: NodeApi;
  calls: { name: CallName; args: unknown }[];
  /** Number of live subscriptions of an event. */
  subscribers(name: EventName): number;
  emit(name: EventName, event: unknown): void;
}

/** An engine's API whose answers are given as a table; a thrown value is thrown on. */
export function recordingApi(answers: Partial<Record<CallName, () => unknown>> = {}): RecordingApi {
  const calls: RecordingApi['calls'] = [];
  const listeners = new Map<EventName, Set<(event: never) => void>>();
  const api: NodeApi = {
    invoke: async (name, args) => {
      calls.push({ name, args });
      await Promise.resolve();
      return answers[name]?.() as never;
    },
    subscribe: (name, listener) => {
      const ofName = listeners.get(name) ?? new Set();
      listeners.set(name, ofName);
      ofName.add(listener);
      return () => void ofName.delete(listener);
    },
  };
  return {
    api,
    calls,
    subscribers: (name) => listeners.get(name)?.size ?? 0,
    emit: (name, event) => {
      for (const listener of listeners.get(name) ?? []) listener(event as never);
    },
  };
}

/** A utility process without a process: the test plays its part through `emit`. */
export class FakeProcess extends EventEmitter implements ForkedProcess<MessagePort> {
  pid: number | undefined = undefined;
  killed = 0;
  readonly posted: { message: unknown; ports: MessagePort[] }[] = [];
  postMessage(message: unknown, transfer: MessagePort[] = []): void {
    this.posted.push({ message, ports: transfer });
  }
  kill(): boolean {
    this.killed++;
    return true;
  }
  spawned(pid: number): void {
    this.pid = pid;
    this.emit('spawn');
  }
  exit(code: number): void {
    this.pid = undefined;
    this.emit('exit', code);
  }
  kinds(): unknown[] {
    return this.posted.map(({ message }) => (message as { kind: unknown }).kind);
  }
}

/** Resolves when `condition` holds; patience costs nothing on an idle machine, and saves a busy one. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
