import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elapsedWithSleep } from '../../../src-main/swarm/elapsed.ts';

function open() {
  let [wall, awake] = [1_700_000_000_000, 500];
  const elapsed = elapsedWithSleep(
    () => wall,
    () => awake,
  );
  const start = elapsed();
  return {
    passed: () => elapsed() - start,
    pass: (wallMs: number, awakeMs: number) => {
      wall += wallMs;
      awake += awakeMs;
    },
  };
}

test('a night of sleep counts, once', () => {
  const { passed, pass } = open();
  pass(2_000, 2_000);
  assert.equal(passed(), 2_000);
  pass(8 * 3_600_000, 5);
  assert.equal(passed(), 2_000 + 8 * 3_600_000);
  pass(1_000, 1_000);
  assert.equal(passed(), 3_000 + 8 * 3_600_000);
});

test('a wall clock that is corrected, or set back by a year, is no time', () => {
  const { passed, pass } = open();
  pass(2_000 + 30_000, 2_000);
  assert.equal(passed(), 2_000);
  pass(-365 * 24 * 3_600_000, 1_000);
  assert.equal(passed(), 3_000);
  pass(1_000, 1_000);
  assert.equal(passed(), 4_000);
});
