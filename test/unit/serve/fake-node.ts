/** Test double of the engine behind the API: answers from a table, remembers calls, and lets a test emit events. */
import type {
  CallName,
  Calls,
  EventName,
  Events,
  NodeApi,
  NodeStatus,
  RunState,
} from '../../../src-main/engine/api.ts';

export interface FakeNode {
  api: NodeApi;
  calls: { name: CallName; args: unknown }[];
  emit<K extends EventName>(name: K, payload: Events[K]): void;
  listenerCount(name: EventName): number;
}

type Answers = { [K in CallName]?: (args: Calls[K]['args']) => Calls[K]['result'] | Promise<Calls[K]['result']> };

export function createFakeNode(answers: Answers = {}): FakeNode {
  const listeners = new Map<EventName, Set<(payload: never) => void>>();
  const calls: FakeNode['calls'] = [];
  const table: Answers = { status: () => exampleStatus(), ...answers };
  return {
    calls,
    api: {
      async invoke<K extends CallName>(name: K, args: Calls[K]['args']): Promise<Calls[K]['result']> {
        calls.push({ name, args });
        const answer = table[name] as ((args: Calls[K]['args']) => unknown) | undefined;
        if (answer === undefined) throw new Error(`the fake has no answer for ${name} (secret detail)`);
        return (await answer(args)) as Calls[K]['result'];
      },
      subscribe(name, listener) {
        const ofThisName = listeners.get(name) ?? new Set();
        listeners.set(name, ofThisName);
        ofThisName.add(listener);
        return () => ofThisName.delete(listener);
      },
    },
    emit(name, payload) {
      for (const listener of listeners.get(name) ?? []) listener(payload as never);
    },
    listenerCount: (name) => listeners.get(name)?.size ?? 0,
  };
}

export function exampleState(name: RunState['name'] = 'training'): RunState {
  const reason = name === 'paused' ? ({ kind: 'user' } as const) : null;
  return { name, reason, text: name === 'paused' ? 'Paused by you' : 'Training', sinceMs: 1_700_000_000_000 };
}

export function exampleStatus(changes: Partial<NodeStatus> = {}): NodeStatus {
  return {
    version: '0.1.0',
    role: 'both',
    state: exampleState(),
    stage: 'generate',
    policy: {
      name: 'waggle-tiny',
      architecture: 'Llama, 6 layers, 192 wide',
      parameters: 3_100_000,
      contextTokens: 256,
      vocabularySize: 512,
      version: 42,
      directory: '/somewhere/policy',
      decode: { precision: 'f32', reason: 'All weights are trained.' },
      training: { precision: 'f32', reason: 'The weights are stored in it.' },
    },
    provider: { name: 'cpu', adapter: null },
    givenUp: [],
    objective: { own: 'grpo', peers: 'asympo', method: 'sapo' },
    round: 7,
    meanReward: 0.375,
    recentRounds: 5,
    tokensPerSecond: { generate: 6400, train: 13_500 },
    tokensTotal: { generated: 100_000, trained: 90_000 },
    swarm: {
      presence: 'connected',
      text: 'Connected to 2 peers',
      name: 'commons',
      publicKey: 'ab'.repeat(32),
      peers: 2,
      groupsShared: 12,
      groupsAdopted: 34,
      groupsPooled: 5,
      rejected: { forgedSignature: 2, oversize: 1 },
      bytesIn: 1_000_000,
      bytesOut: 2_000_000,
      network: {
        nat: 'consistent',
        publicAddress: '203.0.113.7:49737',
        lanDiscovery: true,
        paths: { direct: 1, relayed: 0, lan: 1 },
        maxBytesPerSecondIn: 0,
        maxBytesPerSecondOut: 65_536,
        relaying: { sessions: 0, bytes: 0 },
      },
    },
    uptimeMs: 3_725_000,
    trainedMs: 3_600_000,
    memory: [
      { process: 'node', pid: 11, rssBytes: 120 * 2 ** 20 },
      { process: 'compute', pid: 12, rssBytes: 430 * 2 ** 20 },
    ],
    computeRestarts: 0,
    work: {
      passTokens: 1024,
      askedPassTokens: 1024,
      recompute: false,
      decodedRows: null,
      needBytes: 600_000_000,
      freeBytes: 8_000_000_000,
      isTight: false,
      shortages: 0,
      text: null,
    },
    lastCheckpointAt: 1_700_000_000_000,
    dataDirectory: '/somewhere',
    displayName: 'bee',
    ...changes,
  };
}
