/** The neighbourhood and its costs: the owner's bandwidth cap, measured at the other end; rotation; the cap on connections. */
import { NOTHING_KNOWN } from '../../src-main/swarm/codec/known-ids.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Bandwidth } from '../../src-main/swarm/overlay/bandwidth.ts';
import { randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import { DEFAULT_LIMITS } from '../../src-main/swarm/limits.ts';
import { Discovery } from '../../src-main/swarm/overlay/discovery.ts';
import type { DiscoveryOptions } from '../../src-main/swarm/overlay/discovery.ts';
import type { ShareableGroup } from '../../src-main/swarm/swarm.ts';
import { atEnd, openDht, openSwarm, parityGroup, pause, until } from './local-swarm.ts';
import { dial } from './stranger.ts';
import type { Stranger } from './stranger.ts';

/** About 8 KB on the wire that deflate cannot make smaller. */
function bulkyGroup(): ShareableGroup {
  const { task, completions } = parityGroup();
  const noise = Array.from({ length: 4 }, () => ({ text: randomBytes(2_000).toString('hex'), ended: true }));
  return { task, completions: [completions[0]!, ...noise] };
}
const CAP = 60_000;
/** Nothing else in the way of the cap under test. */
const EAGER = { pullIntervalMs: 60, pullsPerSecond: 50, pullBurst: 50, recordsPerSecond: 1e4, recordBurst: 1e4 };
const WIDE = { messagesPerSecond: 1_000, messageBurst: 1_000, bytesPerMinute: 1e9 };

/** Bytes a second over the connections of these strangers, for a few seconds; `beat` runs ten times a second meanwhile. */
async function rateOf(strangers: Stranger[], way: 'in' | 'out', beat: () => void): Promise<number> {
  const total = () => strangers.reduce((sum, { wire }) => sum + wire[way], 0);
  const start = performance.now();
  const before = total();
  while (performance.now() - start < 4_500) {
    beat();
    await pause(100);
  }
  return ((total() - before) * 1_000) / (performance.now() - start);
}
function assertNearCap(t: TestContext, rate: number): void {
  t.diagnostic(`cap ${String(CAP)} B/s, measured ${rate.toFixed(0)}`);
  assert.ok(rate <= CAP * 1.1, `${rate.toFixed(0)} B/s`);
  assert.ok(rate >= CAP * 0.4, `the cap is used: ${rate.toFixed(0)} B/s`);
}

test('the cap on sending is kept within 10 %, as the other ends measure it', async (t) => {
  const { bootstrap } = await openDht(t);
  const limits = { ...EAGER, ...WIDE, maxBytesPerSecondOut: CAP, ownRecordBytes: 1e8 };
  const giver = await openSwarm(t, bootstrap, { limits });
  giver.swarm.share(
    Array.from({ length: 120 }, () => bulkyGroup()),
    1,
  );
  const strangers = [await dial(t, giver), await dial(t, giver)];
  for (const stranger of strangers) await stranger.greet();
  let requestId = 1_000;
  const rate = await rateOf(strangers, 'in', () => {
    const pull = {
      kind: 'pull' as const,
      count: 64,
      ownPercent: 100,
      maxAgeMs: 1e6,
      maxBytes: 240_000,
      known: NOTHING_KNOWN,
    };
    for (const stranger of strangers) stranger.send({ ...pull, requestId: requestId++ });
  });
  assertNearCap(t, rate);
  assert.deepEqual(giver.swarm.status().rejected, {});
});

test('the cap on receiving is kept within 10 %, as the other ends measure it', async (t) => {
  const { bootstrap } = await openDht(t);
  const taker = await openSwarm(t, bootstrap, { limits: { ...EAGER, ...WIDE, maxBytesPerSecondIn: CAP } });
  const strangers = [await dial(t, taker), await dial(t, taker)];
  for (const stranger of strangers) {
    stranger.serveBytes((maxBytes) => {
      const records: Buffer[] = [];
      for (let left = maxBytes - 10_000; left > 0; left -= 10_000) records.push(stranger.record(bulkyGroup()));
      return records;
    });
    await stranger.greet();
  }
  assertNearCap(t, await rateOf(strangers, 'out', () => undefined));
  assert.deepEqual(taker.swarm.status().rejected, {});
});

test('without a cap there is none; with one, debt is paid back before more is asked for', () => {
  let nowMs = 0;
  const free = new Bandwidth({ maxBytesPerSecondIn: 0, maxBytesPerSecondOut: 0 }, () => nowMs);
  free.sent(1e9);
  assert.equal(free.sendable, Number.POSITIVE_INFINITY);
  assert.equal(free.receivable, Number.POSITIVE_INFINITY);
  const capped = new Bandwidth({ maxBytesPerSecondIn: 10_000, maxBytesPerSecondOut: 10_000 }, () => nowMs);
  assert.equal(capped.sendable, 0, 'a restart is no way around it');
  nowMs = 60_000;
  const burst = capped.receivable;
  assert.ok(burst > 32_768 && burst < 50_000, String(burst));
  capped.reserve(burst);
  assert.ok(capped.receivable < 500);
  capped.release(burst);
  assert.ok(Math.abs(capped.receivable - burst) < 100);
  capped.received(200_000);
  nowMs += 10_000;
  assert.equal(capped.receivable, 0);
  nowMs += 10_000;
  assert.notEqual(capped.receivable, 0);
});

test('a full neighbourhood in a larger swarm rotates, and nobody is left alone', async (t) => {
  const { bootstrap } = await openDht(t);
  const limits = { maxPeers: 2, maxConnections: 4, rotateEveryMs: 1_200, pullIntervalMs: 200, headsPerRound: 32 };
  const nodes = await Promise.all(Array.from({ length: 12 }, () => openSwarm(t, bootstrap, { limits })));
  await until('all connected', () => nodes.every(({ swarm }) => swarm.status().peers >= 1), 40_000);
  const met = nodes.map(() => new Set<string>());
  const note = () =>
    nodes.forEach(({ swarm }, i) => {
      assert.ok(swarm.status().peers <= 5, 'connections are capped');
      for (const row of swarm.peers()) if (row.connected) met[i]!.add(row.peer);
    });
  note();
  const first = met.reduce((sum, peers) => sum + peers.size, 0);
  let round = 0;
  for (const { swarm } of nodes) swarm.share([parityGroup()], 1);
  await until(
    'neighbourhoods change',
    () => {
      if (++round % 25 === 0) for (const { swarm } of nodes) swarm.share([parityGroup()], round);
      note();
      const rotated = nodes.filter(({ log }) => log.some((line) => line.includes('to make room for another peer')));
      return rotated.length >= 3 && met.reduce((sum, peers) => sum + peers.size, 0) >= first + 6;
    },
    25_000,
  );
  await until('nobody alone', () => nodes.every(({ swarm }) => swarm.status().peers >= 1), 40_000);
});

function openDiscovery(t: TestContext, changes: Partial<DiscoveryOptions>): Discovery {
  const discovery = new Discovery({
    topics: [],
    keyPair: identityFromSeed(randomBytes(32)).keyPair,
    bootstrap: [],
    host: '127.0.0.1',
    limits: DEFAULT_LIMITS,
    accepts: () => true,
    onConnection: () => undefined,
    onNoPlace: () => undefined,
    lanDiscovery: false,
    swarmTopic: Buffer.alloc(32),
    carriesForOthers: false,
    reach: 'unknown',
    elapsed: () => performance.now(),
    random: Math.random,
    isConnected: () => true,
    log: () => undefined,
    ...changes,
  });
  atEnd(t, () => discovery.close());
  return discovery;
}

test('nodes that were started together do not look for peers at the same moments', (t) => {
  const watched: number[] = [];
  const [early, late] = [0, 1].map((random) =>
    openDiscovery(t, {
      limits: { ...DEFAULT_LIMITS, refreshAtMs: [] },
      random: () => random,
      isConnected: () => {
        watched.push(random);
        return true;
      },
    }),
  );
  const { watchdogMs } = DEFAULT_LIMITS;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  early!.start();
  late!.start();
  t.mock.timers.tick(watchdogMs);
  assert.deepEqual(watched, [0]);
  t.mock.timers.tick(watchdogMs * 0.25);
  assert.deepEqual(watched, [0, 1]);
  t.mock.timers.reset();
});

test('peers that say they are full cause few lookups, however many they are', async (t) => {
  const { bootstrap } = await openDht(t);
  let nowMs = 0;
  const discovery = openDiscovery(t, { bootstrap, elapsed: () => nowMs });
  let lookups = 0;
  discovery.refresh = () => {
    lookups++;
  };
  for (let i = 0; i < 100; i++) discovery.rest(randomBytes(32).toString('hex'));
  assert.equal(lookups, 2);
  nowMs += 30_000;
  discovery.rest('ab');
  assert.equal(lookups, 3);
});

test('neighbours with quick rounds do not use up a small cap by what they say unasked', async (t) => {
  const { bootstrap } = await openDht(t);
  const cap = 4_096;
  const small = await openSwarm(t, bootstrap, { limits: { maxBytesPerSecondIn: cap } });
  const others = await Promise.all(Array.from({ length: 10 }, () => openSwarm(t, bootstrap)));
  await until('eight neighbours', () => small.swarm.status().peers >= 8, 20_000);
  let round = 0;
  const quick = setInterval(() => {
    round++;
    for (const { swarm } of others) swarm.share([parityGroup()], round);
  }, 1_000);
  t.after(() => clearInterval(quick));
  await pause(3_000);
  const before = small.swarm.status().bytesIn;
  const start = performance.now();
  await pause(9_000);
  const rate = ((small.swarm.status().bytesIn - before) * 1_000) / (performance.now() - start);
  t.diagnostic(`cap ${String(cap)} B/s, measured ${rate.toFixed(0)}`);
  assert.ok(rate <= cap * 1.1, `${rate.toFixed(0)} B/s`);
});
