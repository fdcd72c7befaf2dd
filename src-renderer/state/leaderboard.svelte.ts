/** Contributions this node has verified, per peer, live while watched. */
import type { LeaderboardRow } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

export class LeaderboardController {
  rows = $state.raw<readonly LeaderboardRow[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const ends = [
      this.#client.subscribe('leaderboard', (rows) => {
        this.rows = rows;
        this.loading = { name: 'ready' };
      }),
      loadWhenOpen(
        this.#client,
        async () => {
          this.rows = await this.#client.invoke('leaderboard', null);
        },
        (loading) => (this.loading = loading),
      ),
    ];
    return () => ends.forEach((end) => end());
  }
}
