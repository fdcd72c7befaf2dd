/** A described swarm on real sockets: members meet by its id, its secret and its shards; with small shards all the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signDescription } from '../../src-main/swarm/codec/description.ts';
import { keyPairFromSeed, randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import { shardOf, shardTopics } from '../../src-main/swarm/overlay/shards.ts';
import { openDht, openSwarm, parityGroups, until } from './local-swarm.ts';

const TERMS = { taskSet: 'starter', taskSetVersion: 1, protocol: 1, maxRoundAge: 16, shardCount: 1 };
const keys = keyPairFromSeed(randomBytes(32));
const describe = (changes: { name?: string; shardCount?: number; secret?: string | null }) =>
  signDescription({ ...TERMS, name: 'hive', createdAt: 1, secret: null, ...changes }, keys);

test('two swarms of one name are two swarms; members of one meet', async (t) => {
  const { bootstrap } = await openDht(t);
  const here = describe({ secret: 'honey' });
  const there = describe({ secret: 'wax' });
  const [a, b, other, uninvited] = await Promise.all([
    openSwarm(t, bootstrap, { description: here, secret: 'honey' }),
    openSwarm(t, bootstrap, { description: here, secret: 'honey' }),
    openSwarm(t, bootstrap, { description: there, secret: 'wax' }),
    openSwarm(t, bootstrap, { description: here }),
  ]);
  a.swarm.share(parityGroups(2), 1);
  await until('the member has the groups', () => b.swarm.status().groupsPooled === 2);
  assert.equal(other.swarm.status().peers, 0);
  assert.equal(uninvited.swarm.status().peers, 0);
});

test('twelve nodes over four shards: each learns from nodes of every shard', async (t) => {
  const { bootstrap } = await openDht(t);
  const description = describe({ shardCount: 4 });
  const nodes = await Promise.all(
    Array.from({ length: 12 }, (_, i) => {
      // Three nodes in each shard, whatever the keys.
      let identity = identityFromSeed(randomBytes(32));
      while (shardOf(identity.keyPair.publicKey, 4) !== i % 4) identity = identityFromSeed(randomBytes(32));
      // Faster pulls make a short test.
      const limits = { pullIntervalMs: 150, pullsPerSecond: 8, recordsPerSecond: 200, maxPeers: 6 };
      return openSwarm(t, bootstrap, { description, identity, limits });
    }),
  );
  const shardOfOrigin = new Map(nodes.map(({ options }, i) => [options.identity.publicKey, i % 4]));
  await until('all connected', () => nodes.every(({ swarm }) => swarm.status().peers >= 1), 40_000);
  for (const { swarm } of nodes) swarm.share(parityGroups(2), 1);
  const heard = (i: number) =>
    new Set(
      nodes[i]!.swarm.peers()
        .filter((p) => p.groupsVerified > 0)
        .map((p) => shardOfOrigin.get(p.peer)),
    );
  await until('all shards are heard everywhere', () => nodes.every((_node, i) => heard(i).size === 4), 25_000);
});

test('topics: one for small swarms; home announced, a ring and a chord looked up', () => {
  const topic = randomBytes(32);
  const key = randomBytes(32);
  assert.deepEqual(
    shardTopics(topic, key, 1, () => 0.5),
    [{ topic, announce: true }],
  );
  const counts = new Map<number, number>();
  for (let i = 0; i < 4_000; i++) {
    const shard = shardOf(randomBytes(32), 8);
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  for (const count of counts.values()) assert.ok(Math.abs(count - 500) < 120, String([...counts]));
  for (const random of [0, 0.3, 0.6, 0.999]) {
    const topics = shardTopics(topic, key, 8, () => random);
    assert.deepEqual(topics.map(({ announce }) => announce).filter(Boolean), [true]);
    assert.equal(new Set(topics.map((each) => each.topic.toString('hex'))).size, topics.length);
    assert.ok(topics.length >= 2 && topics.length <= 3);
  }
});
