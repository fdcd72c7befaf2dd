/**
 * The node's API over the two functions that the desktop shell's preload puts on `window.waggle`. The shell restarts a node
 * process that died; until then it rejects calls with code `connectionLost`, and this client asks for `status` until one answers.
 */
import type { CallName, Calls, EventName, Events, NodeClient } from '../../src-main/engine/api.ts';
import type { Connection, LinkedClient } from './connection.ts';
import { FaultError, toFault } from './fault.ts';

declare global {
  interface Window {
    /** Present in the desktop app only. */
    readonly waggle?: NodeClient;
  }
}

const retryMs = 2_000;

export class BridgeClient implements LinkedClient {
  readonly #bridge: NodeClient;
  readonly #watchers = new Set<(connection: Connection) => void>();
  #connection: Connection = { name: 'open' };
  #attempt = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(bridge: NodeClient) {
    this.#bridge = bridge;
  }

  async invoke<K extends CallName>(name: K, args: Calls[K]['args']): Promise<Calls[K]['result']> {
    try {
      return await this.#bridge.invoke(name, args);
    } catch (error) {
      const fault = toFault(error);
      if (fault.code === 'connectionLost' && this.#connection.name === 'open') this.#lost();
      throw new FaultError(fault);
    }
  }

  subscribe<K extends EventName>(name: K, listener: (event: Events[K]) => void): () => void {
    return this.#bridge.subscribe(name, listener);
  }

  watchConnection(listener: (connection: Connection) => void): () => void {
    this.#watchers.add(listener);
    listener(this.#connection);
    return () => this.#watchers.delete(listener);
  }

  retryNow(): void {
    if (this.#connection.name !== 'lost') return;
    clearTimeout(this.#retryTimer);
    void this.#probe();
  }

  close(): void {
    clearTimeout(this.#retryTimer);
    this.#watchers.clear();
  }

  #lost(): void {
    this.#attempt += 1;
    this.#announce({ name: 'lost', attempt: this.#attempt, retryAt: Date.now() + retryMs });
    this.#retryTimer = setTimeout(() => void this.#probe(), retryMs);
  }

  async #probe(): Promise<void> {
    try {
      await this.#bridge.invoke('status', null);
      this.#attempt = 0;
      this.#announce({ name: 'open' });
    } catch {
      this.#lost();
    }
  }

  #announce(connection: Connection): void {
    this.#connection = connection;
    for (const watcher of this.#watchers) watcher(connection);
  }
}
