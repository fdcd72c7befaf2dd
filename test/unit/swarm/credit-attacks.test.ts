/**
 * What strangers with many keys, and a restart, must not be able to do to the board. Through the book's and admission's outside only.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTaskOfKey, seedOfKey } from '../../../src-main/engine/rounds/task-stream.ts';
import { packBody } from '../../../src-main/swarm/codec/body.ts';
import type { Receipt } from '../../../src-main/swarm/codec/notes.ts';
import { signRecord } from '../../../src-main/swarm/codec/record.ts';
import { ReceiptBook, shortId } from '../../../src-main/swarm/credit/receipt-book.ts';
import { randomBytes, toHex } from '../../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed } from '../../../src-main/swarm/identity/identity.ts';
import { DEFAULT_LIMITS } from '../../../src-main/swarm/limits.ts';
import { Admission } from '../../../src-main/swarm/records/admission.ts';
import { RoundClock } from '../../../src-main/swarm/records/round-clock.ts';
import { getTaskSet, sampleTaskRefs } from '../../../src-main/tasks/task-sets.ts';

const DAY_MS = 24 * 3_600_000;
const key = (): string => toHex(randomBytes(32));
const own = key();
const honest = key();

function open(now = () => 1_700_000_000_000): ReceiptBook {
  return new ReceiptBook({ ownKey: own, now, maxPeers: DEFAULT_LIMITS.maxPeerRows, ownerOf: (peer) => peer });
}
function verify(book: ReceiptBook, origin: string, id = key()): string {
  book.noteVerified(id, { origin, right: 2, of: 4, round: 1, useful: true });
  return shortId(id);
}
const receipt = (origin: string, record: string, right = 2): Receipt => ({
  origin,
  record,
  outcome: 'adopted',
  right,
  of: 4,
  round: 1,
});
/** Full weight. */
function earn(book: ReceiptBook, auditor: string): void {
  for (let i = 0; i < 8; i++) book.noteReceipts(auditor, [receipt(honest, verify(book, honest))]);
}

test('keys that made one record each do not push out what others, and this node, have earned', () => {
  const book = open();
  for (let i = 0; i < 100; i++) verify(book, honest);
  for (let i = 0; i < 20; i++) book.noteReceipts(honest, [receipt(own, verify(book, own))]);
  assert.deepEqual([book.score(honest, 'day').score, book.score(own, 'day').score], [100, 20]);
  for (let i = 0; i < 2 * DEFAULT_LIMITS.maxPeerRows; i++) verify(book, key());
  assert.deepEqual([book.score(honest, 'day').score, book.score(own, 'day').score], [100, 20]);
});

test('a record that is still about after a restart does not count again', () => {
  const before = open();
  const ids = Array.from({ length: 10 }, () => key());
  for (const id of ids) verify(before, honest, id);
  const after = open();
  assert.ok(after.restore(before.toJson()));
  for (const id of ids) verify(after, honest, id);
  assert.equal(after.score(honest, 'day').checked, 10);
});

test('an own record that counted before a restart is not vouched for on top of it', () => {
  const before = open();
  const auditors = [key(), key(), key()] as const;
  for (const auditor of auditors) earn(before, auditor);
  const record = verify(before, own);
  before.noteReceipts(auditors[0], [receipt(own, record)]);
  assert.equal(before.score(own, 'day').score, 1);
  const after = open();
  assert.ok(after.restore(before.toJson()));
  for (const auditor of auditors.slice(1)) after.noteReceipts(auditor, [receipt(own, record)]);
  assert.equal(after.score(own, 'day').score, 1);
});

test('strangers who speak first do not take the places of believed auditors', () => {
  const book = open();
  const believed = [key(), key()];
  for (const auditor of believed) earn(book, auditor);
  const record = shortId(key());
  for (let i = 0; i < 16; i++) book.noteReceipts(key(), [receipt(honest, record, 1)]);
  for (const auditor of believed) book.noteReceipts(auditor, [receipt(honest, record)]);
  assert.equal(book.score(honest, 'day').vouched, 1);
});

test('a thousand strangers with one true receipt each do not make a believed auditor unknown', () => {
  const book = open();
  const auditor = key();
  earn(book, auditor);
  for (let i = 0; i < 128; i++) {
    const record = verify(book, honest);
    for (let stranger = 0; stranger < 16; stranger++) book.noteReceipts(key(), [receipt(honest, record)]);
  }
  assert.equal(book.auditors.weight(auditor), 1);
});

test('what was counted while the clock was a year ahead does not stay in the day for a year', () => {
  let now = 1_700_000_000_000;
  const book = open(() => now);
  now += 365 * DAY_MS;
  for (let i = 0; i < 50; i++) verify(book, honest);
  now -= 365 * DAY_MS;
  verify(book, honest);
  now += 30 * DAY_MS;
  assert.equal(book.score(honest, 'day').checked, 0);
});

test('guessing what a peer will answer does not keep its records out', () => {
  const [thief, maker] = [identityFromSeed(randomBytes(32)), identityFromSeed(randomBytes(32))];
  // Which tasks a node practises follows from its key, so others know them long before it answers.
  const seed = BigInt(`0x${seedOfKey(maker.publicKey)}`);
  const [task] = sampleTaskRefs(getTaskSet('starter')!, { seed, from: 40, count: 1 });
  assert.ok(task);
  const admission = new Admission({
    ownKey: own,
    verify: (_ref, texts) => ({ ok: true, ref: task, question: 'q', rewards: texts.map(() => 1) }),
    isOwnTask: isTaskOfKey,
    rounds: new RoundClock(16, 16),
    seenRecords: 1_024,
    now: () => 0,
    onOwnRecord: () => undefined,
  });
  let seq = 0;
  const admits = (by: typeof maker, ...texts: string[]): boolean => {
    const body = packBody({ task, policyName: 'p', completions: texts.map((text) => ({ text, ended: true })) });
    assert.ok(body.ok);
    const fields = { instanceId: Buffer.alloc(16), seq: seq++, round: 1, createdAt: 1, body: body.value };
    return admission.admit(signRecord(fields, by.keyPair).bytes, () => false).ok;
  };
  assert.ok(admits(thief, 'even', 'odd', 'neither'));
  assert.ok(admits(maker, 'even', 'odd', 'even'), 'it is the maker whose task it is');
  assert.ok(!admits(maker, 'odd', 'even'), 'the same of itself once more is nothing new');
  assert.ok(!admits(thief, 'even', 'odd'), 'nor is a copy under another key');
  assert.ok(!admits(identityFromSeed(randomBytes(32)), 'even', 'odd', 'even'));
});
