/**
 * The board of credit and where the own score comes from, over one sliding window. The API pushes neither, so both are asked
 * for again every few seconds while watched.
 */
import type { BoardRow, BoardWindow, OwnScore } from '../../src-main/engine/api.ts';
import type { PeerId } from '../../src-main/types.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';
import { loadRegularly, type Loading } from './loading.ts';

const everyMs = 10_000;

export class BoardController {
  /** Highest score first; empty without a swarm. */
  rows = $state.raw<readonly BoardRow[]>([]);
  /** Null without a swarm. */
  own = $state.raw<OwnScore | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  /** As chosen. */
  window = $state<BoardWindow>('week');
  /** That `rows` and `own` are of: the chosen one as soon as the node has answered. */
  shown = $state<BoardWindow>('week');
  readonly #names = $derived<Record<PeerId, string | null>>(
    Object.fromEntries(this.rows.flatMap((row) => [row.owner, ...row.devices].map((key) => [key, row.displayName]))),
  );
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  /** What the owner of this device calls themselves, where the board knows. */
  nameOf(peer: PeerId): string | null {
    return this.#names[peer] ?? null;
  }

  watch(): () => void {
    return loadRegularly(
      this.#client,
      () => this.#load(),
      (loading) => (this.loading = loading),
      { everyMs },
    );
  }

  async choose(window: BoardWindow): Promise<void> {
    this.window = window;
    try {
      await this.#load();
      this.loading = { name: 'ready' };
    } catch (error) {
      this.loading = { name: 'failed', fault: toFault(error) };
    }
  }

  /** A reply for a window that is no longer chosen is dropped. */
  async #load(): Promise<void> {
    const { window } = this;
    const [rows, own] = await Promise.all([
      this.#client.invoke('board', { window }),
      this.#client.invoke('ownScore', { window }),
    ]);
    if (window !== this.window) return;
    this.rows = rows;
    this.own = own;
    this.shown = window;
  }
}
