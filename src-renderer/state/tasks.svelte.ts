/**
 * The task inspector: the generators there are, the one instance looked at, the reader's own answer and the verdict on it.
 * Instances are made by the node, so what is shown is what a policy gets. An answer that is checked belongs to the instance it
 * was typed for: another instance clears both.
 */
import type { ApiFault, Calls, TaskSample } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';
import { loadWhenOpen, type Loading } from './loading.ts';

export type TaskKind = Calls['tasks']['result'][number];

/** Node seeds are any integer; the inspector starts from one that nobody trains on. */
const FIRST_SEED = '0';

export class TasksController {
  kinds = $state.raw<readonly TaskKind[]>([]);
  loading = $state.raw<Loading>({ name: 'loading' });
  chosen = $state.raw<TaskKind | null>(null);
  level = $state(0);
  seed = $state(FIRST_SEED);
  index = $state(0);
  sample = $state.raw<TaskSample | null>(null);
  fault = $state.raw<ApiFault | null>(null);
  checking = $state(false);
  readonly #client: LinkedClient;
  #latest = 0;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    return loadWhenOpen(
      this.#client,
      async () => {
        this.kinds = await this.#client.invoke('tasks', null);
        const again = this.kinds.find(({ name }) => name === this.chosen?.name) ?? this.kinds[0] ?? null;
        if (again && !this.sample) await this.choose(again.name);
      },
      (loading) => (this.loading = loading),
    );
  }

  async choose(name: string, level = this.level): Promise<void> {
    const kind = this.kinds.find((offered) => offered.name === name);
    if (!kind) return;
    this.chosen = kind;
    this.level = Math.min(level, kind.levels.length - 1);
    await this.#show();
  }

  async chooseLevel(level: number): Promise<void> {
    this.level = level;
    await this.#show();
  }

  async step(by: number): Promise<void> {
    this.index = Math.max(0, this.index + by);
    await this.#show();
  }

  async chooseSeed(seed: string): Promise<void> {
    this.seed = seed.trim();
    this.index = 0;
    await this.#show();
  }

  /** Asks the node for the verdict on `answer`. */
  async check(answer: string): Promise<void> {
    this.checking = true;
    await this.#show(answer);
    this.checking = false;
  }

  /** A reply that a newer question overtook is dropped. */
  async #show(answer?: string): Promise<void> {
    const { chosen } = this;
    if (!chosen) return;
    const mine = ++this.#latest;
    try {
      const sample = await this.#client.invoke('task', {
        generator: chosen.name,
        config: chosen.levels[this.level]?.config ?? {},
        seed: this.seed,
        index: this.index,
        ...(answer === undefined ? {} : { answer }),
      });
      if (mine !== this.#latest) return;
      this.sample = sample;
      this.fault = null;
    } catch (error) {
      if (mine !== this.#latest) return;
      this.fault = toFault(error);
    }
  }
}
