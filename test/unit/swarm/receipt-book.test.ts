/** Credit: what counts, what does not, how lies are found, and rings of free keys that vouch for each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTE } from '../../../src-main/swarm/codec/notes.ts';
import type { Outcome, Receipt } from '../../../src-main/swarm/codec/notes.ts';
import { PlausibilityWatch } from '../../../src-main/swarm/credit/plausibility.ts';
import { MAX_MULTIPLE, ReceiptBook } from '../../../src-main/swarm/credit/receipt-book.ts';

const HOUR = 3_600_000;
let serial = 0;
const idOf = (n: number) => n.toString(16).padStart(NOTE.idBytes * 2, '0');
const key = (n: number) => n.toString(16).padStart(64, '0');
const nextId = () => idOf(++serial);
const ME = key(1);

interface Made {
  id: string;
  origin: string;
  right: number;
}
function scene(owners: Record<string, string> = {}) {
  let now = 1_000 * HOUR;
  const book = new ReceiptBook({ ownKey: ME, now: () => now, maxPeers: 512, ownerOf: (peer) => owners[peer] ?? peer });
  const make = (origin: string, right = 3): Made => ({ id: nextId(), origin, right });
  const check = ({ id, origin, right }: Made, useful = true) =>
    book.noteVerified(id.padEnd(64, '0'), { origin, right, of: 8, round: 1, useful });
  const receipt = ({ id, origin, right }: Made, changes: Partial<Receipt> = {}): Receipt => ({
    origin,
    record: id,
    outcome: 'adopted',
    right,
    of: 8,
    round: 1,
    ...changes,
  });
  const vouch = (auditor: string, made: Made, changes: Partial<Receipt> = {}) =>
    book.noteReceipts(auditor, [receipt(made, changes)]);
  /** The auditor signs true receipts for eight records that this node verified. */
  const trust = (auditor: string, origin: string) => {
    for (let i = 0; i < 8; i++) {
      const made = make(origin);
      check(made);
      vouch(auditor, made);
    }
  };
  const wait = (hours: number) => (now += hours * HOUR);
  return { book, make, check, receipt, vouch, trust, wait };
}
const [A, B, C, D] = [key(10), key(11), key(12), key(13)];

test('a record vouched for counts by two distinct believed auditors, never by one, nor by itself', () => {
  const { book, make, check, vouch, trust } = scene();
  const origin = key(20);
  check(make(origin));
  assert.deepEqual(book.score(origin, 'day'), { score: 1, checked: 1, vouched: 0 });
  const unseen = make(origin);
  vouch(A, unseen);
  vouch(B, unseen);
  assert.equal(book.score(origin, 'day').score, 1, 'nobody knows these auditors yet');
  trust(A, key(30));
  assert.equal(book.score(origin, 'day').score, 1, 'one believed auditor is not enough');
  vouch(origin, unseen);
  trust(origin, key(30));
  assert.equal(book.score(origin, 'day').score, 1, 'nobody vouches for itself');
  trust(B, key(30));
  assert.equal(book.score(origin, 'day').score, 2, 'counted as soon as both are believed');
  vouch(A, unseen);
  vouch(C, unseen);
  assert.equal(book.score(origin, 'day').score, 2, 'a record counts once');
  check(unseen);
  assert.deepEqual(book.score(origin, 'day'), { score: 2, checked: 2, vouched: 0 }, 'checked here now');
  check(make(origin), false);
  assert.equal(book.score(origin, 'day').score, 2, 'equal rewards teach nothing and count nothing');
});

test('one false receipt costs all, what it had vouched for goes, and a late check finds it too', () => {
  const { book, make, check, vouch, trust, wait } = scene();
  const origin = key(20);
  check(make(origin));
  for (const auditor of [A, B]) trust(auditor, key(30));
  const unseen = make(origin);
  vouch(A, unseen);
  vouch(B, unseen);
  assert.equal(book.score(origin, 'day').vouched, 1);
  const known = make(key(30), 3);
  check(known);
  vouch(A, known, { right: 8 });
  assert.equal(book.auditors.weight(A), 0);
  assert.equal(book.score(origin, 'day').vouched, 0, 'taken back');
  vouch(A, known);
  assert.equal(book.auditors.weight(A), 0, 'the truth afterwards does not help');

  const later = make(origin, 5);
  trust(C, key(30));
  vouch(C, { ...later, right: 2 });
  assert.equal(book.auditors.weight(C), 1);
  check(later);
  assert.equal(book.auditors.weight(C), 0, 'found when the record came');
  trust(D, key(30));
  const stolen = make(key(30));
  check(stolen);
  vouch(D, { ...stolen, origin: D === key(13) ? key(99) : D });
  assert.equal(book.auditors.weight(D), 0, 'a record of another origin is false as well');
  wait(24 * 7 + 1);
  assert.ok(book.auditors.weight(A) > 0, 'forgiven after a week');
});

