import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRandom } from '../../../src-main/base/random.ts';
import { hash, toHex } from '../../../src-main/swarm/identity/crypto.ts';
import { RecentIds } from '../../../src-main/swarm/recent-ids.ts';

const idOf = (n: number): string => toHex(hash('content', Buffer.from(String(n))));

test('remembers the latest ids, and says which were new', () => {
  const ids = new RecentIds(3);
  assert.deepEqual(
    [1, 2, 1, 3, 4].map((n) => ids.add(idOf(n))),
    [true, true, false, true, true],
  );
  assert.equal(ids.size, 3);
  assert.deepEqual(
    [1, 2, 3, 4].map((n) => ids.has(idOf(n))),
    [false, true, true, true],
    'the first went, though it was seen a second time',
  );
});

test('does what a list of the latest ids does, through growing, wrapping and forgetting', () => {
  const random = createRandom('recent-ids', '1');
  for (const capacity of [1, 7, 64, 100, 1000]) {
    const ids = new RecentIds(capacity);
    const latest: string[] = [];
    for (let step = 0; step < capacity * 6; step++) {
      const id = idOf(Math.floor(random.float() * capacity * 3));
      assert.equal(ids.has(id), latest.includes(id));
      assert.equal(ids.add(id), !latest.includes(id));
      if (!latest.includes(id)) latest.push(id);
      if (latest.length > capacity) latest.shift();
      assert.equal(ids.size, latest.length);
    }
    for (const id of latest) assert.ok(ids.has(id));
  }
});

test('keeps apart ids that differ in one digit, and those that would all go to neighbouring slots', () => {
  const ids = new RecentIds(4096);
  const alike = Array.from({ length: 2048 }, (_, n) => n.toString(16).padStart(8, '0').repeat(4));
  for (const id of alike) assert.ok(ids.add(id));
  for (const id of alike) assert.ok(ids.has(id));
  assert.equal(ids.has('f'.repeat(32)), false);
  assert.equal(ids.has(`${alike[5]!.slice(0, 31)}6`), false);
});

test('an id that is no hash is a bug and says so', () => {
  const ids = new RecentIds(4);
  for (const id of ['', 'abc', 'g'.repeat(32), 'A'.repeat(32), `${'0'.repeat(31)}/`]) {
    assert.throws(() => ids.has(id), RangeError);
    assert.throws(() => ids.add(id), RangeError);
  }
});
