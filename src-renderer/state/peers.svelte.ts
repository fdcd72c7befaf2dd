/** The peers this node has met. The API pushes no peer events, so this asks again every few seconds while watched. */
import type { PeerRow } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadRegularly, type Loading } from './loading.ts';

const everyMs = 5_000;

export class PeersController {
  rows = $state.raw<readonly PeerRow[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const load = async (): Promise<void> => {
      this.rows = await this.#client.invoke('peers', null);
    };
    return loadRegularly(this.#client, load, (loading) => (this.loading = loading), { everyMs });
  }
}
