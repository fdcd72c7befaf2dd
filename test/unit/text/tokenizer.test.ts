// The tokenizer against Python's `tokenizers` (vectors), on any Unicode (properties), and on bad folders.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { TokenizerError, type TokenizerErrorCode } from '../../../native-models/text/tokenizer-error.ts';
import { createTokenizer, loadTokenizer, type Tokenizer } from '../../../native-models/text/tokenizer.ts';
import { trainTokenizer } from '../../../native-models/text/train-tokenizer.ts';
import { goldenFolder, trainingOptions, trainingTexts, vectorTexts } from '../../golden/text/corpus.ts';

interface Vectors {
  vocabularySize: number;
  eosId: number;
  bosId: number | null;
  padId: number | null;
  encoded: { text: string; ids: number[]; templateIds: number[]; templateDecoded: string }[];
  decoded: { ids: number[]; text: string }[];
}

const readVectors = async (name: string) => JSON.parse(await readFile(join(goldenFolder, name), 'utf8')) as Vectors;

for (const [folder, file] of [
  ['tokenizer', 'vectors.json'],
  ['merges', 'merges-vectors.json'],
] as const) {
  describe(`against Python: ${folder}`, async () => {
    const tokenizer = await loadTokenizer(join(goldenFolder, folder));
    const vectors = await readVectors(file);

    test('names the same special tokens', () => {
      const { vocabularySize, eosId, bosId, padId } = tokenizer;
      const expected = {
        vocabularySize: vectors.vocabularySize,
        eosId: vectors.eosId,
        bosId: vectors.bosId,
        padId: vectors.padId,
      };
      assert.deepEqual({ vocabularySize, eosId, bosId, padId }, expected);
    });
    test('encodes to the same ids, and back', () => {
      assert.deepEqual(
        vectors.encoded.map((row) => row.text),
        vectorTexts(),
      );
      for (const row of vectors.encoded) {
        assert.deepEqual(tokenizer.encode(row.text), row.ids, JSON.stringify(row.text));
        assert.equal(tokenizer.decode(row.ids), row.text);
        assert.deepEqual(tokenizer.encodeTemplate(row.text), row.templateIds, JSON.stringify(row.text));
        assert.equal(tokenizer.decode(row.templateIds), row.templateDecoded);
      }
    });
    test('decodes broken sequences alike', () => {
      for (const row of vectors.decoded) assert.equal(tokenizer.decode(row.ids), row.text, JSON.stringify(row.ids));
    });
  });
}

describe('the bundled kind of tokenizer', () => {
  const trained = trainTokenizer(trainingTexts(), trainingOptions);
  const tokenizer = createTokenizer(trained.tokenizer, trained.config);

  test('any well-formed text round-trips and never yields a special token', () => {
    const pieces = fc.constantFrom(
      '<|end|>',
      '<|pad|>',
      '<answer>',
      '</answer>',
      'gcd',
      ' gcd',
      '7',
      ' ',
      '<|',
      '|>',
      '🐝',
    );
    const text = fc
      .array(fc.oneof(fc.string({ unit: 'binary' }), fc.string(), pieces), { maxLength: 12 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (value) => {
        const ids = tokenizer.encode(value);
        assert.equal(tokenizer.decode(ids), value);
        assert.ok(ids.every((id) => id >= 2 && id < tokenizer.vocabularySize));
      }),
      { numRuns: 500 },
    );
  });
  test('any ids decode to a text, unknown ids to nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: tokenizer.vocabularySize + 50 })), (ids) => {
        const known = ids.filter((id) => id > 1 && id < tokenizer.vocabularySize);
        assert.equal(tokenizer.decode(ids), tokenizer.decode(known));
      }),
    );
    assert.equal(tokenizer.decode([]), '');
    assert.equal(tokenizer.decode([tokenizer.eosId]), '');
  });
  test('a lone surrogate becomes the replacement character, as in Python', () => {
    assert.equal(tokenizer.decode(tokenizer.encode('a\ud800b')), 'a\ufffdb');
  });
  test('refuses what is no id', () => {
    for (const id of [-1, 1.5, Number.NaN]) assertCode('badTokenId', () => tokenizer.decode([id]));
  });
  test('each digit and each answer tag is one token', () => {
    assert.equal(tokenizer.encode('<answer>1234567890</answer>').length, 12);
    assert.equal(tokenizer.encode(' 1 2').length, 4);
  });
});

