/** Streams of task references: deterministic, endless, balanced, apart from each other and from the held-out range. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { getGenerator } from '../../../src-main/tasks/registry.ts';
import { instantiate, parseTaskRef, taskRefKey } from '../../../src-main/tasks/task-ref.ts';
import {
  getTaskSet,
  heldOutTasks,
  listTaskSets,
  sampleTaskRefs,
  sampleTasks,
  type SampleOptions,
  type TaskSet,
} from '../../../src-main/tasks/task-sets.ts';
import type { TaskRef } from '../../../src-main/types.ts';
import { WORDS } from '../../../src-main/tasks/words.ts';

const starter = getTaskSet('starter')!;

function sums(options: SampleOptions): bigint[] {
  return sampleTaskRefs(starter, options).map((ref) => BigInt(ref.seed) + BigInt(ref.index));
}

test('every reference of every set is canonical, and nearly every one has an instance', () => {
  for (const set of listTaskSets()) {
    let without = 0;
    for (const ref of sampleTaskRefs(set, { seed: 3n, from: 0, count: 300 })) {
      assert.deepEqual(parseTaskRef(ref), { ok: true, ref });
      if (!instantiate(ref).ok) without++;
    }
    assert.ok(without < 10, `${set.name}: ${without} of 300`);
  }
  assert.equal(getTaskSet('no such set'), undefined);
});

test('a task from further on stands in for one that has no instance, the same one every time', () => {
  const logic: TaskSet = {
    name: 'logic',
    version: 1,
    summary: '',
    rule: 'composite',
    members: [{ generator: 'propositional_logic', level: 0, weight: 1 }],
  };
  const options = { seed: 1n, from: 0, count: 400 };
  const refs = sampleTaskRefs(logic, options);
  const tasks = sampleTasks(logic, options);
  const missing = refs.flatMap((ref, i) => (instantiate(ref).ok ? [] : [i]));
  assert.ok(tasks.length === 400 && missing.length > 0 && missing.length < 40, `${missing.length}`);
  assert.deepEqual(sampleTasks(logic, options), tasks);
  for (const [i, task] of tasks.entries()) {
    if (!missing.includes(i)) assert.deepEqual(task.ref, refs[i]);
  }
  assert.equal(new Set(tasks.map((task) => taskRefKey(task.ref))).size, 400);
});

test('the SAPO set is the nine tasks with the parameters of the reference', () => {
  const { members } = getTaskSet('sapo')!;
  assert.equal(members.length, 9);
  for (const { generator, level } of members) assert.deepEqual(getGenerator(generator)!.levels[level]!.config, {});
  assert.equal(getTaskSet('everything')!.members.length, 22);
});

test('the exam of a set is fixed, and no training stream meets it', () => {
  for (const set of listTaskSets()) {
    const exam = heldOutTasks(set, 40);
    assert.deepEqual(heldOutTasks(set, 10), exam.slice(0, 10));
    assert.ok(exam.every(({ ref }) => BigInt(ref.seed) + BigInt(ref.index) >= 2n ** 125n));
  }
});

/** What the bundled policy was trained on: one byte of a prompt changed, and it reads something it has never seen. */
test('questions, prompts and answers of the starter set are those that the bundled policy was trained on', () => {
  const hash = createHash('sha256');
  for (const purpose of ['training', 'held-out'] as const) {
    for (const { ref, ...problem } of sampleTasks(starter, { seed: 7n, from: 0, count: 1500, purpose }))
      hash.update(
        JSON.stringify([taskRefKey(ref), problem.question, problem.terse, problem.answer, problem.terseAnswer]),
      );
  }
  assert.equal(hash.digest('hex'), '1edf5ad6eb6e8ba3e07c7857720b58e6318856a47c4e5e58f508ac39435e22a5');
});

/** The three that no vectors pin, since the reference draws on its own lists. */
test('instances of our own words and programs stay as they are', () => {
  const hash = createHash('sha256');
  for (const generator of ['spell_backward', 'letter_counting', 'bf']) {
    const { version, levels } = getGenerator(generator)!;
    for (const { config } of levels) {
      for (let index = 0; index < 50; index++) {
        const made = instantiate({ generator, version, config, seed: '-12', index });
        assert.ok(made.ok);
        hash.update(JSON.stringify([made.instance.question, made.instance.terse, made.instance.answer]));
      }
    }
  }
  assert.equal(
    hash.digest('hex'),
    'ecf1821d02b8ab9e8040350c0b12ae8de712d788e4c43015d4c10f730c9fda76',
    'raise the version of the generator',
  );
});

