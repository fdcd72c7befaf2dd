/**
 * A swarm in trouble: honest nodes go on trading, lose nothing of their own, and recover within the seconds stated in each test.
 * Everything on loopback, on a DHT of its own. The third that is killed lives in a process of its own (this file again).
 */
import { NOTHING_KNOWN } from '../../src-main/swarm/codec/known-ids.ts';
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import { atEnd, openDht, openSwarm, parityGroup, parityGroups, pause, until } from './local-swarm.ts';
import type { Opened } from './local-swarm.ts';
import { dial } from './stranger.ts';

/** Faster than the product, so that a minute's trouble fits into seconds; the proportions are the product's. */
const QUICK = { pullIntervalMs: 200, pullsPerSecond: 8, recordsPerSecond: 300, pullTimeoutMs: 1_000, maxMutePulls: 2 };
const CHILD = 'WAGGLE_CHAOS_BOOTSTRAP';

const childPort = process.env[CHILD];
if (childPort === undefined) defineTests();
else await runDoomedNodes(Number(childPort));

/** Five nodes that share and adopt until the process is killed. Their groups have indices of their own. */
async function runDoomedNodes(port: number): Promise<void> {
  const t = { after: () => undefined } as unknown as TestContext;
  const bootstrap = [{ host: '127.0.0.1', port }];
  const nodes = await Promise.all(Array.from({ length: 5 }, () => openSwarm(t, bootstrap, { limits: QUICK })));
  process.send?.(nodes.map(({ options }) => options.identity.publicKey));
  for (let round = 1; ; round++) {
    for (const { swarm } of nodes) swarm.share([groupOfChild()], round);
    await pause(500);
  }
}
function groupOfChild() {
  const group = parityGroup();
  return { ...group, task: { ...group.task, index: group.task.index + 1_000_000 } };
}

async function startDoomed(t: TestContext, port: number): Promise<{ child: ChildProcess; keys: string[] }> {
  const child = fork(import.meta.filename, { env: { ...process.env, [CHILD]: String(port) } });
  atEnd(t, () => Promise.resolve(void child.kill('SIGKILL')));
  const [keys] = (await once(child, 'message')) as [string[]];
  return { child, keys };
}

/** Every node shares, and gets what every other one of these shared just now. Returns the seconds it took. */
async function allTrade(nodes: Opened[], round: number, timeoutMs: number): Promise<number> {
  const heard = nodes.map(() => new Set<string>());
  for (const { swarm } of nodes) swarm.adopt(10_000);
  const ids = new Map<string, string>();
  for (const { swarm, options } of nodes) {
    const [id] = swarm.share([parityGroup()], round);
    assert.ok(typeof id === 'string');
    ids.set(options.identity.publicKey, id);
  }
  const tookMs = await until(
    'everybody hears everybody',
    () => {
      nodes.forEach(({ swarm }, i) => {
        for (const group of swarm.adopt(10_000)) if (ids.get(group.origin) === group.id) heard[i]!.add(group.origin);
      });
      return heard.every((origins) => origins.size === nodes.length - 1);
    },
    timeoutMs,
  );
  return tookMs / 1_000;
}

