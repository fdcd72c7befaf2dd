/**
 * Strangers that break every rule, one at a time, against a node that trades with an honest peer meanwhile. Each offence
 * must be counted under its reason, and the honest trade must go on.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { encodeBody } from '../../src-main/swarm/codec/body.ts';
import { NOTHING_KNOWN } from '../../src-main/swarm/codec/known-ids.ts';
import { encodeMessage } from '../../src-main/swarm/codec/messages.ts';
import { signHead } from '../../src-main/swarm/codec/record.ts';
import { randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { secretKeyOf } from '../../src-main/swarm/identity/secret-key.ts';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import type { RejectionReason } from '../../src-main/swarm/records/rejections.ts';
import { openDht, openSwarm, parityGroup, parityGroups, pause, until, QUICK_STRETCH } from './local-swarm.ts';
import type { Opened } from './local-swarm.ts';
import type { Stranger } from './stranger.ts';
import { dial, GREETING, nestedBatches, pack } from './stranger.ts';

interface Scene {
  t: TestContext;
  node: Opened;
  rejections: { peer: string; reason: RejectionReason }[];
  /** Shares from the honest peer and waits until the node has it. */
  honestTrade: () => Promise<void>;
  refused: (stranger: Stranger, reason: RejectionReason, times?: number) => Promise<void>;
}

async function scene(t: TestContext, limits: Record<string, number> = {}): Promise<Scene> {
  const { bootstrap } = await openDht(t);
  const rejections: Scene['rejections'] = [];
  const node = await openSwarm(t, bootstrap, {
    limits: { maxConnections: 24, recordsPerSecond: 1000, recordBurst: 1000, ...limits },
    onRejected: (peer, reason) => void rejections.push({ peer, reason }),
  });
  const honest = await openSwarm(t, bootstrap);
  let round = 0;
  const honestTrade = async () => {
    const before = node.swarm.status().groupsPooled;
    honest.swarm.share(parityGroups(2), ++round);
    await until('the honest groups', () => node.swarm.status().groupsPooled >= before + 2);
    assert.ok(!rejections.some(({ peer }) => peer === honest.options.identity.publicKey));
  };
  await honestTrade();
  const refused = async (stranger: Stranger, reason: RejectionReason, times = 1) => {
    const count = () => rejections.filter((each) => each.peer === stranger.id && each.reason === reason).length;
    await until(`${String(times)} x ${reason}`, () => count() >= times).catch((error: unknown) => {
      throw new Error(`${String(error)}; got ${JSON.stringify(rejections.map((each) => each.reason))}`);
    });
    assert.equal(count(), times);
    assert.ok((node.swarm.status().rejected[reason] ?? 0) >= times);
    const row = node.swarm.peers().find((each) => each.peer === stranger.id);
    assert.equal(row?.rejected[reason], times);
  };
  return { t, node, rejections, honestTrade, refused };
}

/** Frames no honest peer sends, and what each counts as. */
const BAD_FRAMES: [string, RejectionReason, (stranger: Stranger) => void][] = [
  ['random bytes', 'malformed', (s) => s.frame(Buffer.concat([Buffer.from([77]), randomBytes(400)]))],
  ['a frame of 300 KB', 'oversize', (s) => s.frame(Buffer.alloc(300 * 1024))],
  ['nested batches, which overflow the stack of Protomux', 'malformed', (s) => s.frame(nestedBatches(30_000))],
  ['an id in its long form, to slip past the gate', 'malformed', (s) => s.frame(Buffer.from([0xfd, 0, 0, 0, 0, 0]))],
  ['an open of control session 0', 'tooManyChannels', (s) => s.frame(Buffer.from([0, 1, 0, 1, 65, 0]))],
  ['a second kind of message on the channel', 'malformed', (s) => s.frame(Buffer.from([1, 9, 1, 2, 3]))],
  ['an unknown message kind', 'unknownKind', (s) => s.payload(Buffer.from([200, 1, 2, 3]))],
  ['an empty message', 'malformed', (s) => s.payload(Buffer.alloc(0))],
  ['a list that claims more than it has', 'malformed', (s) => s.payload(Buffer.from([4, 1, 0, 0, 0, 64, 255, 0]))],
  ['a handshake twice', 'outOfTurn', (s) => s.send(GREETING)],
  ['records nobody asked for', 'unaskedRecords', (s) => s.send({ kind: 'records', requestId: 4_000_000, records: [] })],
];

