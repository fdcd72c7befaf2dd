/** The 24 words against BIP-39's published vectors (256-bit ones of the reference implementation), and every way to mistype. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { randomBytes } from '../../../src-main/swarm/identity/crypto.ts';
import { phraseOfSeed, seedOfPhrase } from '../../../src-main/swarm/identity/recovery-phrase.ts';
import { WORDS } from '../../../src-main/tasks/words.ts';

const repeat = (text: string, times: number) => Array.from({ length: times }, () => text).join(' ');
const VECTORS: [string, string][] = [
  ['00'.repeat(32), `${repeat('abandon', 23)} art`],
  [
    '7f'.repeat(32),
    `${repeat('legal winner thank year wave sausage worth useful', 2)} legal winner thank year wave sausage worth title`,
  ],
  [
    '80'.repeat(32),
    `${repeat('letter advice cage absurd amount doctor acoustic avoid', 2)} letter advice cage absurd amount doctor acoustic bless`,
  ],
  ['ff'.repeat(32), `${repeat('zoo', 23)} vote`],
  [
    '68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c',
    'hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length',
  ],
  [
    'f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f',
    'void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group space point ten exist slush involve unfold',
  ],
];

test('the word list is BIP-39 English, word for word', () => {
  assert.equal(WORDS.length, 2048);
  const digest = createHash('sha256')
    .update(`${WORDS.join('\n')}\n`)
    .digest('hex');
  assert.equal(digest, '2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda');
});

test('published vectors, both ways; 200 random seeds', () => {
  for (const [seed, phrase] of VECTORS) {
    assert.equal(phraseOfSeed(Buffer.from(seed, 'hex'), WORDS).join(' '), phrase);
    assert.deepEqual(seedOfPhrase(phrase, WORDS), { ok: true, seed: Buffer.from(seed, 'hex') });
  }
  for (let i = 0; i < 200; i++) {
    const seed = randomBytes(32);
    assert.deepEqual(seedOfPhrase(phraseOfSeed(seed, WORDS).join(' '), WORDS), { ok: true, seed });
  }
});

test('people type as they like; mistakes are named and never become a seed', () => {
  const seed = Buffer.from(VECTORS[4]![0], 'hex');
  const words = VECTORS[4]![1].split(' ');
  assert.deepEqual(seedOfPhrase(`\n  ${words.join('\t \n').toUpperCase()} `, WORDS), { ok: true, seed });
  assert.deepEqual(seedOfPhrase(words.map((word) => word.slice(0, 4)).join(' '), WORDS), { ok: true, seed });
  assert.deepEqual(seedOfPhrase(words.slice(1).join(' '), WORDS), { ok: false, reason: 'wordCount', found: 23 });
  assert.deepEqual(seedOfPhrase('', WORDS), { ok: false, reason: 'wordCount', found: 0 });
  assert.deepEqual(seedOfPhrase(words.with(2, 'privat').join(' '), WORDS), {
    ok: false,
    reason: 'unknownWord',
    position: 3,
    nearest: 'private',
  });
  assert.deepEqual(seedOfPhrase(words.with(23, 'xyzzyx').join(' '), WORDS), {
    ok: false,
    reason: 'unknownWord',
    position: 24,
    nearest: null,
  });
  assert.equal(seedOfPhrase('a'.repeat(10_000_000), WORDS).ok, false);
  let wrong = 0;
  for (let i = 0; i < 23; i++) {
    const swapped = words.with(i, words[i + 1]!).with(i + 1, words[i]!);
    const parsed = seedOfPhrase(swapped.join(' '), WORDS);
    if (!parsed.ok && parsed.reason === 'checksum') wrong++;
  }
  assert.ok(wrong >= 22, `neighbours swapped: ${String(wrong)} of 23 noticed (an 8-bit checksum misses one in 256)`);
  assert.throws(() => phraseOfSeed(seed.subarray(1), WORDS), RangeError);
});