test('matching receipts count once each, so repeating one earns no weight', () => {
  const { book, make, check, vouch } = scene();
  const made = make(key(30));
  check(made);
  for (let i = 0; i < 50; i++) vouch(A, made);
  assert.equal(book.auditors.weight(A), 1 / 8);
});

test('own records count when somebody else’s true receipt comes; refusals say why', () => {
  const { book, make, check, vouch } = scene();
  const [first, second, third] = [make(ME), make(ME), make(ME)];
  for (const made of [first, second, third]) check(made);
  assert.equal(book.score(ME, 'day').score, 0, 'nothing self-reported counts');
  vouch(ME, first);
  assert.equal(book.score(ME, 'day').score, 0);
  vouch(A, first);
  vouch(B, first);
  assert.equal(book.score(ME, 'day').score, 1);
  vouch(C, second, { right: 7 });
  assert.equal(book.score(ME, 'day').score, 1, 'a receipt that does not match is not credit');
  const refusals: Outcome[] = ['duplicateContent', 'duplicateContent', 'taskRefused'];
  for (const [i, outcome] of refusals.entries()) vouch(key(40 + i), third, { outcome, right: 0, of: 0 });
  vouch(key(40), third, { outcome: 'duplicateContent', right: 0, of: 0 });
  vouch(A, { id: nextId(), origin: ME, right: 0 }, { outcome: 'expired' });
  assert.deepEqual(book.refusals(), { duplicateContent: 2, taskRefused: 1 });
  assert.deepEqual(
    book.receiptsOf(ME, 9).map(({ checkedHere, auditors }) => [checkedHere, auditors.length]),
    [
      [true, 2],
      [true, 0],
      [true, 0],
    ],
  );
});

test('own records of an earlier start count as vouched once two believed auditors say so, within the bound', () => {
  const { book, make, check, vouch, trust } = scene();
  const [known, forgotten, another] = [make(ME), make(ME), make(ME)];
  for (const auditor of [A, B, C]) trust(auditor, key(30));
  vouch(A, forgotten);
  vouch(B, forgotten);
  assert.deepEqual(book.score(ME, 'day'), { score: 0, checked: 0, vouched: 0 }, 'nothing confirmed yet');
  check(known);
  vouch(A, known);
  vouch(A, forgotten);
  assert.equal(book.score(ME, 'day').vouched, 0, 'one auditor is not enough');
  vouch(ME, forgotten);
  assert.equal(book.score(ME, 'day').vouched, 0, 'nor is this node its own second one');
  vouch(B, forgotten);
  assert.deepEqual(book.score(ME, 'day'), { score: 2, checked: 1, vouched: 1 });
  vouch(B, another, { right: 2 });
  vouch(C, another, { right: 5 });
  assert.equal(book.score(ME, 'day').vouched, 1, 'they must say the same');
  for (let i = 0; i < 9; i++) {
    const more = make(ME);
    vouch(A, more);
    vouch(B, more);
  }
  assert.deepEqual(book.score(ME, 'day'), { score: 1 + MAX_MULTIPLE, checked: 1, vouched: 10 });
  assert.deepEqual(
    book
      .receiptsOf(ME, 99)
      .map(({ checkedHere }) => checkedHere)
      .filter(Boolean),
    [true],
  );
});

test('devices of one owner do not vouch for each other', () => {
  const { book, make, check, vouch, trust } = scene({ [A]: key(77), [key(20)]: key(77) });
  check(make(key(20)));
  for (const auditor of [A, B]) trust(auditor, key(30));
  const unseen = make(key(20));
  vouch(A, unseen);
  vouch(B, unseen);
  assert.equal(book.score(key(20), 'day').vouched, 0);
});

