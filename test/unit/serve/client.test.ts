import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connectNode } from '../../../src-main/engine/serve/client.ts';
import { createFakeNode, exampleStatus } from './fake-node.ts';
import { serveForTest, token, until } from './harness.ts';

test('calls, faults and events pass through', async (t) => {
  const sample = { config: {}, generator: 'chain_sum', seed: '1', index: 0 };
  const refuse = () => {
    throw Object.assign(new Error('No such task.'), { code: 'unknownGenerator', fix: 'See waggle task --help.' });
  };
  const { port, node } = await serveForTest(t, {}, createFakeNode({ task: refuse }));
  const remote = await connectNode({ port, token });
  assert.deepEqual(await remote.invoke('status', null), exampleStatus());
  await assert.rejects(remote.invoke('task', sample), {
    code: 'unknownGenerator',
    message: 'No such task.',
    fix: /--help/,
  });
  await assert.rejects(remote.invoke('rounds', { sinceRound: 0, limit: 1e9 }), { code: 'badArguments' });
  const rounds: number[] = [];
  const unsubscribe = remote.subscribe('status', ({ round }) => rounds.push(round));
  await until(() => node.listenerCount('status') === 1);
  node.emit('status', exampleStatus({ round: 3 }));
  await until(() => rounds.length === 1);
  unsubscribe();
  unsubscribe();
  await until(() => node.listenerCount('status') === 0);
  await remote.close();
  await remote.close();
  await assert.rejects(remote.invoke('status', null), { code: 'connectionEnded' });
});

test('a call that is not answered in time is rejected, and the connection stays usable', async (t) => {
  const node = createFakeNode({ hardware: () => new Promise<never>(() => undefined) });
  const { port } = await serveForTest(t, {}, node);
  // Of the second call too, which is answered.
  const remote = await connectNode({ port, token, callTimeoutMs: 1_500 });
  await assert.rejects(remote.invoke('hardware', null), { code: 'timeout', message: /hardware/ });
  assert.equal((await remote.invoke('status', null)).round, 7);
  await remote.close();
});

test('a node that ends rejects the calls that wait', async (t) => {
  const node = createFakeNode({ hardware: () => new Promise<never>(() => undefined) });
  const served = await serveForTest(t, {}, node);
  const remote = await connectNode({ port: served.port, token });
  const waiting = assert.rejects(remote.invoke('hardware', null), { code: 'connectionEnded' });
  await until(() => node.calls.length === 1);
  await served.close();
  await waiting;
  await remote.closed;
});

test('no node, a wrong token, and a foreign program on the port are told apart', async (t) => {
  const served = await serveForTest(t);
  const { port } = served;
  await assert.rejects(connectNode({ port, token: 'another-token-of-16' }), { code: 'notAuthorised', fix: /--port/ });
  await served.close();
  await assert.rejects(connectNode({ port, token }), { code: 'unreachable', fix: /waggle start/ });
  const foreign = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await new Promise((resolve) => foreign.once('listening', resolve));
  t.after(() => foreign.close());
  await assert.rejects(connectNode({ port: (foreign.address() as AddressInfo).port, token }), { code: 'unreachable' });
  const silent = createServer()
    .on('connection', () => undefined)
    .listen(0, '127.0.0.1');
  silent
    .removeAllListeners('request')
    .on('request', () => undefined)
    .on('upgrade', () => undefined);
  await new Promise((resolve) => silent.once('listening', resolve));
  t.after(() => silent.close(() => undefined).closeAllConnections());
  const late = connectNode({ port: (silent.address() as AddressInfo).port, token, connectTimeoutMs: 100 });
  await assert.rejects(late, { code: 'unreachable' });
});
