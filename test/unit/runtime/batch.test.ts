import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bucketRows, microBatch, samePrompts } from '../../../native-models/runtime/batch.ts';

/** Rows of these lengths, with the prompts of these numbers; left out, each with its own. */
const rowsOf = (lengths: readonly number[], prompts = lengths.map((_, i) => i)) =>
  lengths.map((length, i) => ({ tokens: [prompts[i]!, ...new Array<number>(length - 1).fill(1)], promptLength: 1 }));
const padded = (tokens: number): number => Math.ceil(Math.max(1, tokens - 1) / 8) * 8;

test('every row is in exactly one bucket, within the token budget unless alone', () => {
  const answers = fc.array(fc.record({ prompt: fc.nat(9), length: fc.integer({ min: 1, max: 300 }) }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(answers, fc.integer({ min: 1, max: 2000 }), (given, maxTokens) => {
      const promptLength = (prompt: number): number => 1 + 13 * prompt;
      const rows = given.map(({ prompt, length }) => ({
        tokens: new Array<number>(promptLength(prompt) + length - 1).fill(prompt),
        promptLength: promptLength(prompt),
      }));
      const buckets = bucketRows(rows, maxTokens);
      assert.deepEqual(
        buckets.flat().sort((a, b) => a - b),
        given.map((_, i) => i),
      );
      for (const bucket of buckets.filter(({ length }) => length > 1)) {
        // Every prompt but its last token once, and that token with the answer for each row.
        const prompts = new Set(bucket.map((i) => given[i]!.prompt));
        const computed = bucket.reduce((sum, i) => sum + Math.max(given[i]!.length - 1, 1), 0);
        const once = [...prompts].reduce((sum, prompt) => sum + promptLength(prompt) - 1, 0);
        const longest = Math.max(...bucket.map((i) => rows[i]!.tokens.length));
        assert.ok(computed + once <= maxTokens + prompts.size, 'computed');
        assert.ok((bucket.length * padded(longest)) / 2 <= maxTokens, 'attended to');
      }
    }),
  );
});

test('the budget counts a shared prompt once, and half of what attention sees where that is more', () => {
  const group = (rows: number, promptLength: number, answer: number) =>
    Array.from({ length: rows }, (_, i) => ({
      tokens: [...new Array<number>(promptLength).fill(1), ...new Array<number>(answer).fill(2 + i)],
      promptLength,
    }));
  const sizes = (rows: ReturnType<typeof group>, maxTokens: number) =>
    bucketRows(rows, maxTokens).map(({ length }) => length);
  // 24 + 8 x 24 tokens are computed, less the last of the prompt's own.
  assert.deepEqual(sizes(group(8, 25, 24), 24 + 8 * 24), [8]);
  assert.deepEqual(sizes(group(8, 25, 24), 24 + 8 * 24 - 1), [7, 1]);
  // 499 + 8 x 4 are computed, but attention sees 8 x 504.
  assert.deepEqual(sizes(group(8, 500, 4), 8 * 252), [8]);
  assert.deepEqual(sizes(group(8, 500, 4), 7 * 252), [7, 1]);
});

test('rows of like length share a bucket', () => {
  assert.deepEqual(bucketRows(rowsOf([9, 100, 9, 101, 9]), 200), [
    [3, 1],
    [0, 2, 4],
  ]);
  assert.deepEqual(bucketRows([], 10), []);
});

test('rows with the same prompt share a bucket where they fit, the prompt with the longest row first', () => {
  assert.deepEqual(bucketRows(rowsOf([9, 100, 9, 101, 9], [0, 0, 1, 1, 1]), 200), [
    [3, 2, 4],
    [1, 0],
  ]);
  assert.deepEqual(
    samePrompts([
      { tokens: [1, 2, 3], promptLength: 2 },
      { tokens: [1, 2, 9, 9], promptLength: 2 },
      { tokens: [1, 2, 9, 9], promptLength: 3 },
      { tokens: [12, 9], promptLength: 1 },
    ]),
    [0, 0, 2, 3],
  );
});

test('targets are shifted by one and only completion tokens count', () => {
  const batch = microBatch(
    [
      { tokens: [5, 6, 7, 8], promptLength: 2, advantage: 0.5, rowWeight: 2, behaviorLogprobs: [-1, -3] },
      { tokens: [4, 3], promptLength: 1, advantage: -1, rowWeight: 1, behaviorLogprobs: null },
    ],
    9,
  );
  assert.deepEqual([batch.rows, batch.length, batch.realTokens], [2, 8, 4]);
  const row = (values: ArrayLike<number>, r: number): number[] => Array.from(values).slice(r * 8, r * 8 + 8);
  assert.deepEqual(row(batch.tokens, 0), [5, 6, 7, 9, 9, 9, 9, 9]);
  assert.deepEqual(row(batch.targets, 0), [6, 7, 8, 9, 9, 9, 9, 9]);
  assert.deepEqual(row(batch.completionMask, 0), [0, 1, 1, 0, 0, 0, 0, 0]);
  assert.deepEqual(row(batch.behaviorLogprobs, 0), [0, -1, -3, 0, 0, 0, 0, 0]);
  assert.deepEqual(row(batch.targets, 1), [3, 9, 9, 9, 9, 9, 9, 9]);
  assert.deepEqual(row(batch.completionMask, 1), [1, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...batch.advantages], [0.5, -1]);
  assert.deepEqual([...batch.rowWeights], [2, 1]);
});
