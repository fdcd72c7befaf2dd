/**
 * What strangers with many keys, and a restart, must not be able to do to the board. Through the book's and admission's outside only.
 * Those that are still to be mended say so (`todo`).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packBody } from '../../../src-main/swarm/codec/body.ts';
import type { Receipt } from '../../../src-main/swarm/codec/notes.ts';
import { signRecord } from '../../../src-main/swarm/codec/record.ts';
import { ReceiptBook, shortId } from '../../../src-main/swarm/credit/receipt-book.ts';
import { randomBytes, toHex } from '../../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed } from '../../../src-main/swarm/identity/identity.ts';
import { DEFAULT_LIMITS } from '../../../src-main/swarm/limits.ts';
import { Admission } from '../../../src-main/swarm/records/admission.ts';
import { RoundClock } from '../../../src-main/swarm/records/round-clock.ts';
import { parityGroup, verifyParity } from '../../swarm/local-swarm.ts';

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

test('keys that made one record each do not push out what others, and this node, have earned', { todo: true }, () => {
  const book = open();
  for (let i = 0; i < 100; i++) verify(book, honest);
  for (let i = 0; i < 20; i++) book.noteReceipts(honest, [receipt(own, verify(book, own))]);
  assert.deepEqual([book.score(honest, 'day').score, book.score(own, 'day').score], [100, 20]);
  for (let i = 0; i < 2 * DEFAULT_LIMITS.maxPeerRows; i++) verify(book, key());
  assert.deepEqual([book.score(honest, 'day').score, book.score(own, 'day').score], [100, 20]);
});

test('a record that is still about after a restart does not count again', { todo: true }, () => {
  const before = open();
  const ids = Array.from({ length: 10 }, () => key());
  for (const id of ids) verify(before, honest, id);
  const after = open();
  assert.ok(after.restore(before.toJson()));
  for (const id of ids) verify(after, honest, id);
  assert.equal(after.score(honest, 'day').checked, 10);
});

test('an own record that counted before a restart is not vouched for on top of it', { todo: true }, () => {
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

test('strangers who speak first do not take the places of believed auditors', { todo: true }, () => {
  const book = open();
  const believed = [key(), key()];
  for (const auditor of believed) earn(book, auditor);
  const record = shortId(key());
  for (let i = 0; i < 16; i++) book.noteReceipts(key(), [receipt(honest, record, 1)]);
  for (const auditor of believed) book.noteReceipts(auditor, [receipt(honest, record)]);
  assert.equal(book.score(honest, 'day').vouched, 1);
});

test('a thousand strangers with one true receipt each do not make a believed auditor unknown', { todo: true }, () => {
  const book = open();
  const auditor = key();
  earn(book, auditor);
  for (let i = 0; i < 128; i++) {
    const record = verify(book, honest);
    for (let stranger = 0; stranger < 16; stranger++) book.noteReceipts(key(), [receipt(honest, record)]);
  }
  assert.equal(book.auditors.weight(auditor), 1);
});

test('what was counted while the clock was a year ahead does not stay in the day for a year', { todo: true }, () => {
  let now = 1_700_000_000_000;
  const book = open(() => now);
  now += 365 * DAY_MS;
  for (let i = 0; i < 50; i++) verify(book, honest);
  now -= 365 * DAY_MS;
  verify(book, honest);
  now += 30 * DAY_MS;
  assert.equal(book.score(honest, 'day').checked, 0);
});

test('guessing what a peer will answer does not keep its records out', { todo: true }, () => {
  const admission = new Admission({
    ownKey: own,
    verify: verifyParity,
    rounds: new RoundClock(16, 16),
    seenRecords: 1_024,
    now: () => 0,
    onOwnRecord: () => undefined,
  });
  const [thief, maker] = [identityFromSeed(randomBytes(32)), identityFromSeed(randomBytes(32))];
  // Which tasks a node practises follows from its key (engine.ts, `seed`), so others know them long before it answers.
  const task = { ...parityGroup().task, seed: String(BigInt(`0x${maker.publicKey.slice(0, 15)}`) + 1n) };
  const records = [
    ['even', 'odd', 'neither'],
    ['even', 'odd', 'even', 'odd'],
  ].map((texts, seq) => {
    const body = packBody({ task, policyName: 'p', completions: texts.map((text) => ({ text, ended: true })) });
    assert.ok(body.ok);
    const { keyPair } = seq === 0 ? thief : maker;
    return signRecord({ instanceId: Buffer.alloc(16), seq, round: 1, createdAt: 1, body: body.value }, keyPair).bytes;
  });
  const verdicts = records.map((bytes) => admission.admit(bytes, () => false).ok);
  assert.deepEqual(verdicts, [true, true], 'the second is of the peer whose task it is');
});
