/**
 * Two nodes that cannot reach each other trade through a third that anybody can reach. On loopback everybody can reach everybody,
 * so `reach: 'closed'` refuses every direct path that HyperDHT tries (hole punching, local network); that it does is tested
 * too. Real address translators are not to be had here.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import HyperDHT from 'hyperdht';
import type { NoiseStream } from 'hyperdht';
import { keyPairFromSeed, randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { DhtNode } from '../../src-main/swarm/overlay/dht-node.ts';
import type { SwarmOptions } from '../../src-main/swarm/swarm.ts';
import { atEnd, openDht, openSwarm, parityGroups, pause, until } from './local-swarm.ts';
import type { Opened } from './local-swarm.ts';
import { dial, nestedBatches } from './stranger.ts';

const LIMITS = { pullIntervalMs: 200, pullsPerSecond: 8, halfOpenMs: 1_500, watchdogMs: 800 };

async function openThree(t: TestContext, relay: Partial<SwarmOptions> = {}) {
  const { bootstrap } = await openDht(t);
  const open = await openSwarm(t, bootstrap, { reach: 'open', ...relay, limits: { ...LIMITS, ...relay.limits } });
  await until('the open one knows that it is', () => open.swarm.status().network.nat === 'open');
  const closed = () => openSwarm(t, bootstrap, { reach: 'closed', limits: LIMITS });
  const [a, b] = await Promise.all([closed(), closed()]);
  await until('both know the open one', () => [a, b].every((node) => pathTo(node, open) === 'direct'), 40_000);
  return { bootstrap, open, a, b };
}

function pathTo(from: Opened, to: Opened) {
  return from.swarm.peers().find(({ peer }) => peer === to.options.identity.publicKey)?.path ?? null;
}

test('two closed nodes trade through an open member of the swarm, and each says so', async (t) => {
  const { open, a, b } = await openThree(t);
  const ms = await until(
    'connected through it',
    () => pathTo(a, b) === 'relayed' && pathTo(b, a) === 'relayed',
    20_000,
  );
  t.diagnostic(`relayed ${(ms / 1_000).toFixed(1)} s after both know the open one`);
  assert.deepEqual(a.swarm.status().network.paths, { direct: 1, relayed: 1, lan: 0 });
  a.swarm.share(parityGroups(3), 1);
  await until('b has them', () => b.swarm.status().groupsPooled >= 3);
  // Where both dialled, there were two for a moment.
  await until('one pair is carried', () => open.swarm.status().network.relaying.sessions === 1);
  await until('bytes are counted', () => open.swarm.status().network.relaying.bytes > 1_000);
  await b.swarm.close();
  await until('the relay lets go', () => open.swarm.status().network.relaying.sessions === 0);
});

test('without anybody who carries they stay apart; what is shared crosses through the third all the same', async (t) => {
  const { a, b } = await openThree(t, { carriesForOthers: false });
  a.swarm.share(parityGroups(3), 1);
  await until('b has them, passed on', () => b.swarm.status().groupsPooled === 3, 40_000);
  await pause(2_000);
  assert.deepEqual([pathTo(a, b), pathTo(b, a)], [null, null]);
});

test('a node with a bandwidth cap carries nothing', async (t) => {
  const { a, b, open } = await openThree(t, { limits: { maxBytesPerSecondOut: 1_000_000 } });
  await pause(1_500);
  assert.deepEqual([pathTo(a, b), open.swarm.status().network.relaying.sessions], [null, 0]);
});

test('a pair that used up its bytes is let go, and so is everybody when the hour is used up', async (t) => {
  const { a, b, open } = await openThree(t, { limits: { relayPairBytes: 30_000, relayBytesPerHour: 50_000 } });
  await until('connected through it', () => pathTo(a, b) === 'relayed', 20_000);
  const text = () => randomBytes(3_000).toString('hex');
  for (let round = 1; round <= 3; round++) {
    const groups = parityGroups(12).map(({ task }) => ({ task, completions: [{ text: text(), ended: true }] }));
    a.swarm.share(groups, round);
    b.swarm.share(
      groups.map((group) => ({ ...group, task: { ...group.task, index: group.task.index + 1e6 } })),
      round,
    );
    await pause(700);
  }
  await until('let go', () => open.swarm.status().network.relaying.sessions === 0);
  const { bytes } = open.swarm.status().network.relaying;
  assert.ok(bytes > 30_000 && bytes < 400_000, `${String(bytes)} bytes`);
  assert.ok(
    open.log.some((line) => line.includes('which is the bound')),
    open.log.join('\n'),
  );
  await pause(1_500);
  assert.equal(open.swarm.status().network.relaying.sessions, 0, 'the hour is used up');
});

const PAIR = Buffer.concat([Buffer.from([1, 0, 0]), Buffer.alloc(32, 1), Buffer.from([5, 0])]);
const HOSTILE_FRAMES: Record<string, Buffer[]> = {
  'batches in batches': [nestedBatches(30_000)],
  'a short pair message, read beyond its end': [Buffer.from([1, 0, 1])],
  'pairs again and again': [PAIR, PAIR, PAIR],
  'an id beyond 32 bits': [Buffer.concat([Buffer.from([1, 0, 0]), Buffer.alloc(32, 1), Buffer.alloc(18, 0xff)])],
  'channels without end': Array.from({ length: 50 }, (_, i) => Buffer.from([0, 1, i + 1, 1, 97, 0])),
  noise: Array.from({ length: 20 }, () => randomBytes(40)),
};

test('a stranger names a relay of its own, which is hostile: the node survives and trades on', async (t) => {
  const { bootstrap } = await openDht(t);
  const a = await openSwarm(t, bootstrap, { reach: 'closed', limits: LIMITS });
  // Carries nothing, so that the relay the stranger names is the one that counts.
  const friend = await openSwarm(t, bootstrap, { reach: 'open', carriesForOthers: false, limits: LIMITS });
  await until('connected', () => pathTo(a, friend) === 'direct', 40_000);
  const dht = new HyperDHT({ bootstrap: [...bootstrap], host: '127.0.0.1', firewalled: false });
  atEnd(t, () => dht.destroy({ force: true }));
  const stranger = new DhtNode({ bootstrap: [...bootstrap], host: '127.0.0.1' }, 'closed', () => performance.now());
  atEnd(t, () => stranger.destroy({ force: true }));
  await Promise.all([dht.fullyBootstrapped(), stranger.fullyBootstrapped()]);
  for (const [what, frames] of Object.entries(HOSTILE_FRAMES)) {
    let greeted = 0;
    const server = dht.createServer({}, (connection: NoiseStream) => {
      connection.on('error', () => undefined);
      greeted++;
      const name = Buffer.from('blind-relay');
      const id = Buffer.concat([Buffer.from([32]), connection.remotePublicKey]);
      connection.write(Buffer.concat([Buffer.from([0, 1, 1, name.byteLength]), name, id]));
      for (const frame of frames) connection.write(frame);
    });
    const keys = keyPairFromSeed(randomBytes(32));
    await server.listen(keys);
    const target = Buffer.from(a.options.identity.publicKey, 'hex');
    const dialled = stranger.connect(target, {
      keyPair: keyPairFromSeed(randomBytes(32)),
      relayThrough: keys.publicKey,
    });
    dialled.on('error', () => undefined);
    await until(`${what}: the node dialled the hostile relay`, () => greeted >= 1, 40_000);
    await pause(200);
    dialled.destroy();
    if (!dialled.destroyed) await once(dialled, 'close');
    await server.close();
  }
  friend.swarm.share(parityGroups(2), 1);
  await until('the node trades on', () => a.swarm.status().groupsPooled >= 2);
});

/** A relay, and a DHT node to dial it from. */
async function openRelay(t: TestContext, limits: SwarmOptions['limits'] = {}) {
  const { bootstrap } = await openDht(t);
  const open = await openSwarm(t, bootstrap, { reach: 'open', limits: { ...LIMITS, ...limits } });
  await until('the open one knows that it is', () => open.swarm.status().network.nat === 'open');
  const relayKey = await answered('its relay key', async () => {
    const stranger = await dial(t, open);
    await stranger.greet();
    stranger.serveBytes(() => []);
    const greeting = stranger.received.find((message) => message.kind === 'handshake');
    const relayKey = greeting?.kind === 'handshake' ? greeting.relayKey : null;
    if (relayKey === null) stranger.close(); // else it stays: a node without a peer would start its network afresh
    return relayKey;
  });
  const dht = new HyperDHT({ bootstrap: [...bootstrap], host: '127.0.0.1' });
  atEnd(t, () => dht.destroy({ force: true }));
  const guest = async () => {
    const keyPair = keyPairFromSeed(randomBytes(32));
    const connection = dht.connect(relayKey, { keyPair });
    await once(connection, 'open');
    connection.on('error', () => undefined);
    return connection;
  };
  return { open, guest };
}

