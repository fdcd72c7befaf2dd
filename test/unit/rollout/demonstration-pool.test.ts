// Peers' right answers waiting to be imitated: what is taken, in which order, how much of one peer, and what survives a restart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DemonstrationPool } from '../../../src-main/rollout/demonstrations/demonstration-pool.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import type { Completion, Group } from '../../../src-main/types.ts';

const peer = (i: number): string => i.toString(16).padStart(2, '0').repeat(32);
const limits = { maxDemonstrations: 100, maxBytes: 1e6 };
const answer = (text: string, reward = 1, ended = true): Completion => ({ text, ended, reward });

function group(index: number, origin = peer(1), completions?: Completion[]): Group {
  const task = { generator: 'gcd', version: 1, config: {}, seed: '5', index };
  const made = instantiate(task);
  assert.ok(made.ok);
  const text = `<answer>${made.instance.answer}</answer>`;
  return {
    id: `${origin}/${index}`,
    origin,
    task,
    question: made.instance.question,
    completions: completions ?? [answer(`so ${text}`), answer('wrong', 0), answer(text)],
    round: 1,
    policyName: 'theirs',
    receivedAt: 0,
  };
}
const noChance = (): number => 0.5;

test('right answers that were ended are taken, each text once and two of a group', () => {
  const pool = new DemonstrationPool(limits);
  const completions = [
    answer('<answer>1</answer>', 0.5),
    answer('cut', 1, false),
    answer('', 1),
    answer('a'),
    answer('a'),
    answer('b'),
    answer('c'),
    answer('x'.repeat(20_000)),
  ];
  assert.equal(pool.offer(group(0, peer(1), completions)), 2);
  assert.equal(pool.offer(group(0, peer(2), completions)), 0, 'the same text of the same task from another peer');
  assert.deepEqual(
    pool.draw(10, noChance).map(({ text }) => text),
    ['b', 'a'],
  );
  assert.equal(pool.offer(group(1, peer(2), completions)), 2, 'the same text of another task');
});

test('drawn peer by peer, least used and newest first; one that was used often enough makes room', () => {
  const pool = new DemonstrationPool(limits);
  for (let index = 0; index < 6; index++) pool.offer(group(index, peer(1)));
  pool.offer(group(10, peer(2)));
  const drawn = pool.draw(4, noChance);
  assert.deepEqual(
    drawn.map(({ origin }) => origin),
    [peer(1), peer(2), peer(1), peer(2)],
  );
  assert.equal(drawn[0]!.of.task.index, 5);
  const first = drawn[0]!;
  pool.used(first);
  assert.notEqual(pool.draw(1, noChance)[0], first);
  const { size } = pool;
  for (let use = 1; use < 4; use++) pool.used(first);
  assert.equal(pool.size, size - 1);
  pool.used(first); // it is gone: nothing happens
  pool.drop(drawn[1]!);
  assert.equal(pool.size, size - 2);
  assert.deepEqual(pool.draw(0, noChance), []);
  assert.equal(pool.draw(1000, noChance).length, pool.size);
});

test('one peer has a quarter at most, and a flood displaces its own', () => {
  const pool = new DemonstrationPool({ ...limits, maxDemonstrations: 40 });
  for (let index = 0; index < 3; index++) pool.offer(group(index, peer(2)));
  for (let index = 0; index < 200; index++) pool.offer(group(index + 100, peer(1)));
  assert.deepEqual(pool.origins(), [
    { origin: peer(2), count: 6 },
    { origin: peer(1), count: 10 },
  ]);
});

test('never more than its limits, whoever sends what', () => {
  const offers = fc.array(fc.tuple(fc.nat(9), fc.nat(40), fc.nat(300)), { maxLength: 120 });
  fc.assert(
    fc.property(offers, (sent) => {
      const pool = new DemonstrationPool({ maxDemonstrations: 16, maxBytes: 12_000 });
      for (const [from, index, length] of sent)
        pool.offer(group(index, peer(from), [answer('x'.repeat(length + 1)), answer('y'.repeat(length + 1))]));
      const counted = pool.origins().reduce((sum, { count }) => sum + count, 0);
      return pool.size <= 16 && counted === pool.size && pool.origins().every(({ count }) => count <= 4);
    }),
    { numRuns: 60 },
  );
});

test('saved and restored it is the same; what is not right by the tasks of this version is left out', () => {
  const pool = new DemonstrationPool(limits);
  for (let index = 0; index < 4; index++) pool.offer(group(index, peer(index % 2)));
  pool.used(pool.draw(1, noChance)[0]!);
  const again = new DemonstrationPool(limits);
  const kept = JSON.stringify(pool.save());
  assert.equal(again.restore(JSON.parse(kept)), 0);
  assert.equal(JSON.stringify(again.save()), kept);
  const saved = JSON.parse(kept) as { version: number; entries: { text: string; task: { version: number } }[] };
  saved.entries[0]!.text = '<answer>0</answer>';
  saved.entries[1]!.task.version = 9;
  const third = new DemonstrationPool(limits);
  assert.equal(third.restore(saved), 2);
  assert.equal(third.size, pool.size - 2);
  for (const rubbish of [
    undefined,
    null,
    '',
    [],
    { version: 2, entries: [] },
    { version: 1, entries: [{ origin: 'x' }] },
  ])
    assert.equal(new DemonstrationPool(limits).restore(rubbish), null, JSON.stringify(rubbish));
});
