/**
 * CPython's `random.Random`, draw for draw: Mersenne Twister MT19937 seeded by init_by_array, and the methods of Lib/random.py
 * that the task generators use. Knows nothing of tasks.
 *
 * Invariant: for the same integer seed and the same calls it yields what CPython 3.9 and later yields (golden vectors in
 * test/golden/reasoning-gym). Numbers must be safe integers; ranges wider than 2^53 are not offered.
 * Source: Matsumoto and Nishimura 1998 (mt19937ar); CPython Modules/_randommodule.c and Lib/random.py.
 */

const STATE_WORDS = 624;
const SHIFT_WORDS = 397;
const TWIST = 0x9908b0df;
const UPPER_BIT = 0x80000000;
const LOWER_BITS = 0x7fffffff;

/** abs(seed) as 32-bit words, least significant first; zero is one word. */
function seedWords(seed: bigint): number[] {
  let rest = seed < 0n ? -seed : seed;
  const words: number[] = [];
  do {
    words.push(Number(rest & 0xffffffffn));
    rest >>= 32n;
  } while (rest > 0n);
  return words;
}

function bitLength(n: number): number {
  return n < 0x100000000 ? 32 - Math.clz32(n) : 64 - Math.clz32(Math.floor(n / 0x100000000));
}

/** init_genrand(19650218), which every seeding begins with. */
const SEEDLING = ((): Uint32Array => {
  const state = new Uint32Array(STATE_WORDS);
  state[0] = 19650218;
  for (let i = 1; i < STATE_WORDS; i++) {
    const before = state[i - 1]!;
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  return state;
})();

export class PythonRandom {
  readonly #state = SEEDLING.slice();
  /** The word that comes next. Each is renewed when its turn comes, not all 624 at once: a task draws a dozen. */
  #next = 0;

  constructor(seed: bigint) {
    this.#initByArray(seedWords(seed));
  }

  #initByArray(key: readonly number[]): void {
    const state = this.#state;
    let before = state[0]!;
    let i = 1;
    let j = 0;
    for (let k = Math.max(STATE_WORDS, key.length); k > 0; k--) {
      before = ((state[i]! ^ Math.imul(before ^ (before >>> 30), 1664525)) + key[j]! + j) | 0;
      state[i] = before;
      if (++i >= STATE_WORDS) {
        state[0] = before;
        i = 1;
      }
      if (++j >= key.length) j = 0;
    }
    for (let k = STATE_WORDS - 1; k > 0; k--) {
      before = ((state[i]! ^ Math.imul(before ^ (before >>> 30), 1566083941)) - i) | 0;
      state[i] = before;
      if (++i >= STATE_WORDS) {
        state[0] = before;
        i = 1;
      }
    }
    state[0] = UPPER_BIT;
  }

  #word(): number {
    const state = this.#state;
    const i = this.#next;
    const following = i + 1 < STATE_WORDS ? i + 1 : 0;
    const shifted = i + SHIFT_WORDS < STATE_WORDS ? i + SHIFT_WORDS : i + SHIFT_WORDS - STATE_WORDS;
    const mixed = (state[i]! & UPPER_BIT) | (state[following]! & LOWER_BITS);
    let word = state[shifted]! ^ (mixed >>> 1) ^ (mixed & 1 ? TWIST : 0);
    state[i] = word;
    this.#next = following;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /** A float in [0, 1) with 53 random bits. */
  random(): number {
    const high = this.#word() >>> 5;
    const low = this.#word() >>> 6;
    return (high * 0x4000000 + low) / 0x20000000000000;
  }

  /** `bits` (0 or more) random bits as a bigint, low word first. */
  getrandbits(bits: number): bigint {
    let value = 0n;
    let rest = bits;
    for (let shift = 0n; rest > 0; rest -= 32, shift += 32n) {
      const word = this.#word();
      value |= BigInt(rest < 32 ? word >>> (32 - rest) : word) << shift;
    }
    return value;
  }

  /** A safe integer in [0, n), n >= 1: redraws bitLength(n) bits until below n. */
  randbelow(n: number): number {
    if (!Number.isSafeInteger(n) || n < 1)
      throw new RangeError(`randbelow needs a safe integer of at least 1, got ${n}`);
    const bits = bitLength(n);
    for (;;) {
      let value: number;
      if (bits <= 32) {
        value = this.#word() >>> (32 - bits);
      } else {
        const low = this.#word();
        value = (this.#word() >>> (64 - bits)) * 0x100000000 + low;
      }
      if (value < n) return value;
    }
  }

  /** An integer in [low, high], both ends included. */
  randint(low: number, high: number): number {
    return low + this.randbelow(high - low + 1);
  }

  /** An element of range(start, stop, step). */
  randrange(start: number, stop: number, step = 1): number {
    if (step === 0) throw new RangeError('randrange needs a step other than 0');
    const count = Math.floor((stop - start + step - Math.sign(step)) / step);
    return start + step * this.randbelow(count);
  }

  choice<T>(items: ArrayLike<T>): T {
    return items[this.randbelow(items.length)]!;
  }

  /** `count` picks with replacement; with weights by bisection over their running sum, as CPython does. */
  choices<T>(items: readonly T[], weights: readonly number[] | null, count: number): T[] {
    const picked: T[] = [];
    if (weights === null) {
      for (let i = 0; i < count; i++) picked.push(items[Math.floor(this.random() * items.length)]!);
      return picked;
    }
    const sums: number[] = [];
    for (const weight of weights) sums.push((sums.at(-1) ?? 0) + weight);
    const total = sums.at(-1) ?? 0;
    if (sums.length !== items.length || !(total > 0) || !Number.isFinite(total)) {
      throw new RangeError('choices needs one weight per item and a positive finite total');
    }
    for (let i = 0; i < count; i++) {
      const drawn = this.random() * total;
      let at = 0;
      while (at < items.length - 1 && sums[at]! <= drawn) at++;
      picked.push(items[at]!);
    }
    return picked;
  }

  /** Shuffles in place. */
  shuffle(items: unknown[]): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.randbelow(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
  }

  /** `count` distinct positions' items, in the order drawn. */
  sample<T>(items: readonly T[], count: number): T[] {
    const size = items.length;
    if (count < 0 || count > size) throw new RangeError(`cannot sample ${count} of ${size} items`);
    // CPython keeps a pool for small populations and a set for large ones; the threshold changes the draws.
    const setSize = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0);
    const result: T[] = [];
    if (size <= setSize) {
      const pool = [...items];
      for (let i = 0; i < count; i++) {
        const j = this.randbelow(size - i);
        result.push(pool[j]!);
        pool[j] = pool[size - i - 1]!;
      }
      return result;
    }
    const taken = new Set<number>();
    for (let i = 0; i < count; i++) {
      let j = this.randbelow(size);
      while (taken.has(j)) j = this.randbelow(size);
      taken.add(j);
      result.push(items[j]!);
    }
    return result;
  }

  uniform(low: number, high: number): number {
    return low + (high - low) * this.random();
  }
}
