/**
 * Bounded memory of ids: remembers the latest of them and nothing else. A `RecentMap` costs some 130 bytes an id, this one 24 to 32,
 * outside of what the garbage collector walks; a node remembers up to a quarter of a million. Grows with what it holds, up to its
 * capacity. An id is a hash, as bytes or as hex digits, of which the first 128 bits count: nobody finds two alike.
 */
import { randomFillSync } from 'node:crypto';

const WORDS = 4;
const HEX_DIGITS = /^[0-9a-f]{32}/;
const FIRST_ROOM = 64;
/** Open addressing with steps of one wants every other slot free. */
const SLOTS_PER_ID = 2;

export class RecentIds {
  readonly #capacity: number;
  /** In order of arrival, the oldest overwritten. */
  #ring = new Uint32Array(FIRST_ROOM * WORDS);
  /** Where in the ring an id is, plus one; 0 is free. A power of two. */
  #slots = new Uint32Array(FIRST_ROOM * SLOTS_PER_ID);
  #next = 0;
  #size = 0;
  readonly #asked = new Uint32Array(WORDS);
  /** Odd, and drawn for each table: whoever chooses ids cannot choose where they go. */
  readonly #multipliers = randomFillSync(new Uint32Array(WORDS)).map((word) => word | 1);

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  /** Throws a RangeError where `id` does not begin with 32 lower-case hex digits, or 16 bytes: a bug of the caller. */
  has(id: string | Uint8Array): boolean {
    this.#read(id);
    return this.#slots[this.#slotOf(this.#asked, 0)] !== 0;
  }

  /** True when it was not there yet. One that is there keeps its place in the order. Throws as `has` does. */
  add(id: string | Uint8Array): boolean {
    this.#read(id);
    let slot = this.#slotOf(this.#asked, 0);
    if (this.#slots[slot] !== 0) return false;
    if (this.#size === this.#room) {
      if (this.#room < this.#capacity) this.#grow();
      else this.#forget(this.#next);
      slot = this.#slotOf(this.#asked, 0);
    }
    const at = this.#next;
    this.#ring.set(this.#asked, at * WORDS);
    this.#slots[slot] = at + 1;
    this.#next = (at + 1) % this.#room;
    this.#size++;
    return true;
  }

  /** The newest `count`, or as many as there are, by their first 64 bits. */
  forNewest(count: number, visit: (first: number, second: number) => void): void {
    for (let i = 1; i <= Math.min(count, this.#size); i++) {
      const at = ((this.#next - i + this.#room) % this.#room) * WORDS;
      visit(this.#ring[at]!, this.#ring[at + 1]!);
    }
  }

  get #room(): number {
    return Math.min(this.#capacity, this.#ring.length / WORDS);
  }

  #read(id: string | Uint8Array): void {
    if (typeof id === 'string') this.#readDigits(id);
    else this.#readBytes(id);
  }

  #readBytes(id: Uint8Array): void {
    if (id.byteLength < WORDS * 4) throw new RangeError('an id must have 16 bytes');
    for (let i = 0; i < WORDS; i++)
      this.#asked[i] = (id[4 * i]! << 24) | (id[4 * i + 1]! << 16) | (id[4 * i + 2]! << 8) | id[4 * i + 3]!;
  }

  #readDigits(id: string): void {
    if (!HEX_DIGITS.test(id)) throw new RangeError('an id must begin with 32 hex digits');
    for (let i = 0; i < WORDS; i++) this.#asked[i] = Number.parseInt(id.slice(8 * i, 8 * i + 8), 16);
  }

  /** Multiply-shift hashing (Dietzfelbinger et al. 1997): the top bits of a random odd multiple, summed over the words. */
  #homeOf(words: Uint32Array, from: number): number {
    let sum = 0;
    for (let i = 0; i < WORDS; i++) sum = (sum + Math.imul(words[from + i]!, this.#multipliers[i]!)) | 0;
    return sum >>> (Math.clz32(this.#slots.length) + 1);
  }

  /** The slot the id is in, or the free one where it would go. */
  #slotOf(words: Uint32Array, from: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.#homeOf(words, from);
    for (;;) {
      const at = this.#slots[slot]!;
      if (at === 0 || this.#holds(at - 1, words, from)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #holds(at: number, words: Uint32Array, from: number): boolean {
    for (let i = 0; i < WORDS; i++) if (this.#ring[at * WORDS + i] !== words[from + i]) return false;
    return true;
  }

  /** Frees the slot of the id at this place of the ring, and moves up those that had to step past it. */
  #forget(at: number): void {
    const mask = this.#slots.length - 1;
    let free = this.#slotOf(this.#ring, at * WORDS);
    for (let slot = (free + 1) & mask; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#homeOf(this.#ring, (this.#slots[slot]! - 1) * WORDS);
      // One that is at home after the free slot stays where it is.
      if (((slot - home) & mask) < ((slot - free) & mask)) continue;
      this.#slots[free] = this.#slots[slot]!;
      free = slot;
    }
    this.#slots[free] = 0;
    this.#size--;
  }

  /** To twice the room. Only a table that has never wrapped grows, so the ring stays in order. */
  #grow(): void {
    const ring = this.#ring;
    this.#ring = new Uint32Array(ring.length * 2);
    this.#ring.set(ring);
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let at = 0; at < this.#size; at++) this.#slots[this.#slotOf(ring, at * WORDS)] = at + 1;
    this.#next = this.#size;
  }
}
