/** In a private swarm the side that was dialled is silent until the other one has proven membership; the one that dials is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMessage } from '../../../src-main/swarm/codec/messages.ts';
import type { Message } from '../../../src-main/swarm/codec/messages.ts';
import { mac, randomBytes } from '../../../src-main/swarm/identity/crypto.ts';
import { DEFAULT_LIMITS, WIRE } from '../../../src-main/swarm/limits.ts';
import { Bandwidth } from '../../../src-main/swarm/overlay/bandwidth.ts';
import { Link } from '../../../src-main/swarm/overlay/link.ts';
import { PeerQuotas } from '../../../src-main/swarm/overlay/quotas.ts';
import { WireDouble } from './wire-double.ts';

const topic = Buffer.alloc(32, 9);
const secretKey = Buffer.alloc(32, 5);
const nothing = () => undefined;

function open(t: { after: (end: () => void) => void }, isInitiator: boolean, key: Buffer | null = secretKey) {
  const wire = Object.assign(new WireDouble(), { isInitiator });
  wire.destroy = () => {
    wire.destroyed = true; // the close comes later, as in a real one
  };
  const offences: string[] = [];
  const link = new Link({
    connection: wire,
    address: '127.0.0.1',
    relayKey: null,
    topic,
    capabilities: 7,
    instanceId: Buffer.alloc(16, 2),
    secretKey: key,
    limits: DEFAULT_LIMITS,
    quotas: new PeerQuotas(DEFAULT_LIMITS, 0),
    bandwidth: new Bandwidth(DEFAULT_LIMITS, () => 0),
    addressBytes: null,
    halfOpenMs: 10_000,
    elapsed: () => 0,
    handlers: {
      onReady: nothing,
      onHeads: nothing,
      onPull: () => [],
      hintsFor: () => [],
      onHints: nothing,
      onBye: nothing,
      onOffence: (_link, reason) => void offences.push(reason),
      onClosed: nothing,
    },
  });
  t.after(() => link.close(null));
  link.open();
  return { wire, link, offences };
}

function openFrame(id: Buffer): Buffer {
  const name = Buffer.from(WIRE.protocolName, 'utf8');
  return Buffer.concat([Buffer.from([0, 1, 1, name.byteLength]), name, Buffer.from([id.byteLength]), id]);
}
const framed = (message: Message) => Buffer.concat([Buffer.from([1, 0]), encodeMessage(message)]);
const greeting = (membership: Buffer | null): Message => ({
  kind: 'handshake',
  version: 1,
  minVersion: 1,
  capabilities: 7,
  instanceId: Buffer.alloc(16),
  membership,
  relayKey: null,
});

function membershipIn(wire: WireDouble): Buffer {
  return mac('membership', secretKey, wire.handshakeHash, wire.remotePublicKey);
}

test('who has proven membership is greeted, and only then', (t) => {
  const { wire, link, offences } = open(t, false);
  assert.equal(wire.written, 0);
  wire.emit('data', openFrame(topic));
  assert.equal(wire.written, 0, 'the right topic alone is no proof: DHT nodes see it');
  wire.emit('data', framed(greeting(membershipIn(wire))));
  assert.equal(link.state, 'ready');
  assert.equal(wire.written, 2, 'channel and handshake');
  assert.deepEqual(offences, []);
});

test('whoever has not is told nothing at all, not even goodbye', (t) => {
  const proof = (wire: WireDouble) => membershipIn(wire);
  const attempts: [what: string, frames: (wire: WireDouble) => Buffer[], reason: string][] = [
    ['another topic', () => [openFrame(Buffer.alloc(32, 8))], 'wrongSecret'],
    ['a topic of no length', () => [openFrame(Buffer.alloc(0))], 'wrongSecret'],
    ['no MAC', () => [openFrame(topic), framed(greeting(null))], 'wrongSecret'],
    ['a wrong MAC', () => [openFrame(topic), framed(greeting(randomBytes(32)))], 'wrongSecret'],
    ['goodbye first', () => [openFrame(topic), framed({ kind: 'bye', reason: 'leaving' })], 'wrongSecret'],
    ['heads first', () => [openFrame(topic), framed({ kind: 'heads', heads: [] })], 'outOfTurn'],
    ['no message', () => [openFrame(topic), Buffer.from([1, 0, 99])], 'unknownKind'],
    ['proof before the channel', (wire) => [framed(greeting(proof(wire)))], 'wrongSecret'],
    [
      'proof on another channel',
      (wire) => [openFrame(topic), Buffer.concat([Buffer.from([2, 0]), encodeMessage(greeting(proof(wire)))])],
      'outOfTurn',
    ],
  ];
  for (const [what, frames, reason] of attempts) {
    const { wire, offences } = open(t, false);
    for (const frame of frames(wire)) wire.emit('data', frame);
    assert.ok(wire.destroyed, what);
    assert.equal(wire.written, 0, what);
    assert.deepEqual(offences, [reason], what);
  }
});

test('random and mutated frames get nothing out of it either', (t) => {
  for (let i = 0; i < 3_000; i++) {
    const { wire, offences } = open(t, false);
    const proof = framed(greeting(membershipIn(wire)));
    const first = i % 2 === 0 ? openFrame(topic) : randomBytes(i % 97);
    const second = i % 4 === 0 ? proof : randomBytes(i % 211);
    const target = i % 8 === 4 ? first : second;
    if (target.byteLength > 0) target[i % target.byteLength]! ^= 1 + (i % 255);
    for (const frame of [first, second]) wire.emit('data', frame);
    // A flipped bit in what the proof does not cover (capabilities, instance) leaves a member one.
    if (offences.length > 0) assert.equal(wire.written, 0, String(i));
    wire.destroy();
  }
});

test('who dials speaks first, and in an open swarm both do', (t) => {
  assert.equal(open(t, true).wire.written, 2);
  assert.equal(open(t, false, null).wire.written, 2);
});
