/** What the machine has and how each compute provider did in its trial. Loaded on each opening of the link and on request. */
import type { HardwareReport } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

export class HardwareController {
  report = $state.raw<HardwareReport | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    return loadWhenOpen(
      this.#client,
      () => this.reload(),
      (loading) => (this.loading = loading),
    );
  }

  async reload(): Promise<void> {
    this.report = await this.#client.invoke('hardware', null);
  }
}
