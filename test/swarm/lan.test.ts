/**
 * Members on one local network find each other by mDNS without any DHT, and nobody else does. In network namespaces of its own;
 * skipped with the reason where there are none.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openNetwork } from './namespaces.ts';
import { pause, until } from './local-swarm.ts';

test('two nodes without a DHT find each other on the local network and trade; strangers to the swarm do not', async (t) => {
  const network = await openNetwork(t, 4);
  if (typeof network === 'string') {
    t.skip(network);
    return;
  }
  const a = await network.start(1, { secret: 'the same secret' });
  const b = await network.start(2, { secret: 'the same secret' });
  const [other, deaf] = await Promise.all([
    network.start(3, { secret: 'another secret' }),
    network.start(4, { secret: 'the same secret', lanDiscovery: false }),
  ]);
  const key = (node: typeof a) => node.report()!.publicKey;
  const hear = () => a.report()!.recentOrigins.includes(key(b)) && b.report()!.recentOrigins.includes(key(a));
  const ms = await until('they trade', hear, 40_000);
  t.diagnostic(`trading ${(ms / 1_000).toFixed(1)} s after both are up`);
  await pause(1_000);
  const row = a.report()!.peers.find(({ peer }) => peer === key(b));
  assert.deepEqual([row?.path, row?.connected], ['lan', true]);
  assert.deepEqual(a.report()!.status.network.paths, { direct: 0, relayed: 0, lan: 1 });
  assert.equal(a.report()!.status.network.lanDiscovery, true);
  assert.equal(deaf.report()!.status.network.lanDiscovery, false);
  assert.deepEqual([other.report()!.peers.length, deaf.report()!.peers.length], [0, 0]);
  assert.deepEqual([a.report()!.status.rejected, b.report()!.status.rejected], [{}, {}]);
});

test('a host that floods mDNS costs neither the trade nor memory, and is not echoed', async (t) => {
  const network = await openNetwork(t, 4);
  if (typeof network === 'string') {
    t.skip(network);
    return;
  }
  const a = await network.start(1, {});
  const b = await network.start(2, {});
  const key = (node: typeof a) => node.report()!.publicKey;
  const hear = () => a.report()!.recentOrigins.includes(key(b)) && b.report()!.recentOrigins.includes(key(a));
  await until('they trade', hear, 40_000);
  const before = a.report()!.rssBytes;
  const flood = await network.start(3, { role: 'flood' });
  await pause(4_000);
  await until(`trade goes on: ${a.output()}`, hear);
  const grownMb = (a.report()!.rssBytes - before) / 1e6;
  t.diagnostic(`4 s of flood: ${grownMb.toFixed(1)} MB more in the node`);
  const lastHeard = () => /heard (\d+)\n$/.exec(flood.output())?.[1];
  await until('the flood says what it heard', () => lastHeard() !== undefined);
  const heard = Number(lastHeard());
  t.diagnostic(`${String(heard)} packets in answer to some 4,000, each asking up to 200 times`);
  assert.ok(heard <= 2 * (30 + 5 * 10), `${String(heard)} answers`);
  assert.ok(grownMb < 40, `${String(grownMb)} MB more`);
  assert.deepEqual(a.report()!.status.network.paths, { direct: 0, relayed: 0, lan: 1 });
});
