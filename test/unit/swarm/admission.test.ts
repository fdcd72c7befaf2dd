import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from '../../../src-main/swarm/records/admission.ts';
import type { VerifyTexts } from '../../../src-main/swarm/records/admission.ts';
import { packBody } from '../../../src-main/swarm/codec/body.ts';
import { signRecord } from '../../../src-main/swarm/codec/record.ts';
import { keyPairFromSeed, toHex } from '../../../src-main/swarm/identity/crypto.ts';
import { RoundClock } from '../../../src-main/swarm/records/round-clock.ts';
import type { PeerEntry } from '../../../src-main/swarm/records/ledger.ts';
import type { SwarmStatus } from '../../../src-main/swarm/swarm.ts';
import type { PeerRow, SwarmSummary } from '../../../src-main/engine/api.ts';
import type { JsonObject } from '../../../src-main/types.ts';

const me = keyPairFromSeed(Buffer.alloc(32, 1));
const other = keyPairFromSeed(Buffer.alloc(32, 2));
const INSTANCE = Buffer.alloc(16, 5);

function bytesOf(texts: string[], changes: { config?: JsonObject; round?: number; keys?: typeof me } = {}): Buffer {
  const task = { generator: 'g', version: 1, config: changes.config ?? {}, seed: '1', index: 0 };
  const packed = packBody({ task, policyName: 'p', completions: texts.map((text) => ({ text, ended: true })) });
  assert.ok(packed.ok);
  const fields = { instanceId: INSTANCE, seq: 0, round: changes.round ?? 1, createdAt: 5, body: packed.value };
  return signRecord(fields, changes.keys ?? other).bytes;
}

function open(verify: VerifyTexts) {
  const own: string[] = [];
  const rounds = new RoundClock(100, 4);
  const onOwnRecord = (record: { id: string }) => void own.push(record.id);
  const ownKey = toHex(me.publicKey);
  const rest = { rounds, seenRecords: 100, isOwnTask: () => false, now: () => 777, onOwnRecord };
  return { own, admission: new Admission({ ownKey, verify, ...rest }) };
}
const canonical: VerifyTexts = (_ref, texts) => ({
  ok: true,
  ref: { generator: 'g', version: 1, config: {}, seed: '1', index: 0 },
  question: 'q',
  rewards: texts.map((text) => (text === 'right' ? 1 : 0)),
});
const never = () => false;
const reasonOf = (result: ReturnType<Admission['admit']>) => (result.ok ? 'admitted' : result.reason);

test('an admitted group carries only what this node computed, and who signed it', () => {
  const { admission } = open(canonical);
  const result = admission.admit(bytesOf(['right', 'wrong']), never);
  assert.ok(result.ok);
  assert.equal(result.group.origin, toHex(other.publicKey));
  assert.equal(result.group.question, 'q');
  assert.equal(result.group.receivedAt, 777);
  assert.deepEqual(
    result.group.completions.map((completion) => completion.reward),
    [1, 0],
  );
  assert.deepEqual(result.start, { peer: toHex(other.publicKey), newestRound: result.group.round });
});

test('a verifier that answers nonsense admits nothing', () => {
  const answers: (number[] | null)[] = [[1], [1, 2], [1, Number.NaN], [1, -0.1], null];
  for (const rewards of answers) {
    const verify: VerifyTexts = () => {
      if (rewards === null) throw new TypeError('x');
      return { ok: true, ref: { generator: 'g', version: 1, config: {}, seed: '1', index: 0 }, question: 'q', rewards };
    };
    assert.equal(reasonOf(open(verify).admission.admit(bytesOf(['a', 'b']), never)), 'verifierFault');
  }
});

