/**
 * The receipts behind one row of the board: one row is open at a time, and closing it forgets them. New receipts come in all the
 * time and the API pushes none, so an open row is asked for again while watched.
 */
import type { BoardRow, ReceiptRow } from '../../src-main/engine/api.ts';
import type { PeerId } from '../../src-main/types.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';
import { loadRegularly, type Loading } from './loading.ts';

/** Asked for per device; what is older is in the counts only. */
export const receiptLimit = 100;
const everyMs = 10_000;

export class ReceiptsController {
  /** The owner whose row is open. */
  owner = $state<PeerId | null>(null);
  /** Newest first. */
  rows = $state.raw<readonly ReceiptRow[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;
  #devices: readonly PeerId[] = [];
  #latest = 0;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const isWanted = (): boolean => this.owner !== null;
    const load = async (): Promise<void> => (isWanted() ? this.#load() : undefined);
    // What is shown stays while a repetition fails; a row that could not be opened says so itself.
    return loadRegularly(this.#client, load, () => undefined, { everyMs, isWanted });
  }

  async toggle(row: Pick<BoardRow, 'owner' | 'devices'>): Promise<void> {
    if (this.owner === row.owner) {
      this.close();
      return;
    }
    this.owner = row.owner;
    this.#devices = row.devices;
    this.rows = [];
    this.loading = { name: 'loading' };
    const mine = this.#latest + 1;
    try {
      await this.#load();
    } catch (error) {
      if (mine === this.#latest) this.loading = { name: 'failed', fault: toFault(error) };
    }
  }

  close(): void {
    this.#latest++;
    this.owner = null;
    this.rows = [];
  }

  /** A reply for a row that is no longer open is dropped. */
  async #load(): Promise<void> {
    const mine = ++this.#latest;
    const lists = await Promise.all(
      this.#devices.map((peer) => this.#client.invoke('receipts', { peer, limit: receiptLimit })),
    );
    if (mine !== this.#latest) return;
    this.rows = lists.flat().sort((a, b) => b.at - a.at);
    this.loading = { name: 'ready' };
  }
}
