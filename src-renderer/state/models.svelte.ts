/**
 * The models that can be trained, those on their way, and going over to another one. What moves comes as an event; the list is asked
 * for again when its revision says so.
 */
import type { CallName, Calls, ModelsActivity, ModelsReport } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadWhenOpen, type Loading } from './loading.ts';
import { outcomeOf, type Outcome } from './outcome.ts';

export type ModelCommand = Extract<
  CallName,
  'downloadModel' | 'cancelDownload' | 'deleteModel' | 'addModelFolder' | 'forgetModelFolder' | 'useModel'
>;

export class ModelsController {
  report = $state.raw<ModelsReport | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  /** The command under way and what it is about. */
  busy = $state.raw<{ name: ModelCommand; of: string } | null>(null);
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const ends = [
      this.#client.subscribe('models', (activity) => this.#accept(activity)),
      loadWhenOpen(
        this.#client,
        () => this.#load(),
        (loading) => (this.loading = loading),
      ),
    ];
    return () => ends.forEach((end) => end());
  }

  /** Null when another command is under way. */
  async command<K extends ModelCommand>(name: K, args: Calls[K]['args'], of: string): Promise<Outcome<null> | null> {
    if (this.busy !== null) return null;
    this.busy = { name, of };
    const answer: Promise<ModelsActivity | ModelsReport> = this.#client.invoke(name, args);
    const outcome = await outcomeOf(answer);
    this.busy = null;
    if (!outcome.ok) return outcome;
    if ('rows' in outcome.value) this.report = outcome.value;
    else this.#accept(outcome.value);
    return { ok: true, value: null };
  }

  #accept(activity: ModelsActivity): void {
    if (this.report === null) return;
    const isOld = activity.revision !== this.report.revision;
    this.report = { ...this.report, ...activity };
    if (isOld) this.#load().catch(() => undefined); // a lost link is shown by the page
  }

  async #load(): Promise<void> {
    this.report = await this.#client.invoke('models', null);
  }
}
