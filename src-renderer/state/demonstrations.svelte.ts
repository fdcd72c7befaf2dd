/** Where right answers to imitate come from and which were imitated lately; asked for again as rounds finish, at most every few seconds. */
import type { DemonstrationReport } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

const REFRESH_MS = 4000;
const SHOWN = 24;

export class DemonstrationsController {
  report = $state.raw<DemonstrationReport | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = async () => {
      this.report = await this.#client.invoke('demonstrations', { limit: SHOWN });
    };
    const ends = [
      loadWhenOpen(this.#client, load, (loading) => (this.loading = loading)),
      this.#client.subscribe('round', () => {
        timer ??= setTimeout(() => {
          timer = undefined;
          // What is shown stays; a lost link is told by the page itself.
          load().catch(() => undefined);
        }, REFRESH_MS);
      }),
      () => clearTimeout(timer),
    ];
    return () => ends.forEach((end) => end());
  }
}
