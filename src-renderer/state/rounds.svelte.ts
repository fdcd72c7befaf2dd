/**
 * The finished rounds, live, and what their metrics mean. Bounded: at most `keepAtMost` points over any number of rounds;
 * beyond that the older ones are thinned evenly while the latest stay whole.
 */
import type { MetricDefinition, RoundRow } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadWhenOpen, type Loading } from './loading.ts';
import { addRound } from './thinning.ts';

const askFor = 800;
/** Rounds that come faster than this are drawn together. */
const gatherMs = 100;

export class RoundsController {
  rows = $state.raw<readonly RoundRow[]>([]);
  definitions = $state.raw<readonly MetricDefinition[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;
  #arrived: RoundRow[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  start(): () => void {
    const ends = [
      this.#client.subscribe('round', (row) => {
        if (this.loading.name !== 'ready') return;
        this.#arrived.push(row);
        this.#timer ??= setTimeout(() => this.#flush(), gatherMs);
      }),
      () => clearTimeout(this.#timer),
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

  #flush(): void {
    this.#timer = undefined;
    this.rows = this.#arrived.reduce<readonly RoundRow[]>(addRound, this.rows);
    this.#arrived = [];
  }
}