test('bad frames are counted, the sender dropped, the honest trade goes on', async (t) => {
  const { node, refused, honestTrade } = await scene(t);
  await Promise.all(
    BAD_FRAMES.map(async ([what, reason, misbehave]) => {
      const stranger = await dial(t, node);
      await stranger.greet();
      misbehave(stranger);
      await refused(stranger, reason);
      await until(`${what}: connection closed`, () => stranger.closed);
    }),
  );
  await honestTrade();
});

test('a flood of channels, of messages, of bytes', async (t) => {
  const { node, refused, honestTrade } = await scene(t, { messageBurst: 30, messagesPerSecond: 1 });
  const channels = await dial(t, node);
  for (let i = 0; i < 500; i++) channels.openChannel(1 + (i % 4), `flood/${String(i)}`);
  await refused(channels, 'tooManyChannels');

  const messages = await dial(t, node);
  await messages.greet();
  for (let i = 0; i < 200; i++)
    messages.send({
      kind: 'pull',
      requestId: i,
      count: 1,
      ownPercent: 50,
      maxAgeMs: 1000,
      maxBytes: 1000,
      known: NOTHING_KNOWN,
    });
  await refused(messages, 'tooManyMessages');
  assert.ok(messages.received.filter((message) => message.kind === 'busy').length <= 30);

  const bytes = await dial(t, node);
  await bytes.greet();
  const padded = encodeMessage({ kind: 'records', requestId: 1, records: [] });
  for (let i = 0; i < 8; i++) bytes.frame(Buffer.concat([Buffer.from([2, 0]), padded, Buffer.alloc(200 * 1024)]));
  await refused(bytes, 'tooManyBytes');
  await honestTrade();
});

test('hostile records: each is refused for its reason, good ones beside it are admitted', async (t) => {
  const { node, refused, honestTrade, rejections } = await scene(t);
  const valid = (s: Stranger) => s.record(parityGroup());
  const bomb = { encoding: 'deflate' as const, bytes: deflateRawSync(Buffer.alloc(4 * 1024 * 1024)) };
  const cases: [RejectionReason, (s: Stranger) => Buffer][] = [
    ['forgedSignature', (s) => flip(valid(s), 60)], // the round
    ['forgedSignature', (s) => flip(valid(s), 80)], // the body
    ['forgedSignature', (s) => flip(valid(s), -1)],
    ['forgedSignature', (s) => Buffer.concat([valid(s).subarray(0, 1), randomBytes(32), valid(s).subarray(33)])],
    ['unknownVersion', (s) => Buffer.concat([Buffer.from([9]), valid(s).subarray(1)])],
    ['malformed', (s) => valid(s).subarray(0, 150)],
    ['malformed', (s) => Buffer.concat([valid(s), Buffer.alloc(3)])],
    ['zipBomb', (s) => s.record(bomb)],
    ['malformed', (s) => s.record({ encoding: 'deflate', bytes: Buffer.alloc(500, 0xff) })], // no such kind of block
    ['badConfig', (s) => s.record({ encoding: 'raw', bytes: replaced(encodeBody(bodyOf(1)), '{"a":1}', '[[[1]]]') })],
    [
      'badText',
      (s) =>
        s.record({ encoding: 'raw', bytes: replaced(encodeBody(bodyOf(2)), 'marker', '\xff\xfe\xfd\xff\xfe\xfd') }),
    ],
    ['taskRefused', (s) => s.record({ ...parityGroup(), task: { ...parityGroup().task, generator: 'unheard_of' } })],
  ];
  await Promise.all(
    cases.map(async ([reason, make]) => {
      const stranger = await dial(t, node);
      stranger.serve([stranger.record(parityGroup()), make(stranger)]);
      await stranger.greet();
      await refused(stranger, reason);
      const row = node.swarm.peers().find((each) => each.peer === stranger.id);
      assert.equal(row?.groupsReceived, 1, 'the good record went in');
      assert.ok(rejections.every((each) => each.peer !== stranger.id || each.reason === reason));
    }),
  );
  await honestTrade();
});

function bodyOf(index: number) {
  const task = { generator: 'parity', version: 1, config: { a: 1 }, seed: '7', index: 1_000_000 + index };
  return { task, policyName: 'stranger', completions: [{ text: 'marker', ended: true }] };
}

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.byteLength + at : at;
  copy[index] = copy[index]! ^ 1;
  return copy;
}

function replaced(bytes: Buffer, from: string, to: string): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf(from);
  assert.ok(at > 0 && from.length === to.length);
  copy.write(to, at, 'latin1');
  return copy;
}