test('windows slide by the hour, and survive a restart', () => {
  const { book, make, check, wait, trust } = scene();
  const origin = key(20);
  check(make(origin));
  wait(20);
  check(make(origin));
  wait(5);
  check(make(origin));
  const sums = (from: ReceiptBook) =>
    (['day', 'week', 'all'] as const).map((window) => from.score(origin, window).score);
  assert.deepEqual(sums(book), [2, 3, 3]);
  wait(24 * 5);
  assert.deepEqual(sums(book), [0, 3, 3]);
  wait(48);
  assert.deepEqual(sums(book), [0, 0, 3]);
  trust(A, origin);
  const again = scene();
  again.wait(25 + 24 * 7);
  assert.equal(again.book.restore(book.toJson()), true);
  assert.deepEqual(sums(again.book), [8, 8, 11]);
  assert.equal(again.book.auditors.weight(A), 1);
  for (const broken of ['', '{', '[]', 'null', '{"version":2}', '{"version":1,"counts":[[1],["x"],null,["zz",[],[]]]}'])
    assert.equal(typeof scene().book.restore(broken), 'boolean');
});

test('a sybil ring that only vouches for itself does not climb', () => {
  const { book, make, check, receipt } = scene();
  const honest = Array.from({ length: 12 }, (_, i) => key(100 + i));
  const ring = Array.from({ length: 80 }, (_, i) => key(1000 + i));
  const [boss, front] = [ring[0]!, ring[1]!];
  let state = 7;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 40; round++) {
    const made = honest.map((origin) => make(origin, 1 + (round % 7)));
    // Each honest node, this one too, sees about half of what there is and signs for it.
    for (const each of made) if (random() < 0.5) check(each);
    for (const auditor of honest)
      book.noteReceipts(
        auditor,
        made.filter((each) => each.origin !== auditor && random() < 0.5).map((m) => receipt(m)),
      );
    // `front` really publishes one record in ten rounds; everything else of the ring exists on its sheets only.
    if (round % 10 === 0) check(make(front));
    const invented = ring.flatMap(() => [make(boss), make(front)]);
    for (const auditor of ring) {
      book.noteReceipts(
        auditor,
        invented.map((m) => receipt(m)),
      );
      // Camouflage: true receipts for honest work, which anybody can compute, earn weight.
      book.noteReceipts(
        auditor,
        made.map((m) => receipt(m)),
      );
    }
  }
  const scores = honest.map((origin) => book.score(origin, 'day').score);
  const lowest = Math.min(...scores);
  assert.ok(book.auditors.weight(ring[5]!) > 0, 'the camouflage works: weight alone would not do');
  assert.deepEqual(book.score(boss, 'day'), { score: 0, checked: 0, vouched: 0 }, 'no work, no score');
  assert.ok(book.score(front, 'day').score <= 4 * (1 + MAX_MULTIPLE), 'at most a fixed multiple of real work');
  for (const member of ring) assert.ok(book.score(member, 'day').score < lowest, String(lowest));
  assert.ok(lowest >= 25, `honest nodes keep theirs: ${scores.join(' ')}`);
});

test('knowing the answers without a policy stands out', () => {
  const watch = new PlausibilityWatch(16);
  const task = { generator: 'g', version: 1, config: { terms: 5 }, seed: '1', index: 0 };
  for (let i = 0; i < 20; i++) {
    for (const peer of ['a', 'b', 'c']) watch.note(peer, task, 3, 8);
    watch.note('oracle', task, 8, 8);
    watch.note('easy', { ...task, config: { terms: 2 } }, 8, 8);
  }
  assert.equal(watch.of(['oracle'])?.implausible, true);
  assert.equal(watch.of(['oracle'])?.expected, 0.375);
  assert.equal(watch.of(['a'])?.implausible, false);
  assert.deepEqual(watch.of(['easy']), { solveRate: 1, expected: null, completions: 160, implausible: false });
  assert.equal(watch.of(['nobody']), null);
  assert.equal(watch.of([]), null);
});

test('an owner’s devices are judged together, and are not "the others" to each other', () => {
  const watch = new PlausibilityWatch(16);
  const task = { generator: 'g', version: 1, config: { terms: 5 }, seed: '1', index: 0 };
  for (let i = 0; i < 20; i++) {
    for (const device of ['phone', 'tower', 'tower', 'tower']) watch.note(device, task, 8, 8);
    watch.note('honest', task, 2, 8);
  }
  const together = { solveRate: 1, expected: 0.25, completions: 640, implausible: true };
  assert.deepEqual(watch.of(['phone', 'tower']), together);
  assert.deepEqual(watch.of(['tower', 'phone', 'tower']), together, 'in any order, each counted once');
  assert.equal(watch.of(['phone'])?.implausible, false, 'the other device would have hidden it');
  assert.deepEqual(watch.of(['gone', 'honest']), watch.of(['honest']));
});
