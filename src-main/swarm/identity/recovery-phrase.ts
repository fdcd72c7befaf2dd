/**
 * 24 words that are an identity's seed, to be written on paper: BIP-39's encoding of 256 bits (11 bits a word, the last 8 bits
 * a checksum, SHA-256). Only the encoding: the seed is the entropy itself, no passphrase and no key stretching.
 * The word list is handed in (BIP-39 English, 2,048 words sorted, tasks/words.ts); the standard's vectors are in the test.
 * Knows nothing of files. A mistyped phrase is a result that says where, never a seed.
 */
import { createHash } from 'node:crypto';
import { SEED_BYTES } from './crypto.ts';

export const PHRASE_WORDS = 24;
const BITS_PER_WORD = 11;
const WORD_LIST_LENGTH = 2 ** BITS_PER_WORD;
/** More than any phrase needs: a wrong file given as a phrase is not worked through. */
const MAX_PHRASE_CHARACTERS = 1024;

export type PhraseFault =
  | { reason: 'wordCount'; found: number }
  | { reason: 'unknownWord'; position: number; nearest: string | null }
  | { reason: 'checksum' };
export type ParsedPhrase = { ok: true; seed: Buffer } | ({ ok: false } & PhraseFault);

/** What is wrong with a phrase, in one sentence. */
export function describePhraseFault(fault: PhraseFault): string {
  switch (fault.reason) {
    case 'wordCount':
      return `A backup has ${String(PHRASE_WORDS)} words; ${String(fault.found)} were given.`;
    case 'unknownWord':
      return `Word ${String(fault.position)} is not in the list${fault.nearest === null ? '' : `; did you mean "${fault.nearest}"`}.`;
    case 'checksum':
      return 'The words are all in the list, but they do not belong together.';
  }
}

/** `seed` has 32 bytes. Throws a RangeError on anything else: it is this node's own. */
export function phraseOfSeed(seed: Uint8Array, wordList: readonly string[]): string[] {
  if (seed.byteLength !== SEED_BYTES || wordList.length !== WORD_LIST_LENGTH)
    throw new RangeError(`seed of ${String(seed.byteLength)} bytes, word list of ${String(wordList.length)}`);
  const bits = BigInt(`0x${Buffer.concat([seed, checksumOf(seed)]).toString('hex')}`);
  return Array.from({ length: PHRASE_WORDS }, (_, i) => {
    const shift = BigInt(BITS_PER_WORD * (PHRASE_WORDS - 1 - i));
    return wordList[Number((bits >> shift) & BigInt(WORD_LIST_LENGTH - 1))]!;
  });
}

/** Any case, any white space; words may be cut to their first four letters, which are unique in the list. */
export function seedOfPhrase(text: string, wordList: readonly string[]): ParsedPhrase {
  const words = text
    .slice(0, MAX_PHRASE_CHARACTERS)
    .normalize('NFKD')
    .toLowerCase()
    .split(/\s+/u)
    .filter((word) => word !== '');
  if (words.length !== PHRASE_WORDS) return { ok: false, reason: 'wordCount', found: words.length };
  let bits = 0n;
  for (const [i, word] of words.entries()) {
    const index = indexOf(word, wordList);
    if (index < 0) return { ok: false, reason: 'unknownWord', position: i + 1, nearest: nearestWord(word, wordList) };
    bits = (bits << BigInt(BITS_PER_WORD)) | BigInt(index);
  }
  const bytes = Buffer.from(bits.toString(16).padStart((SEED_BYTES + 1) * 2, '0'), 'hex');
  const seed = bytes.subarray(0, SEED_BYTES);
  if (!checksumOf(seed).equals(bytes.subarray(SEED_BYTES))) return { ok: false, reason: 'checksum' };
  return { ok: true, seed: Buffer.from(seed) };
}

function checksumOf(seed: Uint8Array): Buffer {
  return createHash('sha256').update(seed).digest().subarray(0, 1);
}

function indexOf(word: string, wordList: readonly string[]): number {
  const exact = wordList.indexOf(word);
  if (exact >= 0 || word.length !== 4) return exact;
  return wordList.findIndex((each) => each.startsWith(word));
}

/** The list's word at edit distance one, for "did you mean"; null when there is none. */
function nearestWord(word: string, wordList: readonly string[]): string | null {
  return wordList.find((each) => Math.abs(each.length - word.length) <= 1 && isOneEditApart(each, word)) ?? null;
}

function isOneEditApart(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return Math.max(a.length, b.length) - start - end <= 1;
}
