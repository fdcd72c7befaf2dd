import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeNote,
  isNote,
  isNoteAuthentic,
  NOTE,
  signProfile,
  signSheet,
} from '../../../src-main/swarm/codec/notes.ts';
import type { Receipt } from '../../../src-main/swarm/codec/notes.ts';
import { MAX_RECORD_BYTES, RECORD_OVERHEAD_BYTES } from '../../../src-main/swarm/codec/record.ts';
import { randomBytes } from '../../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed, identityOf, newDevice } from '../../../src-main/swarm/identity/identity.ts';

const seed = Buffer.alloc(32, 6);
const owner = identityFromSeed(seed);
const laptop = identityOf({ seed, device: newDevice() });
const hex = (bytes: number) => randomBytes(bytes).toString('hex');
const receipt = (changes: Partial<Receipt> = {}): Receipt => ({
  origin: hex(32),
  record: hex(NOTE.idBytes),
  outcome: 'adopted',
  right: 3,
  of: 8,
  round: 12,
  ...changes,
});
const sheetOf = (receipts: Receipt[]) =>
  signSheet({ instanceId: randomBytes(16), round: 3, createdAt: 4, receipts }, owner.keyPair);

test('sheets and profiles survive the wire and fit where records go', () => {
  const sheet = sheetOf(Array.from({ length: NOTE.maxReceipts }, () => receipt({ outcome: 'taskRefused' })));
  const named = { createdAt: 9, displayName: '🐝'.repeat(40), team: '蜜'.repeat(40) };
  for (const note of [sheet, sheetOf([receipt()]), signProfile(named, owner.owner, owner.keyPair)]) {
    assert.ok(note.bytes.byteLength <= MAX_RECORD_BYTES && note.bytes.byteLength >= RECORD_OVERHEAD_BYTES);
    assert.ok(isNote(note.bytes));
    assert.deepEqual(decodeNote(note.bytes), { ok: true, value: note });
    assert.ok(isNoteAuthentic(note));
    for (let at = 0; at < note.bytes.byteLength; at += 7) {
      const changed = Buffer.from(note.bytes);
      changed[at]! ^= 4;
      const decoded = decodeNote(changed);
      assert.ok(!decoded.ok || !isNoteAuthentic(decoded.value), `byte ${String(at)}`);
    }
  }
  assert.throws(() => sheetOf([]), RangeError);
});

test('a further device shows its owner’s signature; nobody can claim another’s device or owner', () => {
  const names = { createdAt: 1, displayName: 'b', team: '' };
  const mine = decodeNote(signProfile(names, laptop.owner, laptop.keyPair).bytes);
  assert.ok(mine.ok && mine.value.kind === 'profile');
  assert.equal(mine.value.owner, owner.publicKey);
  const thief = identityFromSeed(randomBytes(32));
  for (const claimed of [
    { publicKey: owner.publicKey, signature: null },
    { publicKey: owner.publicKey, signature: laptop.owner.signature },
  ])
    assert.deepEqual(decodeNote(signProfile(names, claimed, thief.keyPair).bytes), { ok: false, reason: 'malformed' });
});

test('names are one bounded, visible line on both sides', () => {
  const hostile = {
    createdAt: 1,
    displayName: `\u202E${'x'.repeat(500)}\n\u0000`,
    team: '\u{E0041}\u200Bred\u2028team',
  };
  const profile = signProfile(hostile, owner.owner, owner.keyPair);
  assert.equal(Array.from(profile.displayName).length, NOTE.maxNameCharacters);
  assert.equal(profile.team, 'red team');
  // A hostile encoder does not clean: the decoder does.
  const raw = Buffer.from(signProfile({ ...hostile, displayName: 'abcdef' }, owner.owner, owner.keyPair).bytes);
  raw.write('\u202Edef', raw.indexOf('abcdef'), 'utf8');
  const decoded = decodeNote(raw);
  assert.ok(decoded.ok && decoded.value.kind === 'profile');
  assert.equal(decoded.value.displayName, 'def');
});
