/**
 * The newest round known of each start of each origin, from signed records only. Age is measured against it, never against
 * the sender's clock; a restarted origin counts from where it says, without making its new records look old.
 * One object stands for a start wherever something of it is kept, and with it one string for its origin.
 */
import type { PeerId } from '../../types.ts';
import { RecentMap } from '../recent.ts';

/** One start of one origin. */
export interface Start {
  readonly peer: PeerId;
  newestRound: number;
}

export class RoundClock {
  readonly #starts: RecentMap<Start>;
  readonly #maxRoundAge: number;

  constructor(capacity: number, maxRoundAge: number) {
    this.#starts = new RecentMap(capacity);
    this.#maxRoundAge = maxRoundAge;
  }

  /** `instance` tells the starts of `peer` apart. The start becomes the one remembered longest. */
  note(peer: PeerId, instance: string, round: number): Start {
    const key = `${peer}/${instance}`;
    const start = this.#starts.get(key) ?? { peer, newestRound: 0 };
    start.newestRound = Math.max(start.newestRound, round);
    this.#starts.set(key, start);
    return start;
  }

  isStale(start: Start, round: number): boolean {
    return start.newestRound - round > this.#maxRoundAge;
  }
}
