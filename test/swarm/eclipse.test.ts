/** Strangers that take places and bring nothing: some places are not theirs to take, and none is theirs for good. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openDht, openSwarm, parityGroup, pause, until } from './local-swarm.ts';
import type { Opened } from './local-swarm.ts';
import { dial } from './stranger.ts';
import type { Stranger } from './stranger.ts';

/** Greets, and answers every pull with nothing. */
async function takePlace(t: TestContext, target: Opened): Promise<Stranger> {
  const stranger = await dial(t, target);
  stranger.serveBytes(() => []);
  await stranger.greet();
  return stranger;
}

const isConnected = (node: Opened, peer: Opened) =>
  node.swarm.peers().some((row) => row.connected && row.peer === peer.options.identity.publicKey);

test('fourteen that dial in take ten places; a member is dialled all the same', async (t) => {
  const { bootstrap } = await openDht(t);
  const node = await openSwarm(t, bootstrap, { limits: { refreshAtMs: [5_000, 7_000, 9_000], rotateEveryMs: 1e9 } });
  await Promise.all(Array.from({ length: 14 }, () => takePlace(t, node)));
  await until('as many as may come', () => node.swarm.status().peers === 10);
  const member = await openSwarm(t, bootstrap, { limits: { refreshAtMs: [] } });
  await until('the member is found', () => isConnected(node, member), 40_000);
  assert.equal(node.swarm.status().peers, 11);
});

test('who was told that there is no place does not dial again at once, whatever it looks up', async (t) => {
  const { bootstrap } = await openDht(t);
  // Its one place is kept for somebody whom it dials, and it dials nobody.
  const limits = { maxPeers: 2, maxConnections: 1, refreshAtMs: [], watchdogMs: 1e9 };
  const node = await openSwarm(t, bootstrap, { limits });
  const noPlace = () => node.log.filter((line) => line.includes('no place for'));
  const refreshAtMs = [500, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000];
  const late = await openSwarm(t, bootstrap, { limits: { refreshAtMs, watchdogMs: 1_000 } });
  await until('told', () => noPlace().length > 0, 40_000);
  await pause(5_000);
  assert.equal(noPlace().length, 1);
  assert.ok(!isConnected(late, node));
  assert.equal(late.swarm.status().rejected['mute'], undefined);
});

test('where every place is taken, who brings nothing is given up, one at a time; who brings something is kept', async (t) => {
  const { bootstrap } = await openDht(t);
  const limits = { maxPeers: 2, maxConnections: 5, rotateEveryMs: 2_000, pullIntervalMs: 200, refreshAtMs: [] };
  const givenUpAtMs: number[] = [];
  const node = await openSwarm(t, bootstrap, {
    limits,
    log: (_level, line) => {
      if (line.includes('to make room for another peer')) givenUpAtMs.push(performance.now());
    },
  });
  const [useful, ...idle] = await Promise.all(Array.from({ length: 4 }, () => takePlace(t, node)));
  useful!.serveBytes(() => [useful!.record(parityGroup())]);
  await until('one is given up', () => givenUpAtMs.length === 1, 40_000);
  await until('it is told', () => idle.filter((each) => each.closed).length === 1);
  const again = await dial(t, node, idle.find((each) => each.closed)!.identity, 2).catch(() => null);
  await until('it is not let in again', () => again?.closed !== false);
  await until('all but the last are', () => idle.filter((each) => each.closed).length === 3, 40_000);
  const waits = givenUpAtMs.slice(1).map((at, i) => at - givenUpAtMs[i]!);
  assert.equal(waits.length, 2);
  assert.ok(
    waits.every((ms) => ms >= 1_900),
    `no more than one each time: ${String(waits)}`,
  );
  await pause(3_000);
  assert.equal(useful!.closed, false);
  assert.equal(node.swarm.status().peers, 1);
});
