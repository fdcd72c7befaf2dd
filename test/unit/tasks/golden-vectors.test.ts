/** Every generator against vectors made by the real reasoning-gym, and the random numbers against CPython's. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { PythonRandom } from '../../../src-main/tasks/python-random.ts';
import { getGenerator, listGenerators } from '../../../src-main/tasks/registry.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import type { JsonObject } from '../../../src-main/types.ts';

interface GoldenItem {
  index: number;
  undefined?: true;
  /** Null where any right answer counts and the reference states none. */
  answer: string | null;
  metadata: JsonObject;
  spellings?: [answer: string, right: boolean][];
}

interface GoldenCase {
  config: JsonObject;
  seed: string;
  items: GoldenItem[];
}

/** Those that draw on our own words and programs. */
const OWN_INSTANCES = new Set(['spell_backward', 'letter_counting', 'bf']);

function golden<T>(name: string): T[] {
  const path = new URL(`../../golden/reasoning-gym/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { cases: T[] }).cases;
}

for (const { name } of listGenerators().filter((generator) => !OWN_INSTANCES.has(generator.name))) {
  test(`${name} equals the reference`, () => {
    const generator = getGenerator(name)!;
    let compared = 0;
    for (const { config, seed, items } of golden<GoldenCase>(name)) {
      for (const item of items) {
        const where = `${name} ${JSON.stringify(config)} seed ${seed} index ${item.index}`;
        const made = instantiate({ generator: name, version: generator.version, config, seed, index: item.index });
        assert.equal(made.ok, item.undefined !== true, where + (made.ok ? '' : ` ${made.reason}`));
        if (!made.ok) continue;
        if (item.answer !== null) assert.equal(made.instance.answer, item.answer, where);
        assert.deepEqual(made.instance.metadata, item.metadata, where);
        for (const [text, right] of item.spellings ?? []) {
          assert.equal(generator.verify(text, made.instance).reward, right ? 1 : 0, `${where} spelling ${text}`);
        }
        compared++;
      }
    }
    assert.ok(compared >= 100, `only ${compared} items compared`);
  });
}

interface RandomCase {
  seed: string;
  random: number[];
  getrandbits: [bits: number, value: string][];
  randbelow: [n: number, value: number][];
  randint: [low: number, high: number, value: number][];
  randrange: [start: number, stop: number, step: number, value: number][];
  choice: string[];
  choices: number[];
  weighted: number[];
  uniform: [low: number, high: number, value: number][];
  shuffle: number[];
  sample: [size: number, count: number, values: number[]][];
}

test('PythonRandom equals CPython', () => {
  for (const golden_ of golden<RandomCase>('python-random')) {
    const random = new PythonRandom(BigInt(golden_.seed));
    const numbers = Array.from({ length: 10 }, (_, i) => i + 10);
    const got: RandomCase = {
      seed: golden_.seed,
      random: golden_.random.map(() => random.random()),
      getrandbits: golden_.getrandbits.map(([bits]) => [bits, String(random.getrandbits(bits))]),
      randbelow: golden_.randbelow.map(([n]) => [n, random.randbelow(n)]),
      randint: golden_.randint.map(([low, high]) => [low, high, random.randint(low, high)]),
      randrange: golden_.randrange.map(([a, b, step]) => [a, b, step, random.randrange(a, b, step)]),
      choice: golden_.choice.map(() => random.choice('abcdefg')),
      choices: random.choices(numbers, null, 5),
      weighted: random.choices(numbers.slice(0, 4), [0.4, 0.4, 0.2, 0], 8),
      uniform: golden_.uniform.map(([low, high]) => [low, high, random.uniform(low, high)]),
      shuffle: [],
      sample: [],
    };
    got.shuffle = Array.from({ length: 25 }, (_, i) => i);
    random.shuffle(got.shuffle);
    got.sample = golden_.sample.map(([size, count]) => {
      const population = Array.from({ length: size }, (_, i) => i);
      return [size, count, random.sample(population, count)];
    });
    assert.deepEqual(got, golden_);
  }
});

test('PythonRandom refuses what CPython refuses', () => {
  const random = new PythonRandom(0n);
  assert.throws(() => random.randbelow(0), RangeError);
  assert.throws(() => random.randbelow(2 ** 53), RangeError);
  assert.throws(() => random.randint(2, 1), RangeError);
  assert.throws(() => random.randrange(0, 5, 0), RangeError);
  assert.throws(() => random.sample([1, 2], 3), RangeError);
  assert.throws(() => random.choices([1, 2], [1], 1), RangeError);
  assert.throws(() => random.choices([1, 2], [0, 0], 1), RangeError);
});
