/** How the node fares at each task of its set; asked for again as rounds finish, at most every few seconds. */
import type { TaskPractice } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

const REFRESH_MS = 4000;

export class PracticeController {
  practice = $state.raw<TaskPractice | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = async () => {
      this.practice = await this.#client.invoke('practice', null);
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
