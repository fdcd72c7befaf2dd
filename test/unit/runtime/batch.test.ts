import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bucketRows, microBatch, samePrompts } from '../../../native-models/runtime/batch.ts';

/** Rows of these lengths, with the prompts of these numbers; left out, each with its own. */
const rowsOf = (lengths: readonly number[], prompts = lengths.map((_, i) => i)) =>
  lengths.map((length, i) => ({ tokens: [prompts[i]!, ...new Array<number>(length - 1).fill(1)], promptLength: 1 }));
const padded = (tokens: number): number => Math.ceil(Math.max(1, tokens - 1) / 8) * 8;

test('every row is in exactly one bucket, within the token budget unless alone', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 1, max: 60 }),
      (lengths, maxTokens, prompts) => {
        const rows = rowsOf(
          lengths,
          lengths.map((_, i) => i % prompts),
        );
        const buckets = bucketRows(rows, maxTokens);
        assert.deepEqual(
          buckets.flat().sort((a, b) => a - b),
          lengths.map((_, i) => i),
        );
        for (const bucket of buckets) {
          const longest = Math.max(...bucket.map((i) => lengths[i]!));
          assert.ok(bucket.length === 1 || bucket.length * padded(longest) <= maxTokens);
        }
      },
    ),
  );
});

test('rows of like length share a bucket', () => {
  assert.deepEqual(bucketRows(rowsOf([9, 100, 9, 101, 9]), 240), [
    [3, 1],
    [0, 2, 4],
  ]);
  assert.deepEqual(bucketRows([], 10), []);
});

test('rows with the same prompt share a bucket where they fit, the prompt with the longest row first', () => {
  assert.deepEqual(bucketRows(rowsOf([9, 100, 9, 101, 9], [0, 0, 1, 1, 1]), 240), [[3, 2], [4, 1], [0]]);
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
