import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { channels, openIpcGate } from '../../../src-main/electron/ipc.ts';
import type { Envelope, IpcEvent } from '../../../src-main/electron/ipc.ts';
import { appPage, isAppPage } from '../../../src-main/electron/navigation.ts';
import { NodeFault } from '../../../src-main/engine/serve/faults.ts';
import { recordingApi, statusOf } from './fakes.ts';
import type { RecordingApi } from './fakes.ts';

type Handler = (event: IpcEvent, ...args: unknown[]) => unknown;

function openGate(node: RecordingApi = recordingApi({ status: () => statusOf('training', 'Training') })) {
  const handlers = new Map<string, Handler>();
  openIpcGate({ handle: (channel, handler) => void handlers.set(channel, handler) }, { client: node.api, isAppPage });
  const send = async (event: IpcEvent, channel: string, ...args: unknown[]) =>
    (await handlers.get(channel)!(event, ...args)) as Envelope;
  return { node, send };
}

function page(frame: IpcEvent['senderFrame'] = { url: appPage, parent: null }) {
  const sent: unknown[][] = [];
  const leaving: (() => void)[] = [];
  let destroyed = false;
  const event: IpcEvent = {
    senderFrame: frame,
    sender: {
      id: 7,
      send: (...message) => void sent.push(message),
      isDestroyed: () => destroyed,
      once: (_name, listener) => leaving.push(listener),
    },
  };
  const destroy = () => {
    destroyed = true;
    for (const leave of leaving) leave();
  };
  return { event, sent, destroy };
}

function faultCode(answer: Envelope): string {
  assert.equal(answer.ok, false);
  return answer.fault.code;
}

test('a call of our page with fitting arguments reaches the node', async () => {
  const { node, send } = openGate();
  const answer = await send(page().event, channels.invoke, 'status', null);
  assert.ok(answer.ok);
  assert.equal((answer.result as { round: number }).round, 41);
  await send(page().event, channels.invoke, 'rounds', { sinceRound: 3, limit: 10 });
  assert.deepEqual(node.calls, [
    { name: 'status', args: null },
    { name: 'rounds', args: { sinceRound: 3, limit: 10 } },
  ]);
});

const foreignFrames: [string, IpcEvent['senderFrame']][] = [
  ['a frame that is gone', null],
  ['another site', { url: 'https://evil.example/', parent: null }],
  ['a look-alike host', { url: 'app://waggle.evil.example/', parent: null }],
  ['an inner frame of our own page', { url: appPage, parent: {} }],
];
for (const [who, frame] of foreignFrames) {
  test(`every channel refuses ${who}`, async () => {
    const { node, send } = openGate();
    assert.equal(faultCode(await send(page(frame).event, channels.invoke, 'pause', null)), 'foreignSender');
    assert.equal(faultCode(await send(page(frame).event, channels.subscribe, 'status')), 'foreignSender');
    assert.equal(faultCode(await send(page(frame).event, channels.unsubscribe, 'status')), 'foreignSender');
    assert.deepEqual(node.calls, []);
    assert.equal(node.subscribers('status'), 0);
  });
}

test('unknown names and arguments that do not fit never reach the node', async () => {
  const { node, send } = openGate();
  const { event } = page();
  for (const name of ['nothing', '__proto__', 'constructor', 'toString', '', 5, null, undefined, {}, ['status']]) {
    assert.equal(faultCode(await send(event, channels.invoke, name, null)), 'unknownCall');
    assert.equal(faultCode(await send(event, channels.subscribe, name)), 'unknownEvent');
    assert.equal(faultCode(await send(event, channels.unsubscribe, name)), 'unknownEvent');
  }
  const bad: [string, unknown][] = [
    ['rounds', null],
    ['rounds', { sinceRound: 0, limit: 1e9 }],
    ['rounds', { sinceRound: 0, limit: 1, more: 1 }],
    ['rollouts', { limit: 10, beforeId: 'x', origin: 'all' }],
    ['log', { limit: 10, level: 'everything' }],
    ['task', { generator: '../../etc', config: {}, seed: '1', index: 0 }],
    ['pause', { now: true }],
  ];
  for (const [name, args] of bad)
    assert.equal(faultCode(await send(event, channels.invoke, name, args)), 'badArguments', name);
  assert.deepEqual(node.calls, []);
});

test('a fault of the node arrives with code and fix; other errors arrive without their inside', async () => {
  const fault = { code: 'diskFull', message: 'The disk is full.', fix: 'Free some space.' };
  const { send } = openGate(
    recordingApi({
      pause: () => {
        throw new NodeFault(fault);
      },
      resume: () => {
        throw new Error('secret /home/me/path');
      },
    }),
  );
  assert.deepEqual(await send(page().event, channels.invoke, 'pause', null), { ok: false, fault });
  const internal = await send(page().event, channels.invoke, 'resume', null);
  assert.equal(faultCode(internal), 'internal');
  assert.doesNotMatch(JSON.stringify(internal), /secret/);
});

test('events go to the page that asked, once each, until it unsubscribes or is gone', async () => {
  const { node, send } = openGate();
  const { event, sent, destroy } = page();
  await send(event, channels.subscribe, 'round');
  await send(event, channels.subscribe, 'round');
  await send(event, channels.subscribe, 'log');
  assert.equal(node.subscribers('round'), 1);
  node.emit('round', { round: 1 });
  assert.deepEqual(sent, [[channels.event, 'round', { round: 1 }]]);
  await send(event, channels.unsubscribe, 'round');
  node.emit('round', { round: 2 });
  assert.equal(sent.length, 1);
  assert.equal(node.subscribers('log'), 1);
  destroy();
  assert.equal(node.subscribers('log'), 0);
});

test('the preload speaks the same channels and loads nothing but electron', () => {
  const source = readFileSync(new URL('../../../src-main/electron/preload.cts', import.meta.url), 'utf8');
  const used = [...source.matchAll(/'(waggle:[a-z]+)'/g)].map((match) => match[1]!);
  assert.deepEqual([...new Set(used)].sort(), Object.values(channels).sort());
  const loaded = [...source.matchAll(/require\('([^']+)'\)/g)].map((match) => match[1]);
  assert.deepEqual(loaded, ['electron']);
  assert.doesNotMatch(source, /^import (?!type)/m);
});
