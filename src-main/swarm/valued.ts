/**
 * Bounded memory of what has a worth: when it is full, a newcomer takes the place of the least valued, the oldest of several. What
 * strangers with free keys put in by the thousand pushes out its like, and nothing that took work. Knows nothing of what it holds.
 */
export class ValuedMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #capacity: number;
  readonly #worthOf: (value: V, key: string) => number;

  /** `worthOf` is asked only when a newcomer finds the map full. */
  constructor(capacity: number, worthOf: (value: V, key: string) => number) {
    this.#capacity = capacity;
    this.#worthOf = worthOf;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    if (!this.#entries.has(key) && this.#entries.size >= this.#capacity) this.#forgetLeast();
    this.#entries.set(key, value);
  }

  entries(): [string, V][] {
    return [...this.#entries];
  }

  #forgetLeast(): void {
    let least: string | null = null;
    let worth = Number.POSITIVE_INFINITY;
    for (const [key, value] of this.#entries) {
      const its = this.#worthOf(value, key);
      if (its >= worth) continue;
      least = key;
      worth = its;
    }
    if (least !== null) this.#entries.delete(least);
  }
}
