/** What peers' groups bring to this node's policy, live while watched. */
import type { BenefitReport } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

export class BenefitController {
  report = $state.raw<BenefitReport | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const ends = [
      this.#client.subscribe('benefit', (report) => (this.report = report)),
      loadWhenOpen(
        this.#client,
        async () => {
          this.report = await this.#client.invoke('benefit', null);
        },
        (loading) => (this.loading = loading),
      ),
    ];
    return () => ends.forEach((end) => end());
  }
}