describe('bad folders', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'waggle-tokenizer-'));
  after(() => rm(directory, { recursive: true, force: true }));
  const good = trainTokenizer(trainingTexts(), trainingOptions);
  const model = good.tokenizer.model as Record<string, unknown>;
  const load = async (tokenizer: string | null, config: string | null): Promise<Tokenizer> => {
    await rm(join(directory, 'tokenizer.json'), { force: true });
    await rm(join(directory, 'tokenizer_config.json'), { force: true });
    if (tokenizer !== null) await writeFile(join(directory, 'tokenizer.json'), tokenizer);
    if (config !== null) await writeFile(join(directory, 'tokenizer_config.json'), config);
    return loadTokenizer(directory);
  };
  const json = JSON.stringify(good.tokenizer);
  const config = JSON.stringify(good.config);
  const changed = (change: object) => JSON.stringify({ ...good.tokenizer, ...change });
  const cases: [string, TokenizerErrorCode, string | null, string | null, string][] = [
    ['no tokenizer.json', 'missingFile', null, config, 'tokenizer.json'],
    ['no tokenizer_config.json', 'missingFile', json, null, 'tokenizer_config.json'],
    ['cut short', 'notJson', json.slice(0, json.length >> 1), config, 'tokenizer.json'],
    ['empty', 'notJson', '', config, 'tokenizer.json'],
    ['a list', 'badShape', '[]', config, 'tokenizer.json'],
    ['config null', 'badShape', json, 'null', 'tokenizer_config.json'],
    ['no model', 'badShape', '{}', config, 'tokenizer.json'],
    ['no vocabulary', 'badShape', changed({ model: { ...model, vocab: 7 } }), config, 'tokenizer.json'],
    [
      'an id that is no number',
      'badShape',
      changed({ model: { ...model, vocab: { a: 'x' } } }),
      config,
      'tokenizer.json',
    ],
    ['a huge id', 'badShape', changed({ model: { ...model, vocab: { a: 4e9 } } }), config, 'tokenizer.json'],
    ['no merges', 'badShape', changed({ model: { ...model, merges: null } }), config, 'tokenizer.json'],
    [
      'a byte without a symbol',
      'badShape',
      changed({ model: { ...model, vocab: { a: 0 } } }),
      config,
      'tokenizer.json',
    ],
    ['added tokens that are none', 'badShape', changed({ added_tokens: [{ id: 'x' }] }), config, 'tokenizer.json'],
    ['unknown pre-tokenizer', 'badShape', changed({ pre_tokenizer: { type: 'Nope' } }), config, 'tokenizer.json'],
    ['no end token', 'noEndToken', json, '{}', 'tokenizer_config.json'],
    [
      'an end token that is not in the vocabulary',
      'noEndToken',
      json,
      '{"eos_token":"<|none|>"}',
      'tokenizer_config.json',
    ],
  ];
  for (const [name, code, tokenizerText, configText, file] of cases) {
    test(name, async () => {
      await assert.rejects(load(tokenizerText, configText), (error) => {
        assert.ok(error instanceof TokenizerError, String(error));
        assert.deepEqual([error.code, error.file], [code, join(directory, file)]);
        assert.ok(error.fix.length > 10 && error.message.includes(error.fix));
        return true;
      });
    });
  }
});

function assertCode(code: TokenizerErrorCode, run: () => unknown): void {
  assert.throws(run, (error) => error instanceof TokenizerError && error.code === code);
}
