/**
 * A network cut in two by its switch, in network namespaces: packets vanish, no socket is told. Skipped with the reason where
 * there are none; `chaos.test.ts` has the same with sockets destroyed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './local-swarm.ts';
import { addressOf, openNetwork } from './namespaces.ts';
import type { NamespacedNode } from './namespaces.ts';

const DHT_HOST = 5;

test('a partition: each half trades on, the one without the DHT too, and they find each other again within 40 s', async (t) => {
  const network = await openNetwork(t, DHT_HOST);
  if (typeof network === 'string') {
    t.skip(network);
    return;
  }
  await network.start(DHT_HOST, { role: 'dht' });
  const plan = { dht: addressOf(DHT_HOST), lanDiscovery: false };
  const nodes = await Promise.all([1, 2, 3, 4].map((host) => network.start(host, plan)));
  const halves = [nodes.slice(0, 2), nodes.slice(2)] as const;
  const key = (node: NamespacedNode) => node.report()!.publicKey;
  const hears = (node: NamespacedNode, others: readonly NamespacedNode[]) =>
    others.every((other) => other === node || node.report()!.recentOrigins.includes(key(other)));
  const allHear = (group: readonly NamespacedNode[]) => group.every((node) => hears(node, group));
  const crossing = () =>
    halves.some((half, i) => half.some((node) => halves[1 - i]!.some((other) => hears(node, [other]))));

  await until('everybody hears everybody', () => allHear(nodes), 40_000);
  const roundBefore = nodes.map((node) => node.report()!.round);
  await network.split([
    [1, 2, DHT_HOST],
    [3, 4],
  ]);
  await until('cut', () => !crossing(), 40_000);
  const ms = await until('each half hears itself', () => halves.every(allHear) && !crossing(), 30_000);
  t.diagnostic(`both halves trade on ${(ms / 1_000).toFixed(1)} s after the cut was felt`);
  const linked = () =>
    halves.some((half, i) =>
      half.some((node) =>
        halves[1 - i]!.some((other) => node.report()!.peers.some((row) => row.connected && row.peer === key(other))),
      ),
    );
  const dead = await until('the connections across are given up', () => !linked(), 60_000);
  t.diagnostic(`connections across given up after another ${(dead / 1_000).toFixed(1)} s`);
  await network.split([[1, 2, 3, 4, DHT_HOST]]);
  const back = await until('whole again', () => allHear(nodes), 40_000);
  t.diagnostic(`whole again after ${(back / 1_000).toFixed(1)} s`);
  nodes.forEach((node, i) => {
    const { round, status } = node.report()!;
    assert.ok(round > roundBefore[i]! + 4, 'the rounds went on');
    assert.ok(status.groupsShared >= round - 1, 'nothing of its own is lost');
  });
});
