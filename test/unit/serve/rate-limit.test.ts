import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRateLimit } from '../../../src-main/engine/serve/rate-limit.ts';

test('a burst passes, the rest waits for the refill, and the bucket never holds more than the burst', () => {
  let atMs = 0;
  const take = createRateLimit({ burst: 3, perSecond: 2 }, () => atMs);
  assert.deepEqual([take(), take(), take(), take()], [true, true, true, false]);
  atMs = 499;
  assert.equal(take(), false);
  atMs = 500;
  assert.deepEqual([take(), take()], [true, false]);
  atMs = 3_600_000;
  assert.deepEqual([take(), take(), take(), take()], [true, true, true, false]);
});

test('a clock that steps back neither refills nor empties the bucket', () => {
  let atMs = 10_000;
  const take = createRateLimit({ burst: 2, perSecond: 1 }, () => atMs);
  assert.equal(take(), true);
  atMs = 0;
  assert.deepEqual([take(), take()], [true, false]);
});
