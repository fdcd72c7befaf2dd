/** What the page knows about its link to the node, and the client type that carries it. Types only. */
import type { NodeClient } from '../../src-main/engine/api.ts';

export type Connection =
  | { name: 'connecting' }
  | { name: 'open' }
  /** `attempt` counts failures since the last open link; `retryAt` is ms since epoch, null while an attempt runs. */
  | { name: 'lost'; attempt: number; retryAt: number | null };

export interface LinkedClient extends NodeClient {
  /** Calls the listener at once and on every change; returns the function that ends it. */
  watchConnection(listener: (connection: Connection) => void): () => void;
  /** Skips the rest of the back-off. */
  retryNow(): void;
  close(): void;
}
