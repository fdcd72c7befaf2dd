import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warmupConstant, warmupCosine } from '../../../native-models/optim/schedule.ts';

test('warmupConstant rises linearly to the peak and stays', () => {
  assert.deepEqual(
    [0, 1, 3, 4, 100].map((step) => warmupConstant(step, 8, 4)),
    [2, 4, 8, 8, 8],
  );
  assert.equal(warmupConstant(0, 8, 0), 8);
});

test('warmupCosine rises, is halfway down in the middle, and ends at the floor', () => {
  const at = (step: number): number => warmupCosine(step, 1, 10, 110, 0.2);
  assert.equal(at(0), 0.1);
  assert.equal(at(9), 1);
  assert.equal(at(10), 1);
  assert.ok(Math.abs(at(60) - 0.6) < 1e-12);
  assert.ok(Math.abs(at(110) - 0.2) < 1e-12);
  assert.ok(Math.abs(at(500) - 0.2) < 1e-12);
  for (let step = 10; step < 110; step++) assert.ok(at(step + 1) < at(step));
  assert.ok(Number.isFinite(warmupCosine(0, 1, 0, 0)));
});
