/**
 * What was just tried, newest first. Bounded to `keepAtMost` rows whatever happens. While live, new rows appear at the top;
 * while held, they are only counted, so that the text under the reader's eyes stays where it is.
 */
import type { ApiFault, RolloutRow } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

export type OriginFilter = 'all' | 'own' | 'peers';
const defaultPage = 40;
const keepAtMost = 200;

export class RolloutsController {
  rows = $state.raw<readonly RolloutRow[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  origin = $state<OriginFilter>('all');
  live = $state(true);
  /** Rows that came while held. */
  waiting = $state(0);
  loadingOlder = $state(false);
  olderFault = $state.raw<ApiFault | null>(null);
  reachedOldest = $state(false);
  readonly #client: LinkedClient;
  /** Rows asked for at once. */
  readonly #page: number;

  constructor(client: LinkedClient, origin: OriginFilter = 'all', page = defaultPage) {
    this.#client = client;
    this.origin = origin;
    this.#page = page;
  }

  watch(): () => void {
    const ends = [
      this.#client.subscribe('rollouts', (rows) => this.#add(rows)),
      loadWhenOpen(
        this.#client,
        () => this.#loadNewest(),
        (loading) => (this.loading = loading),
      ),
    ];
    return () => ends.forEach((end) => end());
  }

  async choose(origin: OriginFilter): Promise<void> {
    this.origin = origin;
    this.rows = [];
    this.loading = { name: 'loading' };
    await this.toNewest();
  }

  hold(): void {
    this.live = false;
  }

  /** Back to the newest rows, and live again. */
  async toNewest(): Promise<void> {
    this.live = true;
    try {
      await this.#loadNewest();
      this.loading = { name: 'ready' };
    } catch (error) {
      this.loading = { name: 'failed', fault: toFault(error) };
    }
  }

  async loadOlder(): Promise<void> {
    const last = this.rows.at(-1);
    if (!last || this.loadingOlder) return;
    this.live = false;
    this.loadingOlder = true;
    const origin = this.origin;
    try {
      const older = await this.#client.invoke('rollouts', { limit: this.#page, beforeId: last.id, origin });
      if (origin !== this.origin) return;
      this.reachedOldest = older.length < this.#page;
      this.rows = [...this.rows, ...older].slice(-keepAtMost);
      this.olderFault = null;
    } catch (error) {
      this.olderFault = toFault(error);
    } finally {
      this.loadingOlder = false;
    }
  }

  async #loadNewest(): Promise<void> {
    const origin = this.origin;
    const rows = await this.#client.invoke('rollouts', { limit: this.#page, beforeId: null, origin });
    if (origin !== this.origin) return;
    this.rows = rows;
    this.reachedOldest = rows.length < this.#page;
    this.waiting = 0;
  }

  #add(pushed: readonly RolloutRow[]): void {
    if (this.loading.name !== 'ready') return;
    const newest = this.rows[0]?.id ?? -Infinity;
    const fresh = pushed
      .filter((row) => row.id > newest && (this.origin === 'all' || row.own === (this.origin === 'own')))
      .sort((a, b) => b.id - a.id);
    if (fresh.length === 0) return;
    if (!this.live) this.waiting += fresh.length;
    else {
      const rows = [...fresh, ...this.rows];
      if (rows.length > keepAtMost) this.reachedOldest = false;
      this.rows = rows.slice(0, keepAtMost);
    }
  }
}
