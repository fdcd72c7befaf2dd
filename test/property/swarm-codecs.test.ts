/**
 * Codecs: every valid message survives the round trip; no bytes whatever make a decoder throw, run away or accept what it
 * would not write itself. Cases: 5 x 200 generated round trips, 12,000 random inputs, 11,000 mutations of valid messages, records and
 * bodies, and every prefix of 20 of each.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBody, encodeBody, packBody, unpackBody } from '../../src-main/swarm/codec/body.ts';
import type { RecordBody } from '../../src-main/swarm/codec/body.ts';
import { KNOWN_IDS } from '../../src-main/swarm/codec/known-ids.ts';
import { BYE_REASONS, CAPABILITY, decodeMessage, encodeMessage } from '../../src-main/swarm/codec/messages.ts';
import type { Message } from '../../src-main/swarm/codec/messages.ts';
import {
  decodeRecord,
  isHeadAuthentic,
  isRecordAuthentic,
  MAX_RECORD_BYTES,
  signHead,
  signRecord,
} from '../../src-main/swarm/codec/record.ts';
import { keyPairFromSeed } from '../../src-main/swarm/identity/crypto.ts';
import { WIRE } from '../../src-main/swarm/limits.ts';

const keys = keyPairFromSeed(Buffer.alloc(32, 3));
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b));
const u32 = fc.nat({ max: 0xffff_ffff });
const wellFormed = (maxLength: number) => fc.string({ unit: 'grapheme', maxLength }).filter((s) => s.isWellFormed());

const plainObjects = { noNullPrototype: true } as const;

const config = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,8}$/),
  fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 20 })),
  { maxKeys: 5, ...plainObjects },
);
const task = fc.record(
  {
    generator: fc.stringMatching(/^[a-z_]{1,20}$/),
    version: fc.nat({ max: 0xffff }),
    config,
    seed: fc.bigInt({ min: -(2n ** 140n), max: 2n ** 140n }).map(String),
    index: fc.maxSafeNat(),
  },
  plainObjects,
);
const completion = fc.record({ text: wellFormed(60), ended: fc.boolean() }, plainObjects);
const body: fc.Arbitrary<RecordBody> = fc.record(
  {
    task,
    policyName: fc.stringMatching(/^[ -~]{0,40}$/),
    completions: fc.array(completion, { minLength: 1, maxLength: 12 }),
  },
  plainObjects,
);

const record = fc
  .record({ body, instanceId: bytes(16), seq: fc.maxSafeNat(), round: u32, createdAt: fc.maxSafeNat() })
  .map(({ body: content, ...fields }) => {
    const packed = packBody(content);
    assert.ok(packed.ok);
    return signRecord({ ...fields, body: packed.value }, keys);
  });
const head = fc
  .record({ round: u32, count: fc.nat({ max: 0xffff }), createdAt: fc.maxSafeNat(), policyHash: bytes(32) })
  .map((fields) => signHead(fields, keys));
const opaqueRecord = fc.uint8Array({ minLength: 136, maxLength: 300 }).map((b) => Buffer.from(b));

const message: fc.Arbitrary<Message> = fc.oneof(
  fc
    .record(
      {
        kind: fc.constant('handshake' as const),
        version: fc.constant(3),
        minVersion: fc.nat({ max: 3 }),
        capabilities: u32,
        instanceId: bytes(16),
        membership: fc.option(bytes(32)),
        relayKey: fc.option(bytes(32)),
      },
      plainObjects,
    )
    // The bit goes with the key.
    .map((made) => {
      const others = (made.capabilities & ~CAPABILITY.carries) >>> 0;
      return { ...made, capabilities: made.relayKey === null ? others : (others | CAPABILITY.carries) >>> 0 };
    }),
  fc.record({ kind: fc.constant('heads' as const), heads: fc.array(head, { maxLength: 5 }) }, plainObjects),
  fc.record(
    {
      kind: fc.constant('pull' as const),
      requestId: u32,
      count: fc.nat({ max: WIRE.maxPullRecords }),
      ownPercent: fc.nat({ max: 100 }),
      maxAgeMs: u32,
      maxBytes: u32,
      known: fc.record(
        { salt: u32, bits: fc.constantFrom(0, 64, 128, KNOWN_IDS.maxBytes).chain((length) => bytes(length)) },
        plainObjects,
      ),
    },
    plainObjects,
  ),
  fc.record(
    { kind: fc.constant('records' as const), requestId: u32, records: fc.array(opaqueRecord, { maxLength: 8 }) },
    plainObjects,
  ),
  fc.record(
    { kind: fc.constant('busy' as const), requestId: u32, retryMs: u32, hints: fc.array(bytes(32), { maxLength: 8 }) },
    plainObjects,
  ),
  fc.record({ kind: fc.constant('bye' as const), reason: fc.constantFrom(...BYE_REASONS) }, plainObjects),
);

/** Same numbers for the same seed; the seed is in the name of what fails. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) % below;
  };
}

type Random = ReturnType<typeof randomNumbers>;
const randomInput = (random: Random, first: number) =>
  Buffer.from([first, ...Array.from({ length: random(400) }, () => random(256))]);

/** One to six edits: a byte changed, cut short, bytes inserted, the end repeated. */
function mutate(input: Buffer, random: Random): Buffer {
  let out = Buffer.from(input);
  for (let edits = 1 + random(6); edits > 0; edits--) {
    const index = random(Math.max(1, out.byteLength));
    const how = random(4);
    if (how === 0 && out.byteLength > 0) out[index] = random(256);
    else if (how === 1) out = out.subarray(0, index);
    else if (how === 2)
      out = Buffer.concat([out.subarray(0, index), Buffer.alloc(1 + random(9), random(256)), out.subarray(index)]);
    else out = Buffer.concat([out, out.subarray(index)]);
  }
  return out;
}

