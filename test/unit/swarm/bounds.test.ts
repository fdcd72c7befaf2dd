import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bans } from '../../../src-main/swarm/records/bans.ts';
import { ByteReader } from '../../../src-main/swarm/codec/bytes.ts';
import { readHead, signHead } from '../../../src-main/swarm/codec/record.ts';
import { keyPairFromSeed, randomBytes, toHex } from '../../../src-main/swarm/identity/crypto.ts';
import { InstanceWatch } from '../../../src-main/swarm/identity/instance-watch.ts';
import { Members } from '../../../src-main/swarm/records/members.ts';
import { presenceOf, presenceText } from '../../../src-main/swarm/overlay/presence.ts';
import { RateLimit } from '../../../src-main/swarm/overlay/rate.ts';
import { RecentMap } from '../../../src-main/swarm/recent.ts';
import { RoundClock } from '../../../src-main/swarm/records/round-clock.ts';

test('a rate limit refills with time, never beyond its burst, and survives a clock that steps back', () => {
  const rate = new RateLimit(2, 3, 1000);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => rate.take(1, 1000)),
    [true, true, true, false],
  );
  assert.equal(rate.waitMs(1, 1000), 500);
  assert.equal(rate.take(1, 1499), false);
  assert.equal(rate.take(1, 1501), true);
  assert.equal(rate.available(60_000), 3);
  rate.spend(5, 60_000);
  assert.equal(rate.available(50_000), -2);
  assert.equal(rate.take(1, 61_000), false);
  assert.equal(rate.take(1, 61_500), true);
});

test('a recent map forgets the least recently written', () => {
  const map = new RecentMap<number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  assert.equal(map.set('c', 4), 2);
  assert.deepEqual(map.entries(), [
    ['a', 3],
    ['c', 4],
  ]);
});

test('bans add up, end after their time, and are bounded in number', () => {
  const bans = new Bans(2, 1000);
  assert.equal(bans.note('p', 'malformed', 0, null), false);
  assert.equal(bans.note('p', 'malformed', 10, null), true);
  assert.equal(bans.isBanned('p', 1009, null), true);
  assert.equal(bans.isBanned('p', 1010, null), false);
  assert.equal(bans.note('p', 'duplicateRecord', 1011, null), false);
  for (let i = 0; i < 100; i++) bans.note('free', 'taskRefused', i, null);
  assert.equal(bans.isBanned('free', 100, null), false, 'what honest nodes of other versions send costs nothing');
  for (const peer of ['a', 'b', 'c']) bans.note(peer, 'forgedSignature', 2000, null);
  assert.deepEqual(
    ['a', 'b', 'c'].map((peer) => bans.isBanned(peer, 2001, null)),
    [false, true, true],
  );
});

test('small offences that come now and then never add up to a ban, however long two nodes are neighbours', () => {
  const hourMs = 3_600_000;
  const bans = new Bans(8, hourMs);
  for (let nowMs = 0; nowMs < 60 * 24 * hourMs; nowMs += hourMs / 4)
    assert.equal(bans.note('slow', 'mute', nowMs, null), false);
  for (let i = 0; i < 99; i++) assert.equal(bans.note('hung', 'mute', i * 1_000, null), false);
  assert.equal(bans.note('hung', 'mute', hourMs - 1, null), true, 'a hundred within an hour do');
  assert.equal(bans.isBanned('hung', 2 * hourMs - 2, null), true, 'and the hour of the ban begins with it');
  assert.equal(bans.isBanned('hung', 2 * hourMs - 1, null), false);
});

test('three banned keys of one address take the address with them, for as long as a ban lasts', () => {
  const bans = new Bans(8, 1000);
  const ban = (peer: string, nowMs: number, address: string | null) =>
    bans.note(peer, 'forgedSignature', nowMs, address);
  for (const peer of ['a', 'b']) assert.ok(ban(peer, 0, '203.0.113.5'));
  assert.ok(ban('a', 1, '203.0.113.5'), 'one peer counts once for its address');
  assert.equal(bans.isBanned('innocent', 2, '203.0.113.5'), false);
  ban('c', 3, '203.0.113.5');
  assert.equal(bans.isBanned('innocent', 4, '203.0.113.5'), true);
  assert.equal(bans.isBanned('innocent', 4, '203.0.113.6'), false);
  assert.equal(bans.isBanned('innocent', 4, null), false);
  assert.equal(bans.isBanned('innocent', 1004, '203.0.113.5'), false);
  for (let i = 0; i < 5000; i++) ban(`p${String(i)}`, 5, `2001:db8::${i.toString(16)}`);
  assert.ok(bans.size <= 16, 'bounded in number');
});

test('rounds age per start, so a restart from an older checkpoint is not stale', () => {
  const clock = new RoundClock(10, 4);
  const first = clock.note('a', '1', 100);
  assert.equal(clock.note('a', '1', 50), first);
  assert.equal(clock.isStale(first, 95), true);
  assert.equal(clock.isStale(first, 96), false);
  assert.equal(clock.isStale(clock.note('a', '2', 1), 1), false);
  for (let i = 0; i < 20; i++) clock.note('b', String(i), 1);
  assert.notEqual(clock.note('a', '1', 1), first, 'bounded: long not heard of, it counts anew');
});

test('a restart is not a doubled identity; taking turns is', () => {
  const watch = new InstanceWatch(8);
  assert.deepEqual(
    ['x', 'x', 'y', 'z', 'z', 'y'].map((start) => watch.isDoubled('p', start)),
    [false, false, false, false, false, true],
  );
  assert.equal(watch.isDoubled('q', 'x'), false);
});

test('members keep the newest authentic head and gossip their own first', () => {
  const members = new Members(3);
  const keys = keyPairFromSeed(randomBytes(32));
  const fields = { round: 1, count: 2, createdAt: 10, policyHash: Buffer.alloc(32) };
  const head = signHead(fields, keys);
  assert.equal(members.note(head), 'news');
  assert.equal(members.note(head), 'old');
  const changed = Buffer.from(head.bytes);
  changed.writeBigUInt64LE(11n, 32 + 4 + 2); // createdAt
  assert.equal(members.note(readHead(new ByteReader(changed))), 'forged');
  assert.equal(members.note(signHead({ ...fields, round: 2, createdAt: 11 }, keys)), 'news');
  const me = toHex(keys.publicKey);
  assert.equal(members.get(me)?.round, 2);
  members.note(signHead(fields, keyPairFromSeed(randomBytes(32))));
  assert.deepEqual(
    members.gossip(16, me, () => 0.9).map((each) => toHex(each.peer) === me),
    [true, false],
  );
  for (let i = 0; i < 9; i++) members.note(signHead(fields, keyPairFromSeed(randomBytes(32))));
  assert.equal(members.size, 3);
});

test('presence', () => {
  const facts = { suspended: false, peers: 0, hasNetwork: true, joiningMs: 60_000 };
  assert.equal(presenceOf(facts), 'alone');
  assert.equal(presenceOf({ ...facts, hasNetwork: false }), 'offline');
  assert.equal(presenceOf({ ...facts, joiningMs: 100 }), 'joining');
  assert.equal(presenceOf({ ...facts, peers: 2 }), 'connected');
  assert.equal(presenceOf({ ...facts, peers: 2, suspended: true }), 'off');
  assert.equal(presenceText('connected', 2), 'Trading with 2 peers');
});
