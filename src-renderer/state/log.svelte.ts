/** The node's log, oldest first, live while watched; at most `keepAtMost` lines. */
import type { LogLevel, LogRow } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const keepAtMost = 600;

/** A log line with a number of its own, for the list's keys. */
export interface LogLine extends LogRow {
  key: number;
}

export class LogController {
  lines = $state.raw<readonly LogLine[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  /** Lines below this level are left out. */
  level = $state<LogLevel>('info');
  search = $state('');
  follow = $state(true);
  readonly #client: LinkedClient;
  #nextKey = 0;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  get found(): readonly LogLine[] {
    const wanted = this.search.trim().toLowerCase();
    if (wanted === '') return this.lines;
    return this.lines.filter((line) => `${line.source} ${line.message}`.toLowerCase().includes(wanted));
  }

  watch(): () => void {
    const ends = [
      this.#client.subscribe('log', (row) => {
        if (this.loading.name !== 'ready' || logLevels.indexOf(row.level) < logLevels.indexOf(this.level)) return;
        this.lines = [...this.lines, this.#line(row)].slice(-keepAtMost);
      }),
      loadWhenOpen(
        this.#client,
        () => this.#load(),
        (loading) => (this.loading = loading),
      ),
    ];
    return () => ends.forEach((end) => end());
  }

  async choose(level: LogLevel): Promise<void> {
    this.level = level;
    try {
      await this.#load();
      this.loading = { name: 'ready' };
    } catch (error) {
      this.loading = { name: 'failed', fault: toFault(error) };
    }
  }

  async #load(): Promise<void> {
    const level = this.level;
    const rows = await this.#client.invoke('log', { limit: keepAtMost, level });
    if (level !== this.level) return;
    this.lines = rows.toSorted((a, b) => a.at - b.at).map((row) => this.#line(row));
  }

  #line(row: LogRow): LogLine {
    return { ...row, key: this.#nextKey++ };
  }
}
