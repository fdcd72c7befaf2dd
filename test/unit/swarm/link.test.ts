import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING_KNOWN } from '../../../src-main/swarm/codec/known-ids.ts';
import { Bandwidth } from '../../../src-main/swarm/overlay/bandwidth.ts';
import { decodeMessage, encodeMessage } from '../../../src-main/swarm/codec/messages.ts';
import type { Message } from '../../../src-main/swarm/codec/messages.ts';
import { randomBytes } from '../../../src-main/swarm/identity/crypto.ts';
import { DEFAULT_LIMITS, WIRE } from '../../../src-main/swarm/limits.ts';
import { Link } from '../../../src-main/swarm/overlay/link.ts';
import { PeerQuotas } from '../../../src-main/swarm/overlay/quotas.ts';
import { WireDouble } from './wire-double.ts';

function open(limits = {}, elapsed = () => 0) {
  const wire = new WireDouble();
  const offences: string[] = [];
  const answered: number[] = [];
  const hinted: Buffer[] = [];
  const all = { ...DEFAULT_LIMITS, ...limits };
  const link = new Link({
    connection: wire,
    address: '127.0.0.1',
    relayKey: null,
    topic: Buffer.alloc(32, 9),
    capabilities: 7,
    instanceId: Buffer.alloc(16, 2),
    secretKey: null,
    limits: all,
    quotas: new PeerQuotas(all, elapsed()),
    bandwidth: new Bandwidth(all, elapsed),
    addressBytes: null,
    halfOpenMs: 10_000,
    elapsed,
    handlers: {
      onReady: () => undefined,
      onHeads: () => undefined,
      onPull: (_link, pull) => {
        answered.push(pull.requestId);
        return [];
      },
      hintsFor: () => Array.from({ length: 20 }, () => randomBytes(32)),
      onHints: (_link, peers) => void hinted.push(...peers),
      onBye: () => undefined,
      onOffence: (_link, reason) => void offences.push(reason),
      onClosed: () => undefined,
    },
  });
  link.open();
  const name = Buffer.from(WIRE.protocolName, 'utf8');
  const channel = Buffer.concat([
    Buffer.from([0, 1, 1, name.byteLength]),
    name,
    Buffer.from([32]),
    Buffer.alloc(32, 9),
  ]);
  wire.emit('data', channel);
  const say = (message: Message) => wire.emit('data', Buffer.concat([Buffer.from([1, 0]), encodeMessage(message)]));
  say({
    kind: 'handshake',
    relayKey: null,
    version: 1,
    minVersion: 1,
    capabilities: 7,
    instanceId: Buffer.alloc(16),
    membership: null,
  });
  const ask = (requestId: number) =>
    say({ kind: 'pull', requestId, count: 1, ownPercent: 50, maxAgeMs: 1_000, maxBytes: 20_000, known: NOTHING_KNOWN });
  return { wire, link, offences, answered, hinted, ask, say };
}

const WANTED = { count: 4, ownPercent: 50, maxAgeMs: 1_000, known: NOTHING_KNOWN };

test('a peer that takes nothing gets no more than one answer, and is given up after its time', async () => {
  const { wire, link, offences, answered, ask } = open({ slowReaderMs: 60 });
  assert.equal(link.state, 'ready');
  wire.takes = false;
  for (const requestId of [1, 2, 3]) ask(requestId);
  assert.deepEqual(answered, [1], 'the rest wait until it has taken the first');
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.deepEqual(offences, ['slowReader']);
  assert.equal(link.state, 'closed');
});

test('one that was only slow goes on', async () => {
  const { wire, link, offences, answered, ask } = open({ slowReaderMs: 80 });
  wire.takes = false;
  ask(1);
  ask(2);
  wire.takes = true;
  wire.emit('drain');
  assert.deepEqual(answered, [1, 2]);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.deepEqual(offences, []);
  link.close(null);
});

test('without bandwidth to send, a pull is told when to come again', () => {
  const { wire, answered, ask, link } = open({ maxBytesPerSecondOut: 1_000 });
  const before = wire.written;
  ask(1);
  assert.deepEqual(answered, []);
  assert.equal(wire.written, before + 1, 'busy');
  link.close(null);
});

test('one that is busy names a bounded number of others; hints count only as an answer to a pull', async () => {
  const { wire, link, hinted, say, ask } = open({ maxBytesPerSecondOut: 1_000 });
  const frames: Buffer[] = [];
  wire.onWrite = (frame) => void frames.push(frame);
  ask(1);
  const busy = decodeMessage(frames[0]!.subarray(2));
  assert.ok(busy.ok && busy.value.kind === 'busy');
  assert.equal(busy.value.hints.length, WIRE.maxHints);

  const hints = [randomBytes(32)];
  say({ kind: 'busy', requestId: 77, retryMs: 10, hints });
  assert.deepEqual(hinted, [], 'nobody asked');
  const pulling = link.pull(WANTED);
  say({ kind: 'busy', requestId: 1, retryMs: 10, hints });
  assert.deepEqual(await pulling, { kind: 'busy', retryMs: 10 });
  assert.deepEqual(hinted, hints);
  link.close(null);
});

test('an answer that is on its way over a slow line is waited for; one that is not is not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const pass = async (ms: number) => {
    for (let i = 0; i < ms; i++) t.mock.timers.tick(1); // what a timer sets counts from the end of a tick
    await new Promise((resolve) => setImmediate(resolve));
  };
  const { wire, link } = open({ pullTimeoutMs: 60 });
  const silent = link.pull(WANTED);
  await pass(60);
  assert.deepEqual(await silent, { kind: 'silent' });
  const coming = setInterval(() => (wire.rawStream.bytesReceived += 5_000), 20);
  let outcome: string | null = null;
  const pulling = link.pull(WANTED).then(({ kind }) => (outcome = kind));
  await pass(239);
  assert.equal(outcome, null, 'past its time, three times over, and still waited for');
  await pass(1);
  await pulling;
  clearInterval(coming);
  assert.equal(outcome, 'silent', 'but not for ever');
  link.close(null);
});

test('what is asked for grows with quick answers and shrinks with silence, within bounds', async () => {
  let nowMs = 0;
  const { wire, link, say } = open({ pullTimeoutMs: 40, pullsPerSecond: 1_000, pullBurst: 1_000 }, () => nowMs);
  const asked: number[] = [];
  wire.onWrite = (frame) => {
    const message = decodeMessage(frame.subarray(2));
    if (message.ok && message.value.kind === 'pull') asked.push(message.value.maxBytes);
  };
  for (let requestId = 1; requestId <= 4; requestId++) {
    const pulling = link.pull(WANTED);
    nowMs += 1_000;
    say({ kind: 'records', requestId, records: [] });
    await pulling;
  }
  assert.deepEqual(
    asked,
    [64, 40, 40, 40].map((kilobytes) => kilobytes * 1024),
    'answers took long',
  );
  for (let requestId = 5; requestId <= 8; requestId++) {
    const pulling = link.pull(WANTED);
    nowMs += 5;
    say({ kind: 'records', requestId, records: [] });
    await pulling;
  }
  assert.deepEqual(
    asked.slice(4),
    [40, 80, 160, 240].map((kilobytes) => kilobytes * 1024),
    'answers were quick',
  );
  link.close(null);
});
