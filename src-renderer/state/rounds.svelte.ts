/**
 * The finished rounds, live, and what their metrics mean. Bounded: at most `keepAtMost` points over any number of rounds;
 * beyond that the older ones are thinned evenly while the latest stay whole.
 */
import type { MetricDefinition, RoundRow } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadWhenOpen, type Loading } from './loading.ts';
import { addRound } from './thinning.ts';

const askFor = 800;

export class RoundsController {
  rows = $state.raw<readonly RoundRow[]>([]);
  definitions = $state.raw<readonly MetricDefinition[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  start(): () => void {
    const ends = [
      this.#client.subscribe('round', (row) => {
        if (this.loading.name === 'ready') this.rows = addRound(this.rows, row);
      }),
      loadWhenOpen(
        this.#client,
        async () => {
          const [rows, definitions] = await Promise.all([
            this.#client.invoke('rounds', { sinceRound: 0, limit: askFor }),
            this.#client.invoke('metrics', null),
          ]);
          this.definitions = definitions;
          this.rows = rows;
        },
        (loading) => (this.loading = loading),
      ),
    ];
    return () => ends.forEach((end) => end());
  }
}
