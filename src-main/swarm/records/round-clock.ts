/**
 * The newest round known of each start of each origin, from signed records only. Age is measured against it, never against
 * the sender's clock; a restarted origin counts from where it says, without making its new records look old.
 */
import { RecentMap } from '../recent.ts';

export class RoundClock {
  readonly #newest: RecentMap<number>;
  readonly #maxRoundAge: number;

  constructor(capacity: number, maxRoundAge: number) {
    this.#newest = new RecentMap(capacity);
    this.#maxRoundAge = maxRoundAge;
  }

  /** `start` names one start of one origin: its key and instance id. */
  note(start: string, round: number): void {
    this.#newest.set(start, Math.max(round, this.#newest.get(start) ?? 0));
  }

  isStale(start: string, round: number): boolean {
    return (this.#newest.get(start) ?? 0) - round > this.#maxRoundAge;
  }
}
