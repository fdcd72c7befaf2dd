/**
 * Token bucket. Time is passed in (monotonic milliseconds), so that it is the caller's clock and tests need not wait.
 */
export class RateLimit {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Tokens there are now, fractions included; negative after `spend` went into debt. */
  available(nowMs: number): number {
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#tokens = Math.min(this.#burst, this.#tokens + passedMs * this.#perMs);
    return this.#tokens;
  }

  /** Takes `count` when there are as many; otherwise takes nothing and says false. */
  take(count: number, nowMs: number): boolean {
    if (this.available(nowMs) < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** Takes `count` even into debt: for what has already happened. */
  spend(count: number, nowMs: number): void {
    this.available(nowMs);
    this.#tokens -= count;
  }

  /** Milliseconds until `count` are there; at least 1. */
  waitMs(count: number, nowMs: number): number {
    return Math.max(1, Math.ceil((count - this.available(nowMs)) / this.#perMs));
  }
}
