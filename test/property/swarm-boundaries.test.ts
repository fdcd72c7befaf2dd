/**
 * Every length field, by brute force: in valid messages, records and bodies each byte position is overwritten, as u8, u16 and u32,
 * by the values at which bounds lie (0, 1, each bound of the protocol and its neighbours, the largest). Whatever field a
 * position belongs to, its boundary cases are among them. Over 120,000 decodes, counted and asserted below. And frames:
 * over 3,000 random and mutated ones into a real link over a connection that is a double; nothing may throw or leave it open and mute.
 */
import { NOTHING_KNOWN } from '../../src-main/swarm/codec/known-ids.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bandwidth } from '../../src-main/swarm/overlay/bandwidth.ts';
import { decodeBody, encodeBody } from '../../src-main/swarm/codec/body.ts';
import { BYE_REASONS, decodeMessage, encodeMessage } from '../../src-main/swarm/codec/messages.ts';
import type { Message } from '../../src-main/swarm/codec/messages.ts';
import { decodeNote, isNoteAuthentic, signProfile, signSheet } from '../../src-main/swarm/codec/notes.ts';
import { decodeRecord, isRecordAuthentic, signHead, signRecord } from '../../src-main/swarm/codec/record.ts';
import { keyPairFromSeed } from '../../src-main/swarm/identity/crypto.ts';
import { identityOf } from '../../src-main/swarm/identity/identity.ts';
import { DEFAULT_LIMITS, WIRE } from '../../src-main/swarm/limits.ts';
import { Link } from '../../src-main/swarm/overlay/link.ts';
import { PeerQuotas } from '../../src-main/swarm/overlay/quotas.ts';
import { WireDouble } from '../unit/swarm/wire-double.ts';

const keys = keyPairFromSeed(Buffer.alloc(32, 3));
const BOUNDS = Object.values(WIRE).filter((value) => typeof value === 'number');
const VALUES = [...new Set([0, 1, ...BOUNDS.flatMap((b) => [b - 1, b, b + 1]), 0x7f, 0x80, 0xff, 0xffff, 0xffff_ffff])];

const body = {
  task: { generator: 'chain_sum', version: 1, config: { terms: 2 }, seed: '-12', index: 7 },
  policyName: 'tiny',
  completions: [
    { text: 'yes', ended: true },
    { text: 'ünï', ended: false },
  ],
};
const record = signRecord(
  {
    instanceId: Buffer.alloc(16, 1),
    seq: 1,
    round: 2,
    createdAt: 3,
    body: { encoding: 'raw', bytes: encodeBody(body) },
  },
  keys,
);
const head = signHead({ round: 1, count: 2, createdAt: 3, policyHash: Buffer.alloc(32) }, keys);
const receipt = {
  origin: 'ab'.repeat(32),
  record: 'cd'.repeat(16),
  outcome: 'adopted' as const,
  right: 1,
  of: 2,
  round: 9,
};
const sheet = signSheet(
  { instanceId: Buffer.alloc(16, 1), round: 4, createdAt: 5, receipts: [receipt, receipt] },
  keys,
);
const device = identityOf({ seed: Buffer.alloc(32, 3), device: '00000000000000ff' });
const profile = signProfile({ createdAt: 5, displayName: 'Bee 蜜', team: '' }, device.owner, device.keyPair);
const MESSAGES: Message[] = [
  {
    kind: 'handshake',
    version: 1,
    minVersion: 1,
    capabilities: 7,
    instanceId: Buffer.alloc(16),
    membership: null,
    relayKey: null,
  },
  {
    kind: 'handshake',
    version: 1,
    minVersion: 1,
    capabilities: 15,
    instanceId: keys.publicKey.subarray(16),
    membership: keys.publicKey,
    relayKey: Buffer.alloc(32, 5),
  },
  { kind: 'heads', heads: [head, head] },
  { kind: 'pull', requestId: 1, count: 3, ownPercent: 50, maxAgeMs: 1000, maxBytes: 5000, known: NOTHING_KNOWN },
  { kind: 'records', requestId: 1, records: [record.bytes, record.bytes] },
  { kind: 'busy', requestId: 1, retryMs: 5, hints: [keys.publicKey] },
  ...BYE_REASONS.map((reason) => ({ kind: 'bye' as const, reason })),
];

/** Every position x width x boundary value that fits. */
function* overwritten(input: Buffer): Generator<Buffer> {
  const writers = [
    { width: 1, max: 0xff, write: (b: Buffer, v: number, at: number) => b.writeUInt8(v, at) },
    { width: 2, max: 0xffff, write: (b: Buffer, v: number, at: number) => b.writeUInt16LE(v, at) },
    { width: 4, max: 0xffff_ffff, write: (b: Buffer, v: number, at: number) => b.writeUInt32LE(v, at) },
  ];
  for (let at = 0; at < input.byteLength; at++)
    for (const { width, max, write } of writers)
      for (const value of VALUES) {
        if (value > max || at + width > input.byteLength) continue;
        const copy = Buffer.from(input);
        write(copy, value, at);
        yield copy;
      }
}

