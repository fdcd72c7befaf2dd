import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addId, idWords, NOTHING_KNOWN, roomForIds } from '../../../src-main/swarm/codec/known-ids.ts';
import type { Pull } from '../../../src-main/swarm/codec/messages.ts';
import { Feed } from '../../../src-main/swarm/records/feed.ts';
import type { FeedRecord } from '../../../src-main/swarm/records/feed.ts';
import { hash, toHex } from '../../../src-main/swarm/identity/crypto.ts';
import { BLOCK_BYTES } from '../../../src-main/swarm/records/record-blocks.ts';
import { RoundClock } from '../../../src-main/swarm/records/round-clock.ts';

const pull = (changes: Partial<Pull> = {}): Pull => ({
  kind: 'pull',
  requestId: 1,
  count: 10,
  ownPercent: 50,
  maxAgeMs: 10_000,
  maxBytes: 200_000,
  known: NOTHING_KNOWN,
  ...changes,
});
let next = 0;
const clock = () => new RoundClock(100, 4);
const record = (rounds: RoundClock, origin: string, size = 100, round = 1): FeedRecord => {
  const id = toHex(hash('recordId', String(next++)));
  return { id, start: rounds.note(origin, '1', round), round, bytes: Buffer.alloc(size, id), atMs: 0 };
};
const limits = { ownRecordBytes: 2 * BLOCK_BYTES, heldRecordBytes: 2 * BLOCK_BYTES, maxAgeMs: 1_000 };
function open(own: number, held: number, size = 100) {
  const rounds = clock();
  const feed = new Feed(limits, rounds);
  for (let i = 0; i < own; i++) feed.addOwn(record(rounds, 'me', size));
  for (let i = 0; i < held; i++) feed.hold(record(rounds, `other${String(i % 5)}`, size));
  return { feed, rounds };
}
const anyone = { peer: 'asker', bit: 0 };
const random = () => 0.4;
const shares = (records: FeedRecord[]) => {
  const own = records.filter((each) => each.start.peer === 'me').length;
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
  const mine = feed.answer(pull({ count: 64 }), { peer: 'other1', bit: 0 }, 0, random);
  assert.equal(mine.length, 11);
  assert.ok(mine.every((each) => each.start.peer !== 'other1'));
  const first = { peer: 'x', bit: 1 };
  for (const { id } of mine.slice(0, 6)) feed.noteHad(id, first.bit);
  const rest = feed.answer(pull({ count: 5 }), first, 0, random);
  assert.equal(rest.length, 5);
  assert.equal(feed.answer(pull({ count: 64 }), first, 0, random).length, 2, 'what it brought and what it was sent');
  assert.equal(
    feed.answer(pull({ count: 64 }), { peer: 'y', bit: 2 }, 0, random).length,
    13,
    'other connections apart',
  );
  feed.forget(first.bit);
  assert.equal(feed.answer(pull({ count: 64 }), { peer: 'z', bit: 1 }, 0, random).length, 13, 'a bit is used again');
  assert.equal(feed.answer(pull({ count: 64 }), { peer: 'y', bit: 2 }, 0, random).length, 0);
  assert.equal(feed.answer(pull({ count: 64, maxBytes: 350 }), anyone, 0, random).length, 3);
});

test('bounded in memory and age', () => {
  const { feed, rounds } = open(500, 500, 1_000);
  const perBlock = Math.floor(BLOCK_BYTES / 1_000);
  const { own, held, bytes, blockBytes } = feed.counts;
  for (const count of [own, held]) assert.ok(count > perBlock && count <= 2 * perBlock, String(count));
  assert.equal(bytes, (own + held) * 1_000);
  assert.equal(blockBytes, 4 * BLOCK_BYTES);
  assert.equal(feed.answer(pull({ maxAgeMs: 5 }), anyone, 100, random).length, 0);
  rounds.note('other1', '1', 9);
  feed.expire(100);
  assert.equal(feed.counts.own, own);
  assert.ok(Math.abs(feed.counts.held - held * 0.8) <= 1);
  feed.expire(1_001);
  assert.deepEqual([feed.counts.own, feed.counts.held, feed.counts.bytes], [0, 0, 0]);
});

test('one long-lived record in each block does not keep the memory of the rest', () => {
  const rounds = clock();
  const feed = new Feed(limits, rounds);
  for (let i = 0; i < 2_000; i++) {
    feed.hold(record(rounds, 'slow', 500));
    for (let k = 0; k < 50; k++) feed.hold(record(rounds, 'quick', 1_000, 1 + i * 10));
    feed.expire(0);
    assert.ok(feed.counts.blockBytes <= 2 * BLOCK_BYTES);
  }
  assert.ok(feed.counts.held > 0);
});

test('what is answered is what was given, however often memory is used again', () => {
  const rounds = clock();
  const feed = new Feed(limits, rounds);
  const given = new Map<string, Buffer>();
  for (let i = 0; i < 3_000; i++) {
    const each = record(rounds, `o${String(i % 7)}`, 1 + ((i * 37) % 5_000));
    given.set(each.id, Buffer.from(each.bytes));
    if (i % 3 === 0) feed.addOwn(each);
    else feed.hold(each);
    if (i % 100 !== 0) continue;
    for (const { id, bytes } of feed.answer(pull({ count: 64 }), anyone, 0, Math.random))
      assert.ok(given.get(id)!.equals(bytes), `record ${id}`);
  }
});

test('every wanted record is as likely to be drawn as any other, also when drawn again and again', () => {
  const { feed } = open(0, 20);
  const hits = new Map<string, number>();
  let state = 1;
  const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let i = 0; i < 4_000; i++)
    for (const { id } of feed.answer(pull({ count: 4 }), anyone, 0, uniform)) hits.set(id, (hits.get(id) ?? 0) + 1);
  assert.equal(hits.size, 20);
  for (const count of hits.values()) assert.ok(Math.abs(count - 800) < 120, String([...hits.values()]));
});

test('what the asker says to have is left out, of own and held ones', () => {
  const { feed, rounds } = open(0, 0);
  const records = Array.from({ length: 20 }, (_, i) => record(rounds, i % 2 === 0 ? 'me' : 'other'));
  for (const each of records) feed[each.start.peer === 'me' ? 'addOwn' : 'hold'](each);
  const known = roomForIds(16, 7);
  for (const { id } of records.slice(0, 16)) addId(known, idWords(id).first, idWords(id).second);
  const given = feed.answer(pull({ count: 20, known }), anyone, 0, random).map(({ id }) => id);
  assert.ok(given.every((id) => records.slice(16).some((each) => each.id === id)));
  assert.ok(given.length >= 3, 'at most one of four is claimed by mistake');
});
