/** Where right answers to imitate come from and which were imitated lately; asked for again as rounds finish, at most every few seconds. */
import type { DemonstrationReport } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadAsRoundsFinish, type Loading } from './loading.ts';

const SHOWN = 24;

export class DemonstrationsController {
  report = $state.raw<DemonstrationReport | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const load = async () => {
      this.report = await this.#client.invoke('demonstrations', { limit: SHOWN });
    };
    return loadAsRoundsFinish(this.#client, load, (loading) => (this.loading = loading));
  }
}
