/**
 * One host of `namespaces.ts`: a swarm that shares and adopts a few times a second and says how it fares, one JSON line each
 * time; or a DHT. Started with its plan in the environment; ends with its standard input.
 */
// eslint-disable-next-line @typescript-eslint/triple-slash-reference
/// <reference path="../../src-main/swarm/vendor.d.ts" />
import createTestnet from 'hyperdht/testnet.js';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import { randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { createSwarm } from '../../src-main/swarm/swarm.ts';
import { DHT_NODES, parityGroup, pause, verifyParity } from './local-swarm.ts';
import { floodMdns } from './mdns-flood.ts';
import { DHT_PORT } from './namespaces.ts';
import type { NamespacedPlan, NamespacedReport } from './namespaces.ts';

const RECENT_MS = 2_000;
const plan = JSON.parse(process.env['WAGGLE_NAMESPACED_PLAN'] ?? '') as NamespacedPlan & { address: string };
process.stdin.on('end', () => process.exit(0)).resume();
const roles: Record<NamespacedPlan['role'], () => Promise<unknown>> = {
  node: trade,
  dht: () => createTestnet(DHT_NODES, { host: plan.address, port: DHT_PORT }).then(sayUp),
  flood: () => {
    floodMdns(plan.address, sayHeard);
    sayUp();
    return Promise.resolve();
  },
};
await roles[plan.role]();

function sayHeard(packets: number): void {
  process.stdout.write(`heard ${String(packets)}\n`);
}
function sayUp(): void {
  process.stdout.write('{}\n');
}

async function trade(): Promise<void> {
  const base = Number(plan.address.split('.')[3]) * 1_000_000;
  const publicNodes = plan.dht === null ? [] : [{ host: plan.dht, port: DHT_PORT }];
  const swarm = await createSwarm({
    name: 'namespaces',
    secret: plan.secret ?? undefined,
    bootstrap: publicNodes,
    lanDiscovery: plan.lanDiscovery,
    identity: identityFromSeed(randomBytes(32)),
    policyName: () => 'tiny',
    verify: verifyParity,
    now: Date.now,
    random: Math.random,
    log: (level, message) => void process.stdout.write(`${level} ${message}\n`),
    limits: { refreshAtMs: [300, 1_000, 3_000], pullIntervalMs: 300, pullsPerSecond: 8, watchdogMs: 5_000 },
  });
  const seenAtMs = new Map<string, number>();
  for (let round = 1; ; round++) {
    const group = parityGroup();
    swarm.share([{ ...group, task: { ...group.task, index: base + round } }], round);
    const nowMs = performance.now();
    for (const { origin } of swarm.adopt(1_000)) seenAtMs.set(origin, nowMs);
    const recentOrigins = [...seenAtMs].filter(([, at]) => nowMs - at < RECENT_MS).map(([origin]) => origin);
    const status = swarm.status();
    const report: NamespacedReport = {
      publicKey: status.publicKey,
      status,
      peers: swarm.peers(),
      round,
      recentOrigins,
      rssBytes: process.memoryUsage.rss(),
    };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    await pause(250);
  }
}
