// Which tasks are practised, at which levels, and that both follow from what was kept.
import assert from 'node:assert/strict';
import test from 'node:test';
import { configSchema } from '../../../src-main/config.ts';
import { Practice } from '../../../src-main/engine/rounds/practice.ts';
import { knownTaskSet, roundTasks } from '../../../src-main/engine/rounds/task-stream.ts';
import { listTaskSets } from '../../../src-main/tasks/task-sets.ts';
import type { TaskInstance } from '../../../src-main/tasks/task.ts';
import type { JsonValue } from '../../../src-main/types.ts';

const options = { taskSet: 'starter', seed: 'ab', promptsPerRound: 6, curriculum: true } as const;

/** All completions of every group right. */
const perfect = (tasks: readonly TaskInstance[]) =>
  tasks.map((instance) => ({ instance, completions: [{ reward: 1 }, { reward: 1 }] }));

function practised(practice: Practice, rounds: number, from = 0): JsonValue {
  let kept: JsonValue = null;
  for (let round = from; round < from + rounds; round++) kept = practice.learn(perfect(practice.tasks(round)));
  return kept;
}

test('without a curriculum the tasks are those of the stream, and success is followed', () => {
  const practice = new Practice({ ...options, curriculum: false });
  practised(practice, 40);
  assert.deepEqual(practice.tasks(40), roundTasks('starter', 'ab', 40, 6));
  const { tasks, moves } = practice.standings();
  assert.equal(moves, false);
  assert.ok(tasks.every(({ level, success, groups }) => level === 0 && success === 1 && groups > 5));
});

test('with a curriculum a policy that gets everything right is given harder tasks', () => {
  const practice = new Practice(options);
  practised(practice, 100);
  const { tasks, taskSet, version } = practice.standings();
  assert.deepEqual([taskSet, version, tasks.length], ['starter', 1, 10]);
  assert.ok(tasks.every(({ level, levelCount }) => level === levelCount - 1));
  const hard = practice.tasks(100).map(({ ref }) => ref);
  const easy = roundTasks('starter', 'ab', 100, 6).map(({ ref }) => ref);
  assert.deepEqual(
    hard.map(({ generator, seed, index }) => [generator, seed, index]),
    easy.map(({ generator, seed, index }) => [generator, seed, index]),
  );
  assert.notDeepEqual(hard, easy);
});

test('partly right is not right', () => {
  const practice = new Practice(options);
  for (let round = 0; round < 30; round++)
    practice.learn(
      practice.tasks(round).map((instance) => ({ instance, completions: [{ reward: 0.9 }, { reward: 0.5 }] })),
    );
  assert.ok(practice.standings().tasks.every(({ success, level }) => success === 0 && level === 0));
});

test('what was kept after a round brings back exactly the practice of that moment', () => {
  const practice = new Practice(options);
  const kept = practised(practice, 30);
  const before = structuredClone(kept);
  const again = new Practice(options);
  again.restore(kept);
  assert.deepEqual(again.standings(), practice.standings());
  assert.deepEqual(practised(again, 20, 30), practised(practice, 20, 30));
  assert.deepEqual(kept, before, 'what was kept is a copy');
});

test('levels that a curriculum moved go back to those of the set when it is switched off', () => {
  const kept = practised(new Practice(options), 60);
  const practice = new Practice({ ...options, curriculum: false });
  practice.restore(kept);
  assert.ok(practice.standings().tasks.every(({ level }) => level === 0));
});

test('nothing kept, or something odd, is a start', () => {
  const start = new Practice(options).standings();
  for (const kept of [null, 'x', { chain_sum: { level: -1 } }]) {
    const practice = new Practice(options);
    practised(practice, 10);
    practice.restore(kept);
    assert.deepEqual(practice.standings(), start);
  }
});

test('the config names every set there is, and an unknown one is a clear error', () => {
  const names = listTaskSets().map(({ name }) => name);
  for (const taskSet of names) assert.equal(configSchema.parse({ taskSet }).taskSet, taskSet);
  assert.throws(() => configSchema.parse({ taskSet: 'nosuch' }));
  assert.throws(() => knownTaskSet('nosuch'), {
    code: 'unknownTaskSet',
    fix: `Choose one of: ${names.join(', ')}.`,
  });
});

test('another set is taken up with the next round; the levels reached in the former come back with it, over a restart too', () => {
  const practice = new Practice(options);
  practised(practice, 60);
  const reached = practice.standings();
  const begun = practice.tasks(60);
  practice.choose('easy');
  assert.equal(practice.set.name, 'starter', 'the round in progress ends with what it was begun with');
  practice.learn(perfect(begun));
  assert.equal(practice.standings().taskSet, 'starter', 'nothing moves before the next round');
  const easy = knownTaskSet('easy').members.map(({ generator }) => generator);
  assert.ok(practice.tasks(61).every(({ ref }) => easy.includes(ref.generator)));
  const kept = practised(practice, 3, 61);
  const restarted = new Practice({ ...options, taskSet: 'easy' });
  restarted.restore(JSON.parse(JSON.stringify(kept)) as JsonValue);
  assert.deepEqual(restarted.standings(), practice.standings());
  for (const each of [practice, restarted]) {
    each.choose('starter');
    const { taskSet, tasks } = each.standings();
    assert.equal(taskSet, 'starter', 'between two rounds at once');
    assert.ok(
      tasks.every(({ level, generator }) => level >= reached.tasks.find((was) => was.generator === generator)!.level),
    );
  }
  assert.throws(() => practice.choose('unheard-of'), { code: 'unknownTaskSet' });
  assert.equal(practice.standings().taskSet, 'starter');
});

test('of what was kept only tasks that exist are carried on', () => {
  const practice = new Practice(options);
  practice.restore({ nonsense: { level: 1 }, constructor: 7 });
  const kept = practice.learn([]);
  assert.deepEqual(
    Object.keys(kept as object).sort(),
    practice
      .standings()
      .tasks.map(({ generator }) => generator)
      .sort(),
  );
});
