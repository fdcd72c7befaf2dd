/** No network, and back: the node goes on, says so, heals by itself, and closes within its deadline all the same. */
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { test } from 'node:test';
import { WaggleError } from '../../src-main/base/errors.ts';
import { assertLocalBootstrap, OWN_NAMESPACE_VARIABLE } from '../../src-main/swarm/overlay/confinement.ts';
import { openDht, openSwarm, parityGroups, pause, until } from './local-swarm.ts';

async function freePort(): Promise<number> {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

test('a node that starts without a network works alone, and trades once there is one', async (t) => {
  const port = await freePort();
  const bootstrap = [{ host: '127.0.0.1', port }];
  let skippedMs = 0;
  const a = await openSwarm(t, bootstrap, { elapsed: () => performance.now() + skippedMs });
  const b = await openSwarm(t, bootstrap);
  assert.equal(a.swarm.status().presence, 'joining');
  const ids = a.swarm.share(parityGroups(2), 1);
  assert.equal(ids.filter((id) => id !== null).length, 2);
  assert.equal(await a.swarm.pull(), 0);
  assert.deepEqual(a.swarm.adopt(4), []);
  skippedMs = 15_000; // past the time a node may call itself joining
  assert.equal(a.swarm.status().presence, 'offline');
  assert.equal(a.swarm.status().text, 'Training alone: no network');
  await until('the watchdog has tried', () => a.log.some((line) => line.includes('restarting discovery')), 40_000);

  await openDht(t, port);
  await until('b has a’s groups', () => b.swarm.status().groupsPooled === 2, 25_000);
  await until('a is connected', () => a.swarm.status().presence === 'connected');
});

test('a node alone on a living DHT is alone, not offline', async (t) => {
  const { bootstrap } = await openDht(t);
  let skippedMs = 0;
  const a = await openSwarm(t, bootstrap, { elapsed: () => performance.now() + skippedMs });
  skippedMs = 15_000;
  await until('it knows the DHT', () => a.swarm.status().presence === 'alone');
  assert.equal(a.swarm.status().text, 'Training alone: no other node found yet');
});

test('closing with a dead DHT keeps its deadline', async (t) => {
  const dht = await openDht(t);
  const a = await openSwarm(t, dht.bootstrap, { limits: { closeDeadlineMs: 700 } });
  const b = await openSwarm(t, dht.bootstrap, { limits: { closeDeadlineMs: 700 } });
  await until('connected', () => a.swarm.status().presence === 'connected');
  for (const node of dht.nodes) await node.destroy({ force: true });
  const start = performance.now();
  await Promise.all([a.swarm.close(), b.swarm.close()]);
  const tookMs = performance.now() - start;
  assert.ok(tookMs < 2_000, `took ${String(Math.round(tookMs))} ms`);
});

test('the guard refuses anything but loopback, and an isolated node is allowed', async (t) => {
  const isRefused = (error: unknown) => error instanceof WaggleError && error.code === 'publicNetworkInTest';
  assert.throws(() => assertLocalBootstrap(undefined), isRefused);
  assert.throws(() => assertLocalBootstrap([{ host: '192.0.2.7', port: 49737 }]), isRefused);
  assert.throws(() => assertLocalBootstrap([{ host: '127.0.0.1.example', port: 49737 }]), isRefused);
  const { swarm } = await openSwarm(t, []);
  assert.equal(swarm.status().peers, 0);
});

test('no multicast on loopback, nor in a test, nor where another namespace is named', async (t) => {
  const onLoopback = await openSwarm(t, [], { lanDiscovery: true });
  const anywhere = await openSwarm(t, [], { lanDiscovery: true, host: undefined });
  t.after(() => Reflect.deleteProperty(process.env, OWN_NAMESPACE_VARIABLE));
  process.env[OWN_NAMESPACE_VARIABLE] = 'net:[1]';
  const misled = await openSwarm(t, [], { lanDiscovery: true, host: undefined });
  await pause(300);
  for (const { swarm } of [onLoopback, anywhere, misled])
    assert.equal(swarm.status().network.lanDiscovery, false, swarm.status().text);
});

test('the product itself refuses the public DHT under the test runner', async () => {
  const { createSwarm } = await import('../../src-main/swarm/swarm.ts');
  const { identityFromSeed } = await import('../../src-main/swarm/identity/identity.ts');
  const { verifyParity } = await import('./local-swarm.ts');
  const options = {
    name: 'test',
    identity: identityFromSeed(Buffer.alloc(32, 1)),
    policyName: () => 'tiny',
    verify: verifyParity,
    now: () => Date.now(),
    random: () => Math.random(),
    log: () => undefined,
  };
  await assert.rejects(createSwarm(options), /loopback/);
});
