/**
 * What a node that pulls has already, said in few bytes, so that it is not sent again: a Bloom filter of record ids (Bloom 1970; probes
 * by double hashing, Kirsch and Mitzenmacher 2008). Of what it does not have it claims one in forty or fewer; the salt is drawn for
 * every pull, so that those are others each time. Knows nothing of records.
 */

export const KNOWN_IDS = { maxBytes: 1024, minBytes: 64 } as const;
/** A byte an id: with four probes one false claim in forty when full (2.4 %). */
const PROBES = 4;
/** Odd, with bits all over: 2^32 divided by the golden ratio, and by its square. */
const MULTIPLIERS = [0x9e3779b1, 0x61c88647] as const;

export interface KnownIds {
  /** u32. */
  salt: number;
  /** None, or a power of two from `minBytes` to `maxBytes`; whoever gets it checks that. */
  bits: Uint8Array;
}

/** The first 64 bits of an id, which is a hash. */
export interface IdWords {
  first: number;
  second: number;
}

export const NOTHING_KNOWN: KnownIds = { salt: 0, bits: new Uint8Array(0) };

/** Of an id in hex digits. */
export function idWords(id: string): IdWords {
  return { first: Number.parseInt(id.slice(0, 8), 16), second: Number.parseInt(id.slice(8, 16), 16) };
}

/** An empty filter with room for `count` ids; more make it claim too much. */
export function roomForIds(count: number, salt: number): KnownIds {
  if (count === 0) return NOTHING_KNOWN;
  const bytes = 2 ** Math.ceil(Math.log2(count));
  return { salt, bits: new Uint8Array(Math.min(KNOWN_IDS.maxBytes, Math.max(KNOWN_IDS.minBytes, bytes))) };
}

export function addId({ salt, bits }: KnownIds, first: number, second: number): void {
  const { start, step, shift } = probes(salt, bits, first, second);
  for (let i = 0, at = start; i < PROBES; i++, at = (at + step) | 0)
    bits[(at >>> shift) >>> 3]! |= 1 << ((at >>> shift) & 7);
}

export function claimsId({ salt, bits }: KnownIds, first: number, second: number): boolean {
  if (bits.byteLength === 0) return false;
  const { start, step, shift } = probes(salt, bits, first, second);
  for (let i = 0, at = start; i < PROBES; i++, at = (at + step) | 0)
    if ((bits[(at >>> shift) >>> 3]! & (1 << ((at >>> shift) & 7))) === 0) return false;
  return true;
}

export function isFilterSize(bytes: number): boolean {
  const { minBytes, maxBytes } = KNOWN_IDS;
  return bytes === 0 || (bytes >= minBytes && bytes <= maxBytes && (bytes & (bytes - 1)) === 0);
}

/** The top bits of `start`, `start + step`, ... say where. */
function probes(salt: number, bits: Uint8Array, first: number, second: number) {
  const start = Math.imul(first ^ salt, MULTIPLIERS[0]);
  const step = Math.imul(second ^ salt, MULTIPLIERS[1]) | 1;
  return { start, step, shift: Math.clz32(bits.byteLength * 8) + 1 };
}