test('a stream does not depend on how it is cut', () => {
  const whole = sampleTaskRefs(starter, { seed: 8n, from: 0, count: 50 });
  const cut = [0, 20, 45].flatMap((from, i) => sampleTaskRefs(starter, { seed: 8n, from, count: [20, 25, 5][i]! }));
  assert.deepEqual(cut, whole);
  assert.equal(new Set(whole.map(taskRefKey)).size, whole.length);
});

test('a stream goes on beyond the last index', () => {
  const last = 2 ** 31 - 1;
  const refs = sampleTaskRefs(starter, { seed: 8n, from: last, count: 2 });
  assert.deepEqual(
    refs.map((ref) => ref.index),
    [last, 0],
  );
  assert.equal(BigInt(refs[1]!.seed) - BigInt(refs[0]!.seed), 2n ** 31n);
  const [far] = sampleTaskRefs(starter, { seed: 8n, from: 2 ** 52, count: 1 });
  assert.ok(parseTaskRef(far).ok);
});

test('members come in proportion to their weights, and apart from the instances own draws', () => {
  const refs = sampleTaskRefs(starter, { seed: 1n, from: 0, count: 5000 });
  for (const { generator } of starter.members) {
    const share = refs.filter((ref) => ref.generator === generator).length / refs.length;
    assert.ok(Math.abs(share - 1 / starter.members.length) < 0.02, `${generator} ${share}`);
  }
  // Were the member drawn from the instance's own numbers, chain_sum would see only one end of its first draw.
  const chains = refs.filter((ref) => ref.generator === 'chain_sum');
  const twoTerms = chains.filter((ref) => {
    const made = instantiate(ref);
    return made.ok && made.instance.metadata.num_terms === 2;
  }).length;
  assert.ok(Math.abs(twoTerms / chains.length - 0.5) < 0.08, `${twoTerms} of ${chains.length}`);
});

test('nodes have streams of their own', () => {
  const bases = [0n, 1n, -1n, 2n, -2n, 2n ** 64n, 10n ** 60n].map(
    (seed) => sums({ seed, from: 0, count: 1 })[0]! >> 64n,
  );
  assert.equal(new Set(bases).size, bases.length);
});

test('no training stream reaches the held-out range', () => {
  for (const seed of [0n, 1n, 2n ** 60n - 1n]) {
    for (const from of [0, 2 ** 52]) {
      const training = sums({ seed, from, count: 5 });
      const heldOut = sums({ seed, from, count: 5, purpose: 'held-out' });
      assert.ok(training.every((sum) => sum < 2n ** 124n));
      assert.ok(heldOut.every((sum) => sum >= 2n ** 125n && sum < 2n ** 126n));
      for (const ref of sampleTaskRefs(starter, { seed, from, count: 5, purpose: 'held-out' }))
        assert.ok(parseTaskRef(ref).ok);
    }
  }
  assert.throws(() => sums({ seed: -1n, from: 0, count: 1, purpose: 'held-out' }), RangeError);
  assert.throws(() => sums({ seed: 2n ** 60n, from: 0, count: 1, purpose: 'held-out' }), RangeError);
});

test('levels move by generator name and are clamped', () => {
  const refs = sampleTaskRefs(starter, { seed: 1n, from: 0, count: 200, levels: { gcd: 2, products: 99 } });
  const configOf = (name: string): TaskRef['config'] => refs.find((ref) => ref.generator === name)!.config;
  assert.deepEqual(configOf('gcd'), getGenerator('gcd')!.levels[2]!.config);
  assert.deepEqual(configOf('products'), getGenerator('products')!.levels.at(-1)!.config);
  assert.deepEqual(configOf('chain_sum'), getGenerator('chain_sum')!.levels[0]!.config);
});

test('starter prompts and answers are short plain text', () => {
  for (const ref of sampleTaskRefs(starter, { seed: 77n, from: 0, count: 2000 })) {
    const made = instantiate(ref);
    assert.ok(made.ok);
    const { terse, terseAnswer } = made.instance;
    assert.match(terse, /^[a-z]+ [ -~]+$/);
    assert.ok(terse.length <= 24 && terseAnswer.length <= 15, `${terse} => ${terseAnswer}`);
  }
});

test('the word list is the one that versions 1 of spell_backward and letter_counting were made with', () => {
  assert.equal(WORDS.length, 2048);
  assert.ok(WORDS.every((word) => /^[a-z]{3,8}$/.test(word)));
  const hash = createHash('sha256').update(WORDS.join('\n')).digest('hex');
  assert.equal(
    hash,
    '187db04a869dd9bc7be80d21a86497d692c0db6abd3aa8cb6be5d618ff757fae',
    'words changed: raise the version of both generators',
  );
});
