/** How the node fares at each task of its set; asked for again as rounds finish, at most every few seconds. */
import type { TaskPractice } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadAsRoundsFinish, type Loading } from './loading.ts';

export class PracticeController {
  practice = $state.raw<TaskPractice | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const load = async () => {
      this.practice = await this.#client.invoke('practice', null);
    };
    return loadAsRoundsFinish(this.#client, load, (loading) => (this.loading = loading));
  }
}
