/**
 * What the machine has and how each compute provider did in its trial. Loaded on each opening of the link and on request, and
 * again and again while a trial is going on.
 */
import type { ApiFault, HardwareReport } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

const TRYING_POLL_MS = 1000;

export class HardwareController {
  report = $state.raw<HardwareReport | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  /** Why the last wish to try again failed. */
  askFault = $state.raw<ApiFault | null>(null);
  readonly #client: LinkedClient;
  #poll: ReturnType<typeof setTimeout> | undefined;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const end = loadWhenOpen(
      this.#client,
      () => this.reload(),
      (loading) => (this.loading = loading),
    );
    return () => {
      clearTimeout(this.#poll);
      end();
    };
  }

  async reload(): Promise<void> {
    clearTimeout(this.#poll);
    const report = await this.#client.invoke('hardware', null);
    this.report = report;
    if (report.trying) this.#poll = setTimeout(() => void this.reload().catch(() => undefined), TRYING_POLL_MS);
  }

  /** Has the node try every provider again; `report.trying` says until when. */
  async tryAgain(): Promise<void> {
    try {
      this.askFault = null;
      await this.#client.invoke('tryProviders', null);
      await this.reload();
    } catch (error) {
      this.askFault = toFault(error);
    }
  }
}
