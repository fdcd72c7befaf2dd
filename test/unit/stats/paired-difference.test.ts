// Paired and pooled differences against hand-computed values, and that the intervals hold what they promise.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRandom } from '../../../src-main/base/random.ts';
import { pairedDifference, poolDifferences } from '../../../src-main/stats/paired-difference.ts';

const near = (actual: number, expected: number, tolerance = 1e-9): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);

test('a pair of scores: mean and standard error of the differences, not of the scores', () => {
  const { mean, standardError } = pairedDifference([0, 1, 0, 1], [1, 1, 0, 1]);
  near(mean, 0.25);
  near(standardError, Math.sqrt((0.75 ** 2 + 3 * 0.25 ** 2) / 3 / 4));
  assert.deepEqual(pairedDifference([0.3, 0.9], [0.3, 0.9]), { mean: 0, standardError: 0.25 });
  assert.throws(() => pairedDifference([1], [1]), RangeError);
  assert.throws(() => pairedDifference([1, 0], [1, 0, 0]), RangeError);
});

test('pooled by hand: alike, and scattered', () => {
  assert.equal(poolDifferences([]), null);
  const one = poolDifferences([{ mean: 0.1, standardError: 0.02 }])!;
  near(one.low, 0.1 - 1.96 * 0.02);
  const alike = poolDifferences(Array(4).fill({ mean: 0.1, standardError: 0.02 }))!;
  near(alike.standardError, 0.01, 1e-12);
  near(alike.high, 0.1 + 3.182 * 0.01, 1e-12);
  // Q = 2 * 0.05^2 / 0.01^2 = 50, tau^2 = (50 - 1) / 10000 = 0.0049, both weights alike, scatter = 0.005 / 0.005.
  const scattered = poolDifferences([
    { mean: 0.05, standardError: 0.01 },
    { mean: 0.15, standardError: 0.01 },
  ])!;
  near(scattered.mean, 0.1);
  near(scattered.standardError, Math.sqrt(0.005 / 2));
  near(scattered.high, 0.1 + 12.706 * Math.sqrt(0.005 / 2));
});

test('the interval holds the truth about 95 times of 100, whether or not the trials differ by more than their errors', () => {
  const random = createRandom(5, 'pooled');
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
  for (const between of [0, 0.03])
    for (const trials of [3, 8, 30]) {
      let held = 0;
      for (let times = 0; times < 2000; times++) {
        const pooled = poolDifferences(
          Array.from({ length: trials }, () => {
            const standardError = 0.01 + 0.02 * random.float();
            return { mean: 0.02 + between * normal() + standardError * normal(), standardError };
          }),
        )!;
        if (pooled.low <= 0.02 && 0.02 <= pooled.high) held++;
      }
      assert.ok(held / 2000 >= 0.935, `${trials} trials, ${between} between them: ${held / 2000}`);
      if (between > 0 && trials > 3)
        assert.ok(held / 2000 <= 0.98, `${trials} trials: needlessly wide, ${held / 2000}`);
    }
});
