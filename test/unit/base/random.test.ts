import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRandom, randomFromState } from '../../../src-main/base/random.ts';

test('xoshiro128** gives the published sequence of state 1, 2, 3, 4', () => {
  // The vector that the reference C implementation gives, as printed in the tests of the rand_xoshiro library.
  const expected = [
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ];
  const random = randomFromState([1, 2, 3, 4]);
  assert.deepEqual(
    expected.map(() => random.uint32()),
    expected,
  );
});

test('the same seed and label give the same stream, another label another', () => {
  const draw = (seed: number, label: string) =>
    Array.from(
      { length: 8 },
      (
        (random) => () =>
          random.uint32()
      )(createRandom(seed, label)),
    );
  assert.deepEqual(draw(7, 'a'), draw(7, 'a'));
  assert.notDeepEqual(draw(7, 'a'), draw(7, 'b'));
  assert.notDeepEqual(draw(7, 'a'), draw(8, 'a'));
});

test('a stored state continues where it was', () => {
  const random = createRandom(3);
  for (let i = 0; i < 100; i++) random.uint32();
  const copy = randomFromState(JSON.parse(JSON.stringify(random.state())) as [number, number, number, number]);
  assert.deepEqual([random.float(), random.below(10), random.uint32()], [copy.float(), copy.below(10), copy.uint32()]);
});

test('illegal states and bounds are refused', () => {
  assert.throws(() => randomFromState([0, 0, 0, 0]), RangeError);
  assert.throws(() => randomFromState([1, 2, 3, -1]), RangeError);
  assert.throws(() => randomFromState([1, 2, 3] as unknown as [number, number, number, number]), RangeError);
  for (const bound of [0, -1, 1.5, NaN, 2 ** 32 + 1]) assert.throws(() => createRandom(1).below(bound), RangeError);
});

test('below and float are uniform enough (chi-square), and in range', () => {
  const random = createRandom(11);
  const draws = 60_000;
  for (const next of [() => random.below(6), () => Math.floor(random.float() * 6)]) {
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < draws; i++) counts[next()]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - draws / 6) ** 2 / (draws / 6), 0);
    assert.ok(chiSquare < 20.5, `${chiSquare}`); // 5 degrees of freedom, p = 0.001
  }
});

test('sample takes different items, all of them when asked for more, and leaves the input alone', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer(), { maxLength: 30 }),
      fc.integer({ min: -2, max: 40 }),
      fc.integer(),
      (items, count, seed) => {
        const before = [...items];
        const taken = createRandom(seed).sample(items, count);
        assert.deepEqual(items, before);
        assert.equal(taken.length, Math.min(Math.max(0, count), items.length));
        assert.equal(new Set(taken).size, taken.length);
        assert.ok(taken.every((item) => items.includes(item)));
      },
    ),
  );
});
