/**
 * Seeded random numbers for sampling: xoshiro128** (Blackman and Vigna, 2018), 128 bits of state that can be stored.
 * Not for keys or secrets. Streams are told apart by a label, so that adding draws to one does not shift another.
 */
import { createHash } from 'node:crypto';

export type RandomState = readonly [number, number, number, number];

export interface Random {
  /** Uniform over 0 .. 2^32 - 1. */
  uint32(): number;
  /** Uniform over [0, 1) with 53 bits; two draws. */
  float(): number;
  /** Uniform whole number over 0 .. bound - 1, without modulo bias; 1 <= bound <= 2^32. */
  below(bound: number): number;
  /** `count` different items (all of them, when there are fewer), in random order; the input is left alone. */
  sample<T>(items: readonly T[], count: number): T[];
  /** Continue from it with `randomFromState`. */
  state(): RandomState;
}

/** A stream of its own for every (seed, label), for example label `sampling/17` for round 17. */
export function createRandom(seed: number | string, label = ''): Random {
  const digest = createHash('sha256').update(`waggle-random\0${seed}\0${label}`).digest();
  return randomFromState([
    digest.readUInt32LE(0),
    digest.readUInt32LE(4),
    digest.readUInt32LE(8),
    digest.readUInt32LE(12),
  ]);
}

/** @throws RangeError unless the state is four 32-bit numbers, not all zero. */
export function randomFromState(state: RandomState): Random {
  const legal =
    (state as readonly number[]).length === 4 &&
    state.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff);
  if (!legal || state.every((word) => word === 0))
    throw new RangeError('a random state is four 32-bit numbers, not all zero');
  const s = Uint32Array.from(state);
  const rotl = (word: number, by: number) => (word << by) | (word >>> (32 - by));

  const uint32 = () => {
    const result = Math.imul(rotl(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotl(s[3]!, 11);
    return result;
  };
  const below = (bound: number) => {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32)
      throw new RangeError(`bound ${bound} is not from 1 to 2^32`);
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const draw = uint32();
      if (draw < limit) return draw % bound;
    }
  };
  return {
    uint32,
    below,
    float: () => ((uint32() >>> 5) * 2 ** 26 + (uint32() >>> 6)) / 2 ** 53,
    sample: (items, count) => {
      const pool = [...items];
      const taken = Math.min(Math.max(0, count), pool.length);
      for (let at = 0; at < taken; at++) {
        const other = at + below(pool.length - at);
        [pool[at], pool[other]] = [pool[other]!, pool[at]!];
      }
      return pool.slice(0, taken);
    },
    state: () => [s[0]!, s[1]!, s[2]!, s[3]!],
  };
}
