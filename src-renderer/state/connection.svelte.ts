/** The link to the node as reactive state. */
import type { Connection, LinkedClient } from '../api/connection.ts';

export class ConnectionState {
  current = $state.raw<Connection>({ name: 'connecting' });
  /** True once a link was open: tells "not yet" from "lost". */
  wasOpen = $state(false);
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  get open(): boolean {
    return this.current.name === 'open';
  }

  start(): () => void {
    return this.#client.watchConnection((connection) => {
      this.current = connection;
      if (connection.name === 'open') this.wasOpen = true;
    });
  }

  retryNow(): void {
    this.#client.retryNow();
  }
}