test('a forger is banned, for a while, and nobody else is', async (t) => {
  const { node, refused, honestTrade } = await scene(t);
  const forger = await dial(t, node);
  forger.serve([flip(forger.record(parityGroup()), 80)]);
  await forger.greet();
  await refused(forger, 'forgedSignature');
  await until('dropped', () => forger.closed);
  assert.ok(forger.received.some((message) => message.kind === 'bye' && message.reason === 'banned'));
  // Refused before the connection counts as open, or dropped at once.
  const again = await dial(t, node, forger.identity, 4).catch(() => null);
  again?.openChannel();
  await until('dropped at once', () => again?.closed ?? true);
  assert.equal(again?.received.length ?? 0, 0);
  await honestTrade();
});

test('replays: on one connection an offence, over another a duplicate, under another key a copy', async (t) => {
  const { node, refused, honestTrade, rejections } = await scene(t);
  const group = parityGroup();
  const first = await dial(t, node);
  const record = first.record(group);
  first.serve([record, record]);
  await first.greet();
  await refused(first, 'replayed');

  const relay = await dial(t, node);
  // The honest peer may bring one, too.
  const { groupsPooled, duplicates } = node.swarm.status();
  relay.serve([record, relay.record(parityGroup())]);
  await relay.greet();
  await until('the other is admitted', () => node.swarm.status().groupsPooled === groupsPooled + 1);
  assert.ok(node.swarm.status().duplicates > duplicates, 'and the one before it counted');
  assert.ok(!rejections.some(({ peer }) => peer === relay.id), 'which is no offence');

  const thief = await dial(t, node);
  const altered = {
    ...group,
    completions: group.completions.map((each, i) => (i === 3 ? { ...each, text: 'mine' } : each)),
  };
  thief.serve([thief.record(group), thief.record(altered)]);
  await thief.greet();
  await refused(thief, 'duplicateContent', 2);
  await honestTrade();
});

test('old rounds are refused by the origin’s own newest round, whatever its clock says', async (t) => {
  const { node, refused } = await scene(t);
  const stranger = await dial(t, node);
  const before = node.swarm.status().groupsPooled;
  const old = stranger.record(parityGroup(), { round: 3, createdAt: Date.now() });
  const newest = stranger.record(parityGroup(), { round: 500, createdAt: 0 });
  const future = stranger.record(parityGroup(), { round: 501, createdAt: Date.now() * 2 });
  stranger.serve([newest, future, old]);
  await stranger.greet();
  await refused(stranger, 'expired');
  assert.equal(node.swarm.status().groupsPooled, before + 2);
});

test('more records than were asked for, and forged heads', async (t) => {
  const { node, refused, honestTrade } = await scene(t, { recordBurst: 10, recordsPerSecond: 10 });
  const greedy = await dial(t, node);
  greedy.serve(Array.from({ length: 30 }, () => greedy.record(parityGroup())));
  await greedy.greet();
  await refused(greedy, 'unaskedRecords');

  const liar = await dial(t, node);
  await liar.greet();
  const other = identityFromSeed(randomBytes(32));
  const fields = { round: 1, count: 1, createdAt: Date.now(), policyHash: Buffer.alloc(32) };
  const head = signHead(fields, liar.identity.keyPair);
  head.bytes.set(other.keyPair.publicKey); // what goes over the wire begins with whose it is
  const known = node.swarm.status().membersKnown;
  liar.send({ kind: 'heads', heads: [head] });
  await refused(liar, 'forgedSignature');
  assert.equal(node.swarm.status().membersKnown, known);
  await honestTrade();
});

test('mute peers: no greeting, or no answers', async (t) => {
  // A connection is half open for at most 1.4 times so long, which has to end before a greeting is overdue.
  const limits = { halfOpenMs: 1_200, handshakeTimeoutMs: 2_500, pullTimeoutMs: 1_500, maxMutePulls: 2 };
  const { node, rejections, refused, honestTrade } = await scene(t, limits);
  const silent = await dial(t, node);
  await until('dropped without blame', () => silent.closed);
  assert.ok(!rejections.some(({ peer }) => peer === silent.id));

  const opens = await dial(t, node);
  opens.openChannel();
  await refused(opens, 'mute');
  await until('dropped', () => opens.closed);

  const greets = await dial(t, node);
  await greets.greet();
  await until('dropped after two pulls', () => greets.closed);
  const pulls = greets.received.filter((message) => message.kind === 'pull').length;
  assert.equal(pulls, 2);
  await honestTrade();
});