function defineTests(): void {
  test('kill -9 of a third of 16 nodes: the rest trade on within 20 s', async (t) => {
    const { bootstrap } = await openDht(t);
    const nodes = await Promise.all(Array.from({ length: 11 }, () => openSwarm(t, bootstrap, { limits: QUICK })));
    const { child, keys } = await startDoomed(t, bootstrap[0]!.port);
    await until('connected', () => nodes.every(({ swarm }) => swarm.status().peers >= 2), 40_000);
    const doomed = new Set(keys);
    const linksToDoomed = () =>
      nodes.reduce((sum, { swarm }) => sum + swarm.peers().filter((p) => p.connected && doomed.has(p.peer)).length, 0);
    await until('with those to be killed as well', () => linksToDoomed() >= 3, 40_000);
    const shared = nodes.map(({ swarm }) => swarm.status().groupsShared);
    child.kill('SIGKILL');
    const seconds = await allTrade(nodes, 2, 20_000);
    t.diagnostic(`the survivors all heard each other ${seconds.toFixed(1)} s after the kill`);
    await until('nobody holds on to the dead', () => linksToDoomed() === 0, 30_000);
    nodes.forEach(({ swarm }, i) =>
      assert.equal(swarm.status().groupsShared, shared[i]! + 1, 'nothing of its own is lost'),
    );
  });

  test('a partition in two halves, sockets destroyed: each half goes on, and they find each other again within 20 s', async (t) => {
    const { bootstrap } = await openDht(t);
    let partitioned = false;
    const identities = Array.from({ length: 8 }, () => identityFromSeed(randomBytes(32)));
    const half = new Map(identities.map(({ publicKey }, i) => [publicKey, i % 2]));
    const nodes = await Promise.all(
      identities.map((identity, i) => {
        const isBlocked = (peer: string) => partitioned && half.get(peer) !== i % 2;
        return openSwarm(t, bootstrap, { identity, isBlocked, limits: { ...QUICK, watchdogMs: 800 } });
      }),
    );
    await allTrade(nodes, 1, 40_000);
    partitioned = true;
    const crossing = () =>
      nodes.some(({ swarm }, i) => swarm.peers().some((p) => p.connected && half.get(p.peer) !== i % 2));
    await until('cut', () => !crossing(), 40_000);
    for (const side of [0, 1])
      await allTrade(
        nodes.filter((_node, i) => i % 2 === side),
        2,
        20_000,
      );
    partitioned = false;
    const seconds = await allTrade(nodes, 3, 20_000);
    t.diagnostic(`whole again after ${seconds.toFixed(1)} s`);
  });

  test('clocks days apart change nothing', async (t) => {
    const { bootstrap } = await openDht(t);
    const day = 24 * 3_600_000;
    const nodes = await Promise.all(
      [-30 * day, 0, 400 * day].map((shift) =>
        openSwarm(t, bootstrap, { limits: QUICK, now: () => Date.now() + shift }),
      ),
    );
    for (const round of [1, 2, 3]) await allTrade(nodes, round, 40_000);
    for (const { swarm } of nodes) {
      swarm.share([], 4);
      assert.deepEqual(swarm.status().rejected, {});
    }
    await until('credit too', () => nodes.every(({ swarm }) => swarm.ownScore('day').score >= 2), 40_000);
  });

  test('a clock that jumps while running, and rounds that start over, change nothing', async (t) => {
    const { bootstrap } = await openDht(t);
    let shift = 0;
    const a = await openSwarm(t, bootstrap, { limits: QUICK, now: () => Date.now() + shift });
    const b = await openSwarm(t, bootstrap, { limits: QUICK });
    await allTrade([a, b], 5, 40_000);
    for (const jump of [-90, 90]) {
      shift = jump * 24 * 3_600_000;
      await allTrade([a, b], 6, 40_000);
    }
    assert.deepEqual([a.swarm.status().rejected, b.swarm.status().rejected], [{}, {}]);
  });

  test('a flood of connections: caps hold, the honest trade goes on', async (t) => {
    const { bootstrap } = await openDht(t);
    const limits = { ...QUICK, maxConnections: 8, halfOpenMs: 1_000, handshakeTimeoutMs: 7_000 };
    const node = await openSwarm(t, bootstrap, { limits });
    const honest = await openSwarm(t, bootstrap, { limits: QUICK });
    await allTrade([node, honest], 1, 40_000);
    const strangers = await Promise.all(Array.from({ length: 40 }, () => dial(t, node)));
    for (const stranger of strangers.slice(0, 20)) stranger.openChannel();
    // Before those that never greet, of which there are 20, have to go.
    await until('no more than 8 of 40 stay open', () => strangers.filter(({ closed }) => !closed).length <= 8, 5_000);
    assert.ok(node.swarm.status().peers <= 8);
    await allTrade([node, honest], 2, 40_000);
    await until('those that never greet are gone', () => strangers.every((stranger) => stranger.closed), 20_000);
  });

  test('a peer that asks and never reads is given up; others are served meanwhile', async (t) => {
    const { bootstrap } = await openDht(t);
    const limits = {
      ...QUICK,
      slowReaderMs: 1_000,
      messagesPerSecond: 1_000,
      messageBurst: 1_000,
    };
    const rejected: { peer: string; reason: string }[] = [];
    const node = await openSwarm(t, bootstrap, {
      limits: { ...limits, pullBurst: 1_000 },
      onRejected: (peer, reason) => void rejected.push({ peer, reason }),
    });
    const honest = await openSwarm(t, bootstrap, { limits: QUICK });
    const slow = await dial(t, node);
    await slow.greet();
    const groups = Array.from({ length: 60 }, () => {
      const { task } = parityGroup();
      return {
        task,
        completions: Array.from({ length: 4 }, () => ({ text: randomBytes(2_000).toString('hex'), ended: true })),
      };
    });
    node.swarm.share(groups, 1);
    slow.stopReading();
    for (let requestId = 1; requestId <= 40; requestId++)
      slow.send({
        kind: 'pull',
        requestId,
        count: 64,
        ownPercent: 100,
        maxAgeMs: 1e6,
        maxBytes: 240_000,
        known: NOTHING_KNOWN,
      });
    honest.swarm.share(parityGroups(2), 1);
    await until('the honest peer is heard', () => node.swarm.status().groupsPooled >= 2);
    // Its silence gives it away: whoever does not read does not answer either.
    const givenUp = () => rejected.some(({ peer, reason }) => peer === slow.id && /^(mute|slowReader)$/.test(reason));
    await until('given up', givenUp, 40_000);
    await until('and dropped', () => node.swarm.peers().every((row) => row.peer !== slow.id || !row.connected));
    await allTrade([node, honest], 2, 40_000);
  });

  test('relays that tamper are banned by each neighbour, and the true records arrive all the same', async (t) => {
    const { bootstrap } = await openDht(t);
    const nodes = await Promise.all(Array.from({ length: 3 }, () => openSwarm(t, bootstrap, { limits: QUICK })));
    const author = identityFromSeed(randomBytes(32));
    const maker = await dial(t, nodes[0]!, author); // its connection stays silent, and is given up
    const records = Array.from({ length: 6 }, () => maker.record(parityGroup()));
    // A relay between the author and everybody, that changes one byte of each record it passes on.
    for (const node of nodes) {
      const relay = await dial(t, node);
      relay.serve(
        records.map((record, i) => {
          const changed = Buffer.from(record);
          changed[(i * 97) % record.byteLength]! ^= 8;
          return changed;
        }),
      );
      await relay.greet();
      await until('the relay is dropped', () => relay.closed);
      const row = node.swarm.peers().find((each) => each.peer === relay.id);
      assert.ok(Object.values(row?.rejected ?? {}).some((count) => count > 0));
    }
    const source = await dial(t, nodes[0]!, author);
    source.serve(records);
    await source.greet();
    const all = () => nodes.every(({ swarm }) => swarm.peers().find((p) => p.peer === source.id)?.groupsVerified === 6);
    await until('all six everywhere, relayed by honest nodes', all, 40_000);
  });

  test('the whole DHT dies and comes back: trade goes on meanwhile, a newcomer gets in afterwards within 20 s', async (t) => {
    const dht = await openDht(t);
    const { port } = dht.bootstrap[0]!;
    const nodes = await Promise.all(
      Array.from({ length: 3 }, () => openSwarm(t, dht.bootstrap, { limits: { ...QUICK, watchdogMs: 800 } })),
    );
    await allTrade(nodes, 1, 40_000);
    for (const node of dht.nodes) await node.destroy({ force: true });
    await allTrade(nodes, 2, 40_000);
    await openDht(t, port);
    const newcomer = await openSwarm(t, dht.bootstrap, { limits: { ...QUICK, watchdogMs: 800 } });
    const seconds = await allTrade([...nodes, newcomer], 3, 25_000);
    t.diagnostic(`with the newcomer after ${seconds.toFixed(1)} s`);
  });
}