test('messages, records, heads and bodies survive the round trip', () => {
  const runs = { numRuns: 200 };
  fc.assert(
    fc.property(message, (m) => {
      assert.deepEqual(decodeMessage(encodeMessage(m)), { ok: true, value: m });
    }),
    runs,
  );
  fc.assert(
    fc.property(body, (b) => {
      const decoded = decodeBody(encodeBody(b));
      assert.deepEqual(decoded, { ok: true, value: b });
    }),
    runs,
  );
  fc.assert(
    fc.property(body, (b) => {
      const packed = packBody(b);
      assert.ok(packed.ok && packed.value.bytes.byteLength <= WIRE.maxBodyBytes);
      assert.deepEqual(unpackBody(packed.value), { ok: true, value: b });
    }),
    runs,
  );
  fc.assert(
    fc.property(record, (r) => {
      const decoded = decodeRecord(r.bytes);
      assert.deepEqual(decoded, { ok: true, value: r });
      assert.ok(isRecordAuthentic(r));
    }),
    runs,
  );
  fc.assert(
    fc.property(head, (h) => isHeadAuthentic(h)),
    runs,
  );
});

test('random bytes are refused or decode to what encodes to the very same bytes', () => {
  const random = randomNumbers(1);
  for (let i = 0; i < 6000; i++) {
    const input = randomInput(random, random(8));
    const decoded = decodeMessage(input);
    if (!decoded.ok) continue;
    const again = encodeMessage(decoded.value);
    // Only a handshake may carry fields of a later version behind its own.
    const same = decoded.value.kind === 'handshake' ? input.subarray(0, again.byteLength) : input;
    assert.ok(again.equals(same), `case ${String(i)}: ${input.toString('hex')}`);
  }
  for (let i = 0; i < 6000; i++) {
    const input = randomInput(random, 1);
    const decoded = decodeRecord(input);
    assert.ok(!decoded.ok || !isRecordAuthentic(decoded.value));
    assert.equal(typeof unpackBody({ encoding: i % 2 === 0 ? 'raw' : 'deflate', bytes: input }).ok, 'boolean');
  }
});

test('mutated messages, records and bodies never throw, and no mutated record is authentic', () => {
  const random = randomNumbers(2);
  const messages = fc.sample(message, { numRuns: 150, seed: 3 });
  const records = fc.sample(record, { numRuns: 100, seed: 4 });
  const bodies = fc.sample(body, { numRuns: 100, seed: 5 });
  for (let i = 0; i < 3000; i++) {
    const decoded = decodeMessage(mutate(encodeMessage(messages[i % messages.length]!), random));
    if (!decoded.ok || decoded.value.kind !== 'records') continue;
    for (const each of decoded.value.records) assert.ok(each.byteLength <= MAX_RECORD_BYTES);
  }
  for (let i = 0; i < 2000; i++) {
    const original = records[i % records.length]!.bytes;
    const changed = mutate(original, random);
    const decoded = decodeRecord(changed);
    if (decoded.ok && !changed.equals(original)) assert.equal(isRecordAuthentic(decoded.value), false);
  }
  for (let i = 0; i < 3000; i++) {
    const original = bodies[i % bodies.length]!;
    const decoded = decodeBody(mutate(encodeBody(original), random));
    if (decoded.ok)
      assert.ok(decoded.value.completions.length >= 1 && decoded.value.completions.length <= WIRE.maxCompletions);
    const packed = packBody(original);
    assert.ok(packed.ok);
    assert.equal(
      typeof unpackBody({ encoding: packed.value.encoding, bytes: mutate(Buffer.from(packed.value.bytes), random) }).ok,
      'boolean',
    );
  }
});

test('every proper prefix of a valid message or record is refused', () => {
  fc.assert(
    fc.property(message, record, (m, r) => {
      const whole = encodeMessage(m);
      for (let length = 0; length < whole.byteLength; length++)
        assert.equal(decodeMessage(whole.subarray(0, length)).ok, false);
      for (let length = 0; length < r.bytes.byteLength; length += 3)
        assert.equal(decodeRecord(r.bytes.subarray(0, length)).ok, false);
    }),
    { numRuns: 20 },
  );
});
