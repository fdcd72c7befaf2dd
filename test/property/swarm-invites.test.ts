/**
 * Invites and descriptions: round trips (200 cases), 4,000 random texts, 6,000 mutated links and every byte of a description
 * changed: none throws, and none that was altered is accepted.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeDescription, DESCRIPTION, misfitOf, signDescription } from '../../src-main/swarm/codec/description.ts';
import type { SwarmTerms } from '../../src-main/swarm/codec/description.ts';
import { keyPairFromSeed } from '../../src-main/swarm/identity/crypto.ts';
import { decodeInvite, encodeInvite, newSecret } from '../../src-main/swarm/membership/invite.ts';

const keys = keyPairFromSeed(Buffer.alloc(32, 3));
const TERMS: SwarmTerms = {
  name: 'Our hive',
  taskSet: 'starter',
  taskSetVersion: 3,
  protocol: 1,
  maxRoundAge: 16,
  shardCount: 1,
};
const terms = fc.record(
  {
    name: fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/),
    taskSet: fc.stringMatching(/^[\w.-]{1,30}$/),
    taskSetVersion: fc.nat({ max: 0xffff }),
    protocol: fc.nat({ max: 0xffff }),
    maxRoundAge: fc.integer({ min: 1, max: 0xffff }),
    shardCount: fc.integer({ min: 1, max: DESCRIPTION.maxShards }),
  },
  { noNullPrototype: true },
);

test('descriptions and links survive the round trip, with and without a secret', () => {
  fc.assert(
    fc.property(terms, fc.boolean(), fc.maxSafeNat(), (each, isPrivate, createdAt) => {
      const secret = isPrivate ? newSecret() : null;
      const description = signDescription({ ...each, createdAt, secret }, keys);
      assert.deepEqual({ ...each, ...description }, description);
      assert.deepEqual(decodeDescription(description.bytes), { ok: true, value: description });
      const link = encodeInvite({ description, secret });
      assert.ok(link.length <= 700, 'short enough for a QR code that a phone reads');
      assert.deepEqual(decodeInvite(`  ${link}\n`), { ok: true, invite: { description, secret } });
      if (secret !== null) assert.ok(!description.bytes.includes(secret), 'a description can be shown to anybody');
    }),
    { numRuns: 200 },
  );
});

test('anything else is a typed refusal', () => {
  const link = encodeInvite({
    description: signDescription({ ...TERMS, createdAt: 1, secret: 'honey' }, keys),
    secret: 'honey',
  });
  const reasonOf = (text: string) => {
    const decoded = decodeInvite(text);
    return decoded.ok ? 'accepted' : decoded.reason;
  };
  assert.equal(reasonOf(''), 'notAnInvite');
  assert.equal(reasonOf('https://example.org/'), 'notAnInvite');
  assert.equal(reasonOf('waggle://join/'), 'notAnInvite');
  assert.equal(reasonOf(`${link}!`), 'notAnInvite');
  assert.equal(reasonOf(link.slice(0, -1)), 'damaged');
  assert.equal(reasonOf(`${link}AAAA`), 'damaged');
  assert.equal(reasonOf(`waggle://join/${'A'.repeat(1_500)}`), 'tooLong');
  assert.equal(reasonOf('x'.repeat(50_000_000)), 'tooLong');
  assert.equal(reasonOf(link.toUpperCase()), 'damaged', 'case carries meaning behind the prefix');
  let state = 5;
  const random = (below: number) => {
    state = Math.imul(state, 1103515245) + 12345;
    return ((state >>> 8) & 0x7fffff) % below;
  };
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  for (let i = 0; i < 4_000; i++) {
    const code = Array.from({ length: random(600) }, () => alphabet[random(64)]).join('');
    assert.notEqual(reasonOf(`waggle://join/${code}`), 'accepted');
  }
  for (let i = 0; i < 6_000; i++) {
    const at = 14 + random(link.length - 14);
    const changed = `${link.slice(0, at)}${alphabet[random(64)]!}${link.slice(at + random(3))}`;
    if (changed !== link) assert.notEqual(reasonOf(changed), 'accepted');
  }
});

test('no byte of a description can be changed, and no term out of bounds be signed', () => {
  const { bytes } = signDescription({ ...TERMS, createdAt: 1, secret: 'honey' }, keys);
  for (let at = 0; at < bytes.byteLength; at++)
    for (const bit of [1, 128]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= bit;
      assert.equal(decodeDescription(changed).ok, false, `byte ${String(at)}`);
    }
  for (let length = 0; length < bytes.byteLength; length++)
    assert.equal(decodeDescription(bytes.subarray(0, length)).ok, false);
  for (const wrong of [
    { name: '' },
    { name: '蜜'.repeat(40) },
    { shardCount: 0 },
    { shardCount: 5000 },
    { taskSet: 'a b' },
    { maxRoundAge: 0 },
  ])
    assert.throws(() => signDescription({ ...TERMS, ...wrong, createdAt: 1, secret: null }, keys), RangeError);
  assert.equal(
    signDescription({ ...TERMS, name: '\u202EOur\u200B hive\n', createdAt: 1, secret: null }, keys).name,
    'Our hive',
  );
  assert.throws(
    () => encodeInvite({ description: signDescription({ ...TERMS, createdAt: 1, secret: null }, keys), secret: 'x' }),
    RangeError,
  );
});

test('what does not fit says what to do', () => {
  const abilities = { taskSets: { starter: 3 } };
  const reasonOf = (changes: Partial<SwarmTerms>) => misfitOf({ ...TERMS, ...changes }, abilities)?.reason ?? null;
  assert.equal(reasonOf({}), null);
  assert.equal(reasonOf({ protocol: 9 }), 'newerProtocol');
  assert.equal(reasonOf({ protocol: 0 }), 'olderProtocol');
  assert.equal(reasonOf({ taskSet: 'other' }), 'unknownTaskSet');
  assert.equal(reasonOf({ taskSet: 'constructor' }), 'unknownTaskSet');
  assert.equal(reasonOf({ taskSetVersion: 4 }), 'newerTaskSet');
  assert.equal(reasonOf({ taskSetVersion: 2 }), 'olderTaskSet');
  assert.match(misfitOf({ ...TERMS, taskSetVersion: 4 }, abilities)?.fix ?? '', /Update Waggle/);
});
