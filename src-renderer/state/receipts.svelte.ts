/** The receipts behind one row of the board: one row is open at a time, and closing it forgets them. */
import type { BoardRow, ReceiptRow } from '../../src-main/engine/api.ts';
import type { PeerId } from '../../src-main/types.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';
import type { Loading } from './loading.ts';

/** Asked for per device; what is older is in the counts only. */
export const receiptLimit = 100;

export class ReceiptsController {
  /** The owner whose row is open. */
  owner = $state<PeerId | null>(null);
  /** Newest first. */
  rows = $state.raw<readonly ReceiptRow[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;
  #latest = 0;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  async toggle(row: Pick<BoardRow, 'owner' | 'devices'>): Promise<void> {
    const mine = ++this.#latest;
    this.rows = [];
    if (this.owner === row.owner) {
      this.owner = null;
      return;
    }
    this.owner = row.owner;
    this.loading = { name: 'loading' };
    try {
      const lists = await Promise.all(
        row.devices.map((peer) => this.#client.invoke('receipts', { peer, limit: receiptLimit })),
      );
      if (mine !== this.#latest) return;
      this.rows = lists.flat().sort((a, b) => b.at - a.at);
      this.loading = { name: 'ready' };
    } catch (error) {
      if (mine === this.#latest) this.loading = { name: 'failed', fault: toFault(error) };
    }
  }
}
