/**
 * Bounded memory: a map that forgets the least recently written entry. Everything in this folder whose size a peer could
 * drive is one of these. Knows nothing of what it holds.
 */
export class RecentMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Writes and makes it the newest; returns the value that was forgotten for it, if any. */
  set(key: string, value: V): V | undefined {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#capacity) return undefined;
    const oldest = this.#entries.keys().next();
    if (oldest.done === true) return undefined;
    const forgotten = this.#entries.get(oldest.value);
    this.#entries.delete(oldest.value);
    return forgotten;
  }

  delete(key: string): boolean {
    return this.#entries.delete(key);
  }

  values(): V[] {
    return [...this.#entries.values()];
  }

  entries(): [string, V][] {
    return [...this.#entries.entries()];
  }
}
