import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupBytes, hasSpread, Pool } from '../../../src-main/swarm/records/pool.ts';
import { RoundClock } from '../../../src-main/swarm/records/round-clock.ts';
import type { Start } from '../../../src-main/swarm/records/round-clock.ts';
import type { Group } from '../../../src-main/types.ts';

let next = 0;
function group(origin: string, rewards = [1, 0], round = 1, text = 'x'): Group {
  return {
    id: String(next++),
    origin,
    task: { generator: 'g', version: 1, config: {}, seed: '0', index: 0 },
    question: 'q',
    completions: rewards.map((reward) => ({ text, ended: true, reward })),
    round,
    policyName: 'p',
    receivedAt: 0,
  };
}
const anyStart: Start = { peer: 'any', newestRound: 0 };
function open(changes: { poolGroups?: number; poolBytes?: number; poolShareOfOrigin?: number } = {}) {
  const rounds = new RoundClock(100, 4);
  const limits = { poolGroups: 100, poolBytes: 1e6, poolShareOfOrigin: 1, maxAgeMs: 1000, ...changes };
  return { rounds, pool: new Pool(limits, rounds) };
}

test('sampling drops groups without a spread first, takes without replacement, and empties the pool', () => {
  const { pool } = open();
  for (const rewards of [
    [1, 0],
    [1, 1],
    [0, 0],
    [0.5, 1],
  ])
    pool.add(group('a', rewards), anyStart, 0, 'n');
  const first = pool.sample(1, () => 0);
  assert.equal(first.length, 1);
  assert.equal(pool.size, 1, 'the two flat groups went too');
  const rest = pool.sample(10, () => 0.99);
  assert.deepEqual(
    [...first, ...rest].map((g) => hasSpread(g.completions.map((c) => c.reward))),
    [true, true],
  );
  assert.equal(pool.bytes, 0);
  assert.deepEqual(
    pool.sample(3, () => 0.5),
    [],
  );
});

test('sampling is uniform over groups', () => {
  const { pool } = open();
  const hits = new Map<string, number>();
  let state = 1;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let trial = 0; trial < 2000; trial++) {
    for (const origin of ['a', 'b', 'c', 'd']) pool.add(group(origin), anyStart, 0, 'n');
    for (const { origin } of pool.sample(2, random)) hits.set(origin, (hits.get(origin) ?? 0) + 1);
    pool.sample(9, random);
  }
  for (const count of hits.values()) assert.ok(Math.abs(count - 1000) < 100, String([...hits]));
});

test('bounded in groups, in bytes, and per origin; the oldest go', () => {
  const few = open({ poolGroups: 3 }).pool;
  for (let i = 0; i < 10; i++) few.add(group(`o${String(i)}`), anyStart, i, 'n');
  assert.deepEqual(
    few
      .sample(9, () => 0)
      .map((g) => g.origin)
      .sort(),
    ['o7', 'o8', 'o9'],
  );

  const size = groupBytes(group('a', [1, 0], 1, 'y'.repeat(500)));
  const small = open({ poolBytes: size * 2.5 }).pool;
  for (let i = 0; i < 10; i++) small.add(group(`o${String(i)}`, [1, 0], 1, 'y'.repeat(500)), anyStart, i, 'n');
  assert.equal(small.size, 2);
  assert.ok(small.bytes <= size * 2.5);

  const shared = open({ poolGroups: 8, poolShareOfOrigin: 0.25 }).pool;
  shared.add(group('honest'), anyStart, 0, 'n');
  for (let i = 0; i < 50; i++) shared.add(group('flooder', [1, 0], i), anyStart, 1, 'n');
  assert.equal(shared.size, 3);
  const rounds = shared
    .sample(9, () => 0)
    .filter((g) => g.origin === 'flooder')
    .map((g) => g.round);
  assert.deepEqual(rounds.sort(), [48, 49]);
});

test('expiry by receive time and by the origin’s newest round', () => {
  const { pool, rounds } = open();
  const start = rounds.note('a', '1', 1);
  pool.add(group('a', [1, 0], 1), start, 0, 'n');
  pool.add(group('a', [1, 0], 9), start, 500, 'n');
  rounds.note('a', '1', 5);
  assert.equal(pool.expire(900), 0, 'four rounds behind is still good');
  rounds.note('a', '1', 6);
  assert.equal(pool.expire(900), 1);
  assert.equal(pool.expire(1501), 1);
  assert.equal(pool.size, 0);
});

test('whoever delivers most makes room, so a flood of free keys displaces itself', () => {
  for (const changes of [{ poolGroups: 20 }, { poolBytes: 20 * groupBytes(group('o123')) }]) {
    const { pool } = open(changes);
    for (let i = 0; i < 8; i++) pool.add(group('h1'), anyStart, i, 'honest 1');
    for (let i = 0; i < 6; i++) pool.add(group('h2'), anyStart, 10 + i, 'honest 2');
    for (let i = 0; i < 500; i++) pool.add(group(`o${String(i % 400)}`), anyStart, 20 + i, 'flooder');
    const left = pool.sample(99, () => 0).map((g) => g.origin);
    assert.equal(left.filter((origin) => origin === 'h1').length, 7, 'the two largest shares meet');
    assert.equal(left.filter((origin) => origin === 'h2').length, 6);
    assert.equal(pool.bytes, 0);
  }
});

test('a caller may choose: what it picks of what it was offered leaves the pool, once, and nothing else', () => {
  const { pool } = open();
  const groups = [group('a'), group('b'), group('b'), group('c', [1, 1])];
  for (const each of groups) pool.add(each, anyStart, 0, 'n');
  const offered: Group[] = [];
  const taken = pool.take((useful) => {
    offered.push(...useful);
    return [useful[1]!, useful[1]!, group('stranger')];
  });
  assert.deepEqual(offered, groups.slice(0, 3), 'the group without a spread is not offered');
  assert.deepEqual(taken, [groups[1]]);
  assert.deepEqual(
    pool.take((useful) => useful),
    [groups[0], groups[2]],
  );
  assert.equal(pool.size, 0);
});