test('copies: same task in another spelling, own completions, mostly the same completions', () => {
  const { admission } = open(canonical);
  assert.equal(reasonOf(admission.admit(bytesOf(['right', 'w1', 'w2', 'w3']), never)), 'admitted');
  assert.equal(
    reasonOf(admission.admit(bytesOf(['right', 'w1', 'w2', 'w3'], { config: { a: 1 } }), never)),
    'duplicateContent',
  );
  assert.equal(
    reasonOf(admission.admit(bytesOf(['right', 'w1', 'n1', 'n2'], { round: 2 }), never)),
    'duplicateContent',
  );
  assert.equal(reasonOf(admission.admit(bytesOf(['right', 'n3', 'n4', 'n5'], { round: 2 }), never)), 'admitted');
  const task = { generator: 'g', version: 1, config: {}, seed: '1', index: 0 };
  admission.noteOwn({ task, policyName: 'p', completions: [{ text: 'mine', ended: true }] });
  assert.equal(reasonOf(admission.admit(bytesOf(['mine'], { round: 3 }), never)), 'duplicateContent');
});

test('a copy of many completions in another order, with a quarter of them changed, is a copy; one of which most are new is not', () => {
  const { admission } = open(canonical);
  const texts = Array.from({ length: 64 }, (_, i) => `answer ${String(i)}`);
  const changed = (count: number) => texts.map((text, i) => (i < count ? `${text}, changed` : text)).reverse();
  const admit = (all: string[]) => reasonOf(admission.admit(bytesOf(all), never));
  assert.equal(admit(texts), 'admitted');
  assert.equal(admit(changed(16)), 'duplicateContent');
  assert.equal(admit(changed(60)), 'admitted');
});

test('own records are reported, not admitted; a bad record does not poison its id', () => {
  const { admission, own } = open(canonical);
  assert.equal(reasonOf(admission.admit(bytesOf(['right', 'x'], { keys: me }), never)), 'ownRecord');
  assert.equal(own.length, 1);
  const good = bytesOf(['right', 'y']);
  const forged = Buffer.from(good);
  forged[forged.byteLength - 1]! ^= 1;
  assert.equal(reasonOf(admission.admit(forged, never)), 'forgedSignature');
  assert.equal(reasonOf(admission.admit(forged, never)), 'forgedSignature', 'each time, not a duplicate');
  assert.equal(reasonOf(admission.admit(good, () => true)), 'replayed');
  assert.equal(reasonOf(admission.admit(good, never)), 'admitted');
  assert.equal(reasonOf(admission.admit(good, never)), 'duplicateRecord');
});

test('status and peer rows fit the node’s API (checked by the compiler)', () => {
  const summary = (status: SwarmStatus): SwarmSummary => status;
  const row = (entry: PeerEntry): PeerRow => entry;
  assert.equal(typeof summary, typeof row);
});

test('a stranger’s text is neutral wherever it could be shown: policy name, refusal, status', () => {
  const hostile = '\u202Eevil\u2066\u0000\u001B[2J\r\nname\u200B\u3164\u{E0041}<script>';
  const { admission } = open(canonical);
  const task = { generator: 'g', version: 1, config: {}, seed: '1', index: 0 };
  const packed = packBody({ task, policyName: hostile, completions: [{ text: 'right', ended: true }] });
  assert.ok(packed.ok);
  const fields = { instanceId: INSTANCE, seq: 0, round: 1, createdAt: 5, body: packed.value };
  const result = admission.admit(signRecord(fields, other).bytes, never);
  assert.ok(result.ok);
  const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
  assert.ok(!unsafe.test(result.group.policyName), JSON.stringify(result.group.policyName));
  assert.equal(result.group.completions[0]!.text, 'right', 'completions stay exact: they are verified and trained on');
  const refusing = open(() => ({ ok: false, reason: `unknown generator ${hostile.repeat(50)}` }));
  const refused = refusing.admission.admit(bytesOf(['a', 'b']), never);
  assert.ok(!refused.ok && refused.reason === 'taskRefused');
  assert.ok(!unsafe.test(refused.detail) && refused.detail.length <= 160, refused.detail);
});
