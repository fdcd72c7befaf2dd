/**
 * How many in the last hour, sliding by the minute. Bounded: sixty minutes. Time is handed in (monotonic ms), so that a clock
 * that steps changes nothing.
 */
const MINUTE_MS = 60_000;
const MINUTES = 60;

export class LastHour {
  readonly #counts = new Map<number, number>();

  add(nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS);
    this.#forget(minute);
    this.#counts.set(minute, (this.#counts.get(minute) ?? 0) + 1);
  }

  sum(nowMs: number): number {
    this.#forget(Math.floor(nowMs / MINUTE_MS));
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }

  #forget(minute: number): void {
    for (const at of this.#counts.keys()) if (at <= minute - MINUTES) this.#counts.delete(at);
  }
}
