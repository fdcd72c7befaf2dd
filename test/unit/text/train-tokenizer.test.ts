// What the trained vocabulary holds, that it is deterministic, and that the committed golden one is remade exactly.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TokenizerError } from '../../../native-models/text/tokenizer-error.ts';
import { createTokenizer, loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import { trainTokenizer, writeTokenizer } from '../../../native-models/text/train-tokenizer.ts';
import { goldenFolder, trainingOptions, trainingTexts } from '../../golden/text/corpus.ts';

const trained = trainTokenizer(trainingTexts(), trainingOptions);
const tokenizer = createTokenizer(trained.tokenizer, trained.config);
const vocabulary = (trained.tokenizer.model as { vocab: Record<string, number> }).vocab;

test('the golden folder is what training writes today', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'waggle-train-tokenizer-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await writeTokenizer(join(directory, 'new'), trained);
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    assert.equal(
      await readFile(join(directory, 'new', name), 'utf8'),
      await readFile(join(goldenFolder, 'tokenizer', name), 'utf8'),
    );
  }
  assert.deepEqual((await loadTokenizer(join(directory, 'new'))).encode('gcd 12 18'), tokenizer.encode('gcd 12 18'));
});

test('ids: pad, end, the answer tags, 256 bytes, then words by frequency', () => {
  assert.deepEqual([tokenizer.padId, tokenizer.eosId, tokenizer.bosId], [0, 1, null]);
  assert.deepEqual(tokenizer.encode('<answer></answer>'), [2, 3]);
  assert.equal(tokenizer.vocabularySize, 260 + trained.words.length);
  assert.equal(new Set(Object.values(vocabulary)).size, tokenizer.vocabularySize);
  const shares = trained.words.map((word) => word.textShare);
  assert.deepEqual(
    shares,
    [...shares].sort((a, b) => b - a),
  );
});

test('keywords are one token, in the place where they occur', () => {
  for (const [text, tokens] of [
    ['gcd', 1],
    [' gcd', 1],
    ['sort', 1],
    ['sort 31', 4],
    [' sort', 5], // never seen after a space: bytes
    ['sorting', 7],
    ['comb', 4], // payload: rare
    ['honey', 5], // payload: asked for
    [' a', 2], // single letters are payload wherever they stand
  ] as const) {
    assert.equal(tokenizer.encode(text).length, tokens, text);
  }
});

test('word admission: above the share, not at it', () => {
  const texts = ['alpha', 'alpha', 'alpha beta', 'gamma'];
  const words = (minTextShare: number) => trainTokenizer(texts, { minTextShare }).words.map(({ word }) => word);
  assert.deepEqual(words(0.25), ['alpha']);
  assert.deepEqual(words(0.24), ['alpha', ' beta', 'gamma']);
});

test('a word said often in one text counts once, and tags are no words', () => {
  const { words } = trainTokenizer(['<answer>beta beta beta</answer>', 'alpha', 'alpha'], { minTextShare: 0.4 });
  assert.deepEqual(words, [{ word: 'alpha', textShare: 2 / 3 }]);
});

test('the order of the texts does not matter', () => {
  assert.deepEqual(trainTokenizer(trainingTexts().reverse(), trainingOptions), trained);
});

test('maxWords keeps the most frequent', () => {
  const few = trainTokenizer(trainingTexts(), { ...trainingOptions, maxWords: 3 });
  assert.deepEqual(few.words, trained.words.slice(0, 3));
});

test('bad arguments', () => {
  const code = (wanted: string) => (error: unknown) => error instanceof TokenizerError && error.code === wanted;
  assert.throws(() => trainTokenizer([]), code('emptyCorpus'));
  for (const minTextShare of [0, 1, -1, Number.NaN])
    assert.throws(() => trainTokenizer(['a'], { minTextShare }), code('badOption'));
});
