import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bucketRows, microBatch } from '../../../native-models/runtime/batch.ts';

const padded = (tokens: number): number => Math.ceil(Math.max(1, tokens - 1) / 8) * 8;

test('every row is in exactly one bucket, within the token budget unless alone', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 2000 }),
      (lengths, maxTokens) => {
        const buckets = bucketRows(lengths, maxTokens);
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
  assert.deepEqual(bucketRows([9, 100, 9, 101, 9], 240), [
    [3, 1],
    [0, 2, 4],
  ]);
  assert.deepEqual(bucketRows([], 10), []);
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