test('versions and secrets that do not fit end politely and cost nothing', async (t) => {
  const { node, refused } = await scene(t);
  const later = await dial(t, node);
  later.openChannel();
  later.send({ ...(GREETING as Extract<typeof GREETING, { kind: 'handshake' }>), version: 9, minVersion: 7 });
  await refused(later, 'incompatibleVersion');
  await until('told why', () => later.received.some((m) => m.kind === 'bye' && m.reason === 'incompatibleVersion'));

  const { bootstrap } = node.options;
  const rejected: RejectionReason[] = [];
  const secret = 'honey';
  const key = (await secretKeyOf('test', secret, QUICK_STRETCH))!;
  const closed = await openSwarm(t, bootstrap, { secret, onRejected: (_peer, reason) => void rejected.push(reason) });
  for (const membership of [null, randomBytes(32)]) {
    const spy = await dial(t, closed); // knows the topic, which DHT nodes see, but not the secret
    spy.openChannel(1, 'waggle/swarm', key);
    spy.send({ ...(GREETING as Extract<typeof GREETING, { kind: 'handshake' }>), membership });
    await until('closed', () => spy.closed);
    assert.equal(spy.frames, 0, 'it is told nothing, not even what it has done wrong');
  }
  assert.deepEqual(rejected, ['wrongSecret', 'wrongSecret']);
  const ahead = await dial(t, closed);
  ahead.openChannel(1, 'waggle/swarm', key);
  const membership = ahead.membership(key);
  ahead.send({
    ...(GREETING as Extract<typeof GREETING, { kind: 'handshake' }>),
    version: 9,
    minVersion: 7,
    membership,
  });
  await until('the owner is told what to do', () => closed.swarm.status().text.includes('update Waggle'));
  const other = await dial(t, closed);
  other.openChannel();
  await until('closed', () => other.closed);
  assert.equal(other.frames, 0);
  assert.equal(closed.swarm.status().peers, 0);
});

test('a verifier that throws is this node’s fault, not the peer’s', async (t) => {
  const { bootstrap } = await openDht(t);
  const node = await openSwarm(t, bootstrap, {
    verify: () => {
      throw new Error('bug\u202e in a generator');
    },
  });
  const stranger = await dial(t, node);
  stranger.serve(
    Array.from({ length: 5 }, () => stranger.record({ encoding: 'raw', bytes: pack(parityGroup()).bytes })),
  );
  stranger.serve([stranger.record(parityGroup())]);
  await stranger.greet();
  await until('counted', () => node.swarm.status().rejected['verifierFault'] === 1);
  assert.equal(stranger.closed, false);
  assert.match(node.log.join('\n'), /verifierFault \(bug in a generator\)/);
});

test('a frame that announces 16 MB is refused when it is too long, not when it is whole', async (t) => {
  const { node, refused, honestTrade } = await scene(t);
  const stranger = await dial(t, node);
  await stranger.greet();
  const before = node.swarm.status().bytesIn;
  stranger.frame(Buffer.alloc(15 * 1024 * 1024, 7));
  await refused(stranger, 'oversize');
  await until('the end of the connection', () => stranger.closed);
  assert.ok(node.swarm.status().bytesIn - before < 1024 * 1024, 'what came of it counts');
  assert.ok(stranger.wire.out < 4 * 1024 * 1024, `${String(stranger.wire.out)} bytes went out`);
  await honestTrade();
});

test('a new connection of the same key is no new quota', async (t) => {
  const bytesPerMinute = 256 * 1024;
  const { node, rejections, honestTrade } = await scene(t, { bytesPerMinute });
  const identity = identityFromSeed(randomBytes(32));
  const head = signHead({ round: 1, count: 1, createdAt: 1, policyHash: Buffer.alloc(32) }, identity.keyPair);
  const heads = Array.from({ length: 256 }, () => head);
  const bytes = encodeMessage({ kind: 'heads', heads }).byteLength;
  const isCaught = () => rejections.some(({ peer }) => peer === identity.publicKey);
  // Each connection stays within the quota of one; together they do not.
  for (let i = 0; i < 4 && !isCaught(); i++) {
    const stranger = await dial(t, node, identity);
    await stranger.greet();
    const before = node.swarm.status().bytesIn;
    let sent = 0;
    for (; sent + bytes < bytesPerMinute; sent += bytes) stranger.send({ kind: 'heads', heads });
    await until('all has arrived', () => isCaught() || node.swarm.status().bytesIn - before >= sent);
    stranger.close();
    await pause(50);
  }
  assert.deepEqual([...new Set(rejections.map(({ reason }) => reason))], ['tooManyBytes']);
  await honestTrade();
});

test('who has not shown that it is a member is not believed when it says goodbye', async (t) => {
  const { node, honestTrade } = await scene(t);
  const stranger = await dial(t, node);
  stranger.openChannel();
  stranger.send({ kind: 'bye', reason: 'doubledIdentity' });
  await until('the end of the connection', () => stranger.closed);
  assert.equal(node.swarm.status().doubledIdentityAt, null);
  await honestTrade();
});
