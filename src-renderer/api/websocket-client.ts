/**
 * The node's API over one WebSocket. Reconnects for ever with a growing, jittered wait and says so; subscriptions survive,
 * calls that were under way are rejected with a fault. Knows nothing of what is called.
 * Invariant: at most one socket is alive; nothing is queued while the link is down.
 */
import type { CallName, Calls, EventName, Events } from '../../src-main/engine/api.ts';
import type { Connection, LinkedClient } from './connection.ts';
import { FaultError } from './fault.ts';
import { parseServerFrame, type ClientFrame } from './frames.ts';
import { EventListeners } from './listeners.ts';

const firstWaitMs = 500;
const longestWaitMs = 10_000;
const callTimeoutMs = 30_000;

const lostFault = {
  code: 'connectionLost',
  message: 'The connection to the node is lost.',
  fix: 'The page connects again by itself; then try again.',
};
const timeoutFault = {
  code: 'timeout',
  message: `The node did not answer within ${callTimeoutMs / 1000} seconds.`,
  fix: 'It may be very busy. Wait a little, then try again.',
};

interface PendingCall {
  resolve: (result: never) => void;
  reject: (error: FaultError) => void;
  timer: ReturnType<typeof setTimeout>;
}

/** Doubles from 0.5 s to 10 s; `random` in [0, 1) spreads it by up to a quarter. */
export function backOffMs(attempt: number, random: number): number {
  const wait = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.max(0, attempt - 1));
  return Math.round(wait * (0.75 + 0.25 * random));
}

export class WebSocketClient implements LinkedClient {
  readonly #url: string;
  #socket: WebSocket | null = null;
  #connection: Connection = { name: 'connecting' };
  #attempt = 0;
  #nextId = 1;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  readonly #pending = new Map<number, PendingCall>();
  readonly #watchers = new Set<(connection: Connection) => void>();
  readonly #listeners = new EventListeners(
    (event) => this.#send({ subscribe: event }),
    (event) => this.#send({ unsubscribe: event }),
  );

  constructor(url: string) {
    this.#url = url;
    this.#connect();
  }

  invoke<K extends CallName>(name: K, args: Calls[K]['args']): Promise<Calls[K]['result']> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      if (!this.#send({ id, call: name, args })) {
        reject(new FaultError(lostFault));
        return;
      }
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new FaultError(timeoutFault));
      }, callTimeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
    });
  }

  subscribe<K extends EventName>(name: K, listener: (event: Events[K]) => void): () => void {
    return this.#listeners.add(name, listener);
  }

  watchConnection(listener: (connection: Connection) => void): () => void {
    this.#watchers.add(listener);
    listener(this.#connection);
    return () => this.#watchers.delete(listener);
  }

  retryNow(): void {
    if (this.#connection.name === 'lost' && this.#connection.retryAt !== null) this.#connect();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#socket?.close();
  }

  #connect(): void {
    clearTimeout(this.#retryTimer);
    if (this.#attempt > 0) this.#announce({ name: 'lost', attempt: this.#attempt, retryAt: null });
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#attempt = 0;
      for (const event of this.#listeners.events) this.#send({ subscribe: event });
      this.#announce({ name: 'open' });
    };
    socket.onmessage = (message) => this.#receive(message.data);
    socket.onclose = () => this.#lost(socket);
  }

  #lost(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#socket = null;
    for (const call of this.#pending.values()) {
      clearTimeout(call.timer);
      call.reject(new FaultError(lostFault));
    }
    this.#pending.clear();
    if (this.#closed) return;
    this.#attempt += 1;
    const waitMs = backOffMs(this.#attempt, Math.random());
    this.#announce({ name: 'lost', attempt: this.#attempt, retryAt: Date.now() + waitMs });
    this.#retryTimer = setTimeout(() => this.#connect(), waitMs);
  }

  #receive(text: unknown): void {
    const frame = parseServerFrame(text);
    if (!frame) return;
    if (frame.kind === 'event') {
      this.#listeners.emit(frame.event, frame.payload);
      return;
    }
    const call = this.#pending.get(frame.id);
    if (!call) return;
    this.#pending.delete(frame.id);
    clearTimeout(call.timer);
    if (frame.kind === 'fault') call.reject(new FaultError(frame.fault));
    else call.resolve(frame.result as never);
  }

  #send(frame: ClientFrame): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #announce(connection: Connection): void {
    this.#connection = connection;
    for (const watcher of this.#watchers) watcher(connection);
  }
}
