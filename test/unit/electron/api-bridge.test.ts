import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectApi, serveApi } from '../../../src-main/electron/api-bridge.ts';
import { createLastingClient } from '../../../src-main/electron/lasting-client.ts';
import { NodeFault } from '../../../src-main/engine/serve/faults.ts';
import { pipePair, recordingApi, statusOf, until } from './fakes.ts';
import type { RecordingApi } from './fakes.ts';

function bridge(node: RecordingApi) {
  const { near, far } = pipePair();
  const end = serveApi(far, node.api);
  return { client: connectApi(near), near, far, end };
}

test('calls cross a real message channel and come back matched, also out of order', async () => {
  let release: (() => void) | null = null;
  const node = recordingApi({
    status: () => new Promise((resolve) => (release = () => resolve(statusOf('training', 'Training')))),
    metrics: () => [],
  });
  const { client } = bridge(node);
  const status = client.invoke('status', null);
  assert.deepEqual(await client.invoke('metrics', null), []);
  release!();
  assert.equal((await status).round, 41);
  assert.deepEqual(
    node.calls.map(({ name }) => name),
    ['status', 'metrics'],
  );
  client.close();
});

test('faults keep code and fix; other errors keep their inside to themselves', async () => {
  const fault = { code: 'diskFull', message: 'The disk is full.', fix: 'Free some space.' };
  const node = recordingApi({
    pause: () => {
      throw new NodeFault(fault);
    },
    resume: () => {
      throw new Error('secret');
    },
  });
  const { client } = bridge(node);
  await assert.rejects(client.invoke('pause', null), fault);
  await assert.rejects(client.invoke('resume', null), (thrown: NodeFault) => {
    return thrown.code === 'internal' && !thrown.message.includes('secret');
  });
  client.close();
});

test('a client that dies with calls open settles each of them', async () => {
  const node = recordingApi({ status: () => new Promise(() => undefined) });
  const { client, far } = bridge(node);
  const open = client.invoke('status', null);
  far.close();
  await assert.rejects(open, { code: 'nodeGone' });
  await assert.rejects(client.invoke('status', null), { code: 'nodeGone' });
  client.close();
});

test('one engine subscription serves all listeners and ends with the last, or with the pipe', async () => {
  const node = recordingApi();
  const { client, near } = bridge(node);
  const heard: string[] = [];
  const endA = client.subscribe('log', (row) => heard.push(`a${row.message}`));
  const endB = client.subscribe('log', (row) => heard.push(`b${row.message}`));
  client.subscribe('round', () => heard.push('round'));
  await until(() => node.subscribers('round') === 1, 'the node has the subscriptions');
  assert.equal(node.subscribers('log'), 1);
  node.emit('log', { message: '1' });
  await until(() => heard.length === 2, 'both listeners heard');
  endA();
  endA();
  node.emit('log', { message: '2' });
  await until(() => heard.length === 3, 'the second listener heard');
  assert.deepEqual(heard, ['a1', 'b1', 'b2']);
  endB();
  await until(() => node.subscribers('log') === 0, 'the engine subscription has ended');
  near.close();
  await until(() => node.subscribers('round') === 0, 'the closed pipe ended the rest');
});

test('garbage on the pipe is ignored by both ends', async () => {
  const node = recordingApi({ metrics: () => [] });
  const { client, near, far } = bridge(node);
  for (const junk of [
    null,
    7,
    'x',
    [],
    {},
    { type: 'call' },
    { type: 'call', id: -1, name: 'status' },
    { type: 'result' },
  ]) {
    near.post(junk);
    far.post(junk);
  }
  far.post({ type: 'result', id: 999, result: 1 });
  far.post({ type: 'event', name: 'nothing', event: 1 });
  assert.deepEqual(await client.invoke('metrics', null), []);
  assert.deepEqual(node.calls, [{ name: 'metrics', args: null }]);
  client.close();
});

test('the lasting client waits for a node, follows it to the next, and gives up in words', async () => {
  const lasting = createLastingClient(40);
  const heard: unknown[] = [];
  const first = recordingApi({ metrics: () => ['first'] });
  const second = recordingApi({ metrics: () => ['second'] });
  const early = lasting.client.invoke('metrics', null);
  const end = lasting.client.subscribe('round', (row) => heard.push(row));
  lasting.attach(first.api);
  assert.deepEqual(await early, ['first']);
  first.emit('round', 1);
  lasting.attach(second.api);
  assert.equal(first.subscribers('round'), 0);
  second.emit('round', 2);
  assert.deepEqual(heard, [1, 2]);
  assert.deepEqual(await lasting.client.invoke('metrics', null), ['second']);
  lasting.attach(null);
  await assert.rejects(lasting.client.invoke('metrics', null), { code: 'nodeAway' });
  end();
  lasting.attach(second.api);
  assert.equal(second.subscribers('round'), 0);
});