test('every field of every message, record and body at its bounds', () => {
  let cases = 0;
  for (const message of MESSAGES)
    for (const changed of overwritten(encodeMessage(message))) {
      cases++;
      const decoded = decodeMessage(changed);
      if (!decoded.ok || decoded.value.kind === 'handshake') continue; // a later version may append to it
      assert.ok(encodeMessage(decoded.value).equals(changed), 'accepted is what this node would write');
    }
  for (const changed of overwritten(record.bytes)) {
    cases++;
    const decoded = decodeRecord(changed);
    if (decoded.ok && !changed.equals(record.bytes)) {
      assert.ok(decoded.value.body.bytes.byteLength <= WIRE.maxBodyBytes);
      if (cases % 16 === 0) assert.equal(isRecordAuthentic(decoded.value), false);
    }
  }
  for (const note of [sheet, profile])
    for (const changed of overwritten(note.bytes)) {
      cases++;
      const decoded = decodeNote(changed);
      if (decoded.ok && !changed.equals(note.bytes) && cases % 16 === 0)
        assert.equal(isNoteAuthentic(decoded.value), false);
    }
  for (const changed of overwritten(encodeBody(body))) {
    cases++;
    const decoded = decodeBody(changed);
    if (decoded.ok) assert.ok(decoded.value.completions.length <= WIRE.maxCompletions);
  }
  assert.ok(cases > 120_000, String(cases));
});

const GREETING = encodeMessage(MESSAGES[0]!);
function openFrame(): Buffer {
  const name = Buffer.from(WIRE.protocolName, 'utf8');
  return Buffer.concat([Buffer.from([0, 1, 1, name.byteLength]), name, Buffer.from([32]), Buffer.alloc(32, 9)]);
}
const framed = (payload: Buffer) => Buffer.concat([Buffer.from([1, 0]), payload]);

function openLink(): { wire: WireDouble; link: Link; offences: string[] } {
  const wire = new WireDouble();
  const offences: string[] = [];
  const link = new Link({
    connection: wire,
    address: '127.0.0.1',
    relayKey: null,
    topic: Buffer.alloc(32, 9),
    capabilities: 7,
    instanceId: Buffer.alloc(16, 2),
    secretKey: null,
    limits: DEFAULT_LIMITS,
    quotas: new PeerQuotas(DEFAULT_LIMITS, 0),
    elapsed: () => 0,
    bandwidth: new Bandwidth(DEFAULT_LIMITS, () => 0),
    addressBytes: null,
    halfOpenMs: 10_000,
    handlers: {
      onReady: () => undefined,
      onHeads: () => undefined,
      onPull: () => [record.bytes],
      hintsFor: () => [keys.publicKey],
      onHints: () => undefined,
      onBye: () => undefined,
      onOffence: (_link, reason) => void offences.push(reason),
      onClosed: () => undefined,
    },
  });
  link.open();
  return { wire, link, offences };
}

test('a link takes any frames at all without a throw: it goes on, or it ends with one typed offence', async () => {
  let state = 12345;
  const random = (below: number) => {
    state = Math.imul(state, 1103515245) + 12345;
    return ((state >>> 8) & 0x7fffff) % below;
  };
  const good = MESSAGES.map((message) => framed(encodeMessage(message)));
  let frames = 0;
  let ended = 0;
  for (let run = 0; run < 2500; run++) {
    const { wire, link, offences } = openLink();
    const greets = run % 3 !== 0;
    if (greets) {
      wire.emit('data', openFrame());
      wire.emit('data', framed(GREETING));
      assert.equal(link.state, 'ready');
    }
    for (let i = 0; i < 5 && !wire.destroyed; i++) {
      const base =
        random(3) === 0
          ? Buffer.from(Array.from({ length: random(80) }, () => random(256)))
          : good[random(good.length)]!;
      const frame = Buffer.from(base);
      for (let edits = random(4); edits > 0 && frame.byteLength > 0; edits--)
        frame[random(frame.byteLength)] = random(256);
      frames++;
      wire.emit('data', frame);
      await Promise.resolve(); // Protomux may defer
    }
    assert.ok(offences.length <= 1, 'one offence ends it');
    if (offences.length === 1) assert.equal(link.state, 'closed');
    if (link.state === 'closed') ended++;
    link.close(null);
    assert.equal(wire.destroyed, true);
  }
  assert.ok(frames > 3000, String(frames));
  assert.ok(ended > 500 && ended < 2500, String(ended));
});
