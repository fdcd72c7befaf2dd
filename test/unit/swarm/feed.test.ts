import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pull } from '../../../src-main/swarm/codec/messages.ts';
import { Feed } from '../../../src-main/swarm/records/feed.ts';
import type { FeedRecord } from '../../../src-main/swarm/records/feed.ts';
import { RoundClock } from '../../../src-main/swarm/records/round-clock.ts';

const pull = (changes: Partial<Pull> = {}): Pull => ({
  kind: 'pull',
  requestId: 1,
  count: 10,
  ownPercent: 50,
  maxAgeMs: 10_000,
  maxBytes: 200_000,
  ...changes,
});
let next = 0;
const record = (origin: string, atMs = 0, round = 1, size = 100): FeedRecord => {
  const id = String(next++);
  return { id, origin, start: `${origin}/1`, round, bytes: Buffer.alloc(size), atMs };
};
function open(own: number, held: number) {
  const rounds = new RoundClock(100, 4);
  const feed = new Feed({ ownRecordBytes: 5_000, heldRecordBytes: 5_000, maxAgeMs: 1_000 }, rounds);
  for (let i = 0; i < own; i++) feed.addOwn(record('me'));
  for (let i = 0; i < held; i++) feed.hold(record(`other${String(i % 5)}`));
  return { feed, rounds };
}
const anyone = { peer: 'asker', hasHad: () => false };
const random = () => 0.4;
const shares = (records: FeedRecord[]) => {
  const own = records.filter((each) => each.origin === 'me').length;
  return [own, records.length - own];
};

test('half own, half held; what one side lacks the other fills', () => {
  assert.deepEqual(shares(open(30, 30).feed.answer(pull(), anyone, 0, random)), [5, 5]);
  assert.deepEqual(shares(open(30, 30).feed.answer(pull({ ownPercent: 80 }), anyone, 0, random)), [8, 2]);
  assert.deepEqual(shares(open(2, 30).feed.answer(pull(), anyone, 0, random)), [2, 8]);
  assert.deepEqual(shares(open(30, 2).feed.answer(pull(), anyone, 0, random)), [8, 2]);
  assert.deepEqual(shares(open(0, 0).feed.answer(pull(), anyone, 0, random)), [0, 0]);
  assert.deepEqual(shares(open(30, 30).feed.answer(pull({ count: 0 }), anyone, 0, random)), [0, 0]);
});

test('never what the asker made or had, nor more bytes than it wants', () => {
  const { feed } = open(3, 10);
  const mine = feed.answer(pull({ count: 64 }), { peer: 'other1', hasHad: () => false }, 0, random);
  assert.equal(mine.length, 11);
  assert.ok(mine.every((each) => each.origin !== 'other1'));
  const had = new Set(mine.slice(0, 6).map((each) => each.id));
  const rest = feed.answer(pull({ count: 64 }), { peer: 'x', hasHad: (id) => had.has(id) }, 0, random);
  assert.equal(rest.length, 7);
  assert.equal(feed.answer(pull({ count: 64, maxBytes: 350 }), anyone, 0, random).length, 3);
});

test('bounded in bytes and age', () => {
  const { feed, rounds } = open(500, 500);
  assert.deepEqual(feed.counts, { own: 50, held: 50, bytes: 10_000 });
  assert.equal(feed.answer(pull({ maxAgeMs: 5 }), anyone, 100, random).length, 0);
  rounds.note('other1/1', 9);
  feed.expire(100);
  assert.deepEqual(feed.counts, { own: 50, held: 40, bytes: 9_000 });
  feed.expire(1_001);
  assert.deepEqual(feed.counts, { own: 0, held: 0, bytes: 0 });
});
