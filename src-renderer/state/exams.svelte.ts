/** The exams the policy took on held-out tasks, live while watched. */
import type { ExamRow } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

const KEPT = 500;

export class ExamsController {
  rows = $state.raw<readonly ExamRow[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const ends = [
      this.#client.subscribe('exam', (row) => {
        this.rows = [...this.rows.filter(({ round }) => round < row.round), row].slice(-KEPT);
      }),
      loadWhenOpen(
        this.#client,
        async () => {
          this.rows = await this.#client.invoke('exams', { limit: KEPT });
        },
        (loading) => (this.loading = loading),
      ),
    ];
    return () => ends.forEach((end) => end());
  }
}
