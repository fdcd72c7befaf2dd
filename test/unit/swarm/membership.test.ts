/** Joining, creating, choosing and leaving swarms: the implementation that page, API and command line share. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { signDescription } from '../../../src-main/swarm/codec/description.ts';
import { keyPairFromSeed, toHex } from '../../../src-main/swarm/identity/crypto.ts';
import { decodeInvite, encodeInvite } from '../../../src-main/swarm/membership/invite.ts';
import { Membership, MAX_ROUND_AGE } from '../../../src-main/swarm/membership/membership.ts';

const keys = keyPairFromSeed(Buffer.alloc(32, 7));
const taskSets = [
  { name: 'starter', version: 3 },
  { name: 'easy', version: 1 },
];
async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-membership-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'swarms.json');
  return { path, membership: new Membership({ path, taskSets, keyPair: () => keys, now: () => 1_000 }) };
}
const wanted = { name: 'Our hive', taskSet: 'starter', private: true, shardCount: 2, maxRoundAge: 20 };
const offered = (changes: Partial<Parameters<typeof signDescription>[0]>) => {
  const terms = { name: 'x', taskSet: 'starter', taskSetVersion: 3, protocol: 1, maxRoundAge: 16, shardCount: 1 };
  return encodeInvite({
    description: signDescription({ ...terms, createdAt: 1, secret: null, ...changes }, keys),
    secret: null,
  });
};

test('a swarm that is made is joined and chosen; its link says all of it, and its secret differs each time', async (t) => {
  const { membership, path } = await open(t);
  const { list, invite } = await membership.create(wanted);
  assert.equal(list.active, invite.description.id);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const link = await membership.inviteOf(invite.description.id);
  assert.deepEqual(membership.card(membership.read(`  ${link}\n`)), {
    id: invite.description.id,
    name: 'Our hive',
    private: true,
    taskSet: 'starter',
    taskSetVersion: 3,
    protocol: 1,
    maxRoundAge: 20,
    shardCount: 2,
    creator: toHex(keys.publicKey),
    createdAt: 1_000,
    misfit: null,
  });
  const again = await membership.create(wanted);
  assert.notEqual(again.invite.secret, invite.secret);
  assert.notEqual(again.invite.description.id, invite.description.id);
  const open_ = await membership.create({ ...wanted, private: false });
  assert.equal(open_.invite.secret, null);
  const decoded = decodeInvite(await membership.inviteOf(open_.invite.description.id));
  assert.ok(decoded.ok && decoded.invite.secret === null);
});

test('choose, leave: the public one is next; what was not joined is a fault and changes nothing', async (t) => {
  const { membership } = await open(t);
  const one = (await membership.create({ ...wanted, name: 'one' })).invite.description.id;
  const two = (await membership.create({ ...wanted, name: 'two' })).invite.description.id;
  assert.equal((await membership.choose(one)).active, one);
  assert.equal((await membership.choose(null)).active, null);
  await membership.choose(two);
  const before = await membership.list();
  const none = '0'.repeat(64);
  for (const refused of [() => membership.choose(none), () => membership.leave(none), () => membership.inviteOf('x')])
    await assert.rejects(refused, { code: 'unknownSwarm' });
  assert.deepEqual(await membership.list(), before);
  assert.equal((await membership.leave(one)).active, two);
  assert.deepEqual(await membership.leave(two), { swarms: [], active: null });
});

test('changes asked for at once happen one after the other: none is lost', async (t) => {
  const { membership } = await open(t);
  const names = Array.from({ length: 12 }, (_, i) => `swarm ${String(i)}`);
  const failing = membership.leave('0'.repeat(64)).catch(() => 'refused');
  await Promise.all(names.map((name) => membership.create({ ...wanted, name })));
  assert.equal(await failing, 'refused');
  const { swarms } = await membership.list();
  assert.deepEqual(swarms.map(({ description }) => description.name).sort(), names.sort());
});

test('an invite that does not fit is shown with what to do, and never joined', async (t) => {
  const { membership } = await open(t);
  for (const [link, code] of [
    [offered({ protocol: 99 }), 'newerProtocol'],
    [offered({ taskSet: 'from_the_future' }), 'unknownTaskSet'],
    [offered({ taskSetVersion: 4 }), 'newerTaskSet'],
    [offered({ taskSetVersion: 2 }), 'olderTaskSet'],
  ] as const) {
    const card = membership.card(membership.read(link));
    assert.equal(card.misfit?.code, code);
    assert.ok(card.misfit.fix.length > 10);
    await assert.rejects(membership.join(link), { code, fix: card.misfit.fix });
  }
  const good = offered({});
  for (const bad of ['', 'https://example.org', 'waggle://join/', good.slice(0, -3), `${good}AAAA`, 'x'.repeat(5_000)])
    assert.throws(() => membership.read(bad), { code: 'badInvite' });
  assert.deepEqual(await membership.list(), { swarms: [], active: null });
  assert.equal((await membership.join(good)).swarms.length, 1);
  assert.equal((await membership.join(good)).swarms.length, 1, 'joined once');
});

test('terms out of bounds are refused with what is allowed', async (t) => {
  const { membership } = await open(t);
  for (const [changes, code] of [
    [{ name: '' }, 'badSwarmName'],
    [{ name: '\u202e\u200b' }, 'badSwarmName'],
    [{ name: 'c'.repeat(300) }, 'badSwarmName'],
    [{ taskSet: 'nope' }, 'unknownTaskSet'],
    [{ shardCount: 0 }, 'badSwarmLimits'],
    [{ shardCount: 5_000 }, 'badSwarmLimits'],
    [{ maxRoundAge: MAX_ROUND_AGE + 1 }, 'badSwarmLimits'],
    [{ maxRoundAge: 1.5 }, 'badSwarmLimits'],
  ] as const)
    await assert.rejects(membership.create({ ...wanted, ...changes }), { code });
  const { invite } = await membership.create({ ...wanted, name: `a\u202eb` });
  assert.equal(invite.description.name, 'ab');
  assert.deepEqual((await membership.list()).swarms.length, 1);
});
