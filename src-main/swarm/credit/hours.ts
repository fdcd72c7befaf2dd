/**
 * Counts per hour, so that sums over the last day or week slide, and a sum over all time beside them. Bounded: a week of hours.
 * Time is this node's own clock. Hours that it made while it was ahead become the present one when it is seen to be set back.
 */
export const WINDOWS = { day: 24, week: 24 * 7, all: Number.POSITIVE_INFINITY } as const;
export type Window = keyof typeof WINDOWS;

const HOUR_MS = 3_600_000;
const KEPT_HOURS = 24 * 7 + 1;

function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS);
}

export class HourlyCount {
  readonly #hours = new Map<number, number>();
  #all = 0;

  get all(): number {
    return this.#all;
  }

  /** At `atMs`, which may be past. `count` may be negative: taken back. */
  add(count: number, atMs: number, nowMs: number): void {
    this.#settle(hourOf(nowMs));
    this.#all += count;
    this.#addTo(Math.min(hourOf(atMs), hourOf(nowMs)), count);
    if (this.#hours.size <= KEPT_HOURS) return;
    this.#hours.delete(Math.min(...this.#hours.keys()));
  }

  sum(window: Window, nowMs: number): number {
    if (window === 'all') return this.#all;
    this.#settle(hourOf(nowMs));
    const first = hourOf(nowMs) - WINDOWS[window];
    let total = 0;
    for (const [hour, count] of this.#hours) if (hour > first) total += count;
    return total;
  }

  #settle(present: number): void {
    for (const [hour, count] of this.#hours) {
      if (hour <= present) continue;
      this.#hours.delete(hour);
      this.#addTo(present, count);
    }
  }

  #addTo(hour: number, count: number): void {
    this.#hours.set(hour, (this.#hours.get(hour) ?? 0) + count);
  }

  toJson(): [number, [number, number][]] {
    return [this.#all, [...this.#hours]];
  }

  /** Anything that is not what `toJson` gives is an empty count. */
  static fromJson(value: unknown): HourlyCount {
    const count = new HourlyCount();
    if (!Array.isArray(value) || typeof value[0] !== 'number' || !Array.isArray(value[1])) return count;
    for (const pair of value[1].slice(-KEPT_HOURS) as unknown[])
      if (Array.isArray(pair) && Number.isFinite(pair[0]) && Number.isFinite(pair[1]))
        count.#hours.set(Number(pair[0]), Number(pair[1]));
    count.#all = Number.isFinite(value[0]) ? value[0] : 0;
    return count;
  }
}
