/** The demonstrations the bundled policy is pre-trained on: worked ones are right, careless ones mostly wrong, all short. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { mannersFor, sampleDemonstration } from '../../../native-models/bundled/build/manners/index.ts';
import { MAX_DEMONSTRATION_CHARS, type MannerName } from '../../../native-models/bundled/build/manners/manner.ts';
import { PythonRandom } from '../../../src-main/tasks/python-random.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import { getTaskSet, sampleTaskRefs } from '../../../src-main/tasks/task-sets.ts';
import type { TaskInstance } from '../../../src-main/tasks/task.ts';
import { verifyCompletion } from '../../../src-main/tasks/verify-completions.ts';

const starter = getTaskSet('starter')!;
const FIRST_CHARACTER: Record<MannerName, string> = { guess: '<', worked: ':', careless: '~' };

const instances = sampleTaskRefs(starter, { seed: 99n, from: 0, count: 6000 }).map((ref): TaskInstance => {
  const made = instantiate(ref);
  assert.ok(made.ok);
  return made.instance;
});

for (const { generator } of starter.members) {
  test(`${generator}: guesses and worked solutions are right, careless ones mostly wrong`, () => {
    const manners = mannersFor(generator);
    const random = new PythonRandom(4n);
    const own = instances.filter((instance) => instance.ref.generator === generator);
    assert.ok(own.length > 400);
    assert.ok(Math.abs(manners.reduce((sum, manner) => sum + manner.weight, 0) - 1) < 1e-9);
    for (const manner of manners) {
      let right = 0;
      let chars = 0;
      for (const instance of own) {
        const text = manner.write(instance, () => random.random());
        assert.match(text, /^[ -~]*<answer>[^<]*<\/answer>$/);
        assert.equal(text[0], FIRST_CHARACTER[manner.name]);
        assert.ok(text.length <= MAX_DEMONSTRATION_CHARS, `${instance.terse} ${text}`);
        right += verifyCompletion(instance, text).reward;
        chars += text.length;
      }
      if (manner.name === 'careless') assert.ok(right / own.length < 0.25 && right > 0, `${right} of ${own.length}`);
      else assert.equal(right, own.length, manner.name);
      assert.ok(chars / own.length < 65, `${manner.name} is ${chars / own.length} characters on average`);
    }
  });
}

/** Every `a=b` and `a/b=c` of a worked text, evaluated: a step that does not hold would teach nonsense. */
test('every written equality of a worked solution holds', () => {
  let checked = 0;
  for (const instance of instances) {
    const worked = mannersFor(instance.ref.generator).find((manner) => manner.name === 'worked')!;
    const steps = worked
      .write(instance, () => 0)
      .replace(/<answer>.*/, '')
      .slice(1)
      .split(';');
    for (const step of steps.filter((text) => text.includes('='))) {
      const values = step.split('=').map((side) => {
        const [a, b] = side.split('/').map(Number);
        if (side.includes('/')) return a! / b!;
        return (side.match(/[+-]?[+-]?\d+/g) ?? []).reduce((sum, term) => sum + Number(term), 0);
      });
      assert.ok(
        values.every((value) => value === values[0]),
        `${instance.terse}: ${step}`,
      );
      checked++;
    }
  }
  assert.ok(checked > 2000, `${checked}`);
});

test('demonstrations are drawn by weight and reproducibly', () => {
  const drawn = (seed: bigint): { manner: MannerName; text: string }[] => {
    const random = new PythonRandom(seed);
    return instances.map((instance) => sampleDemonstration(instance, () => random.random()));
  };
  assert.deepEqual(drawn(5n), drawn(5n));
  assert.notDeepEqual(drawn(5n), drawn(6n));
  const sample = drawn(5n);
  for (const { generator } of starter.members) {
    for (const { name, weight } of mannersFor(generator)) {
      const own = sample.filter((_, i) => instances[i]!.ref.generator === generator);
      const share = own.filter(({ manner }) => manner === name).length / own.length;
      assert.ok(Math.abs(share - weight) < 0.08, `${generator} ${name} ${share}`);
    }
  }
});

test('a task without manners is a clear error', () => {
  assert.throws(() => mannersFor('bf'), /no manners for bf/);
  assert.throws(() => mannersFor('constructor'), RangeError);
});