test('whoever asks a relay to carry is bounded while it speaks', async (t) => {
  const { guest } = await openRelay(t);
  const connection = await guest();
  const closed = new Promise((resolve) => connection.on('close', resolve));
  connection.write(Buffer.alloc(15 * 1024 * 1024));
  await closed;
  const sent = connection.rawStream.bytesTransmitted ?? 0;
  assert.ok(sent < 2 * 1024 * 1024, `${String(sent)} bytes went out`);
});

test('a pair that carries nothing does not keep its place', async (t) => {
  const { open, guest } = await openRelay(t, { relayPairs: 1, relayPairingMs: 2_000 });
  for (const flags of [0, 1]) {
    const connection = await guest();
    const name = Buffer.from('blind-relay');
    const id = Buffer.concat([Buffer.from([32]), connection.publicKey]);
    connection.write(Buffer.concat([Buffer.from([0, 1, 1, name.byteLength]), name, id]));
    connection.write(Buffer.concat([Buffer.from([1, 0, flags]), Buffer.alloc(32, 1), Buffer.from([5, 0])]));
  }
  await until('the pair', () => open.swarm.status().network.relaying.sessions === 1);
  await until('it has to go', () => open.swarm.status().network.relaying.sessions === 0, 10_000);
});

/** Asks until there is an answer, for ten seconds. */
async function answered<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  for (let i = 0; i < 50; i++) {
    const answer = await ask();
    if (answer !== null) return answer;
    await pause(200);
  }
  throw new Error(`waited for ${what}`);
}
