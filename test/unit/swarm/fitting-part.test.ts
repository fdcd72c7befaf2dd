/** A group that is larger than a record is shared in part: as much as fits, right and wrong answers, in their order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BodyCompletion, RecordBody } from '../../../src-main/swarm/codec/body.ts';
import { unpackBody } from '../../../src-main/swarm/codec/body.ts';
import { randomBytes } from '../../../src-main/swarm/identity/crypto.ts';
import { WIRE } from '../../../src-main/swarm/limits.ts';
import { fittingPart } from '../../../src-main/swarm/records/fitting-part.ts';

const task = { generator: 'parity', version: 1, config: {}, seed: '7', index: 1 };
const whole = (texts: readonly string[]): RecordBody => ({
  task,
  policyName: 'tiny',
  completions: texts.map((text) => ({ text, ended: true })),
});
/** Does not deflate. */
const noise = (bytes: number) => randomBytes(Math.floor((bytes * 3) / 4)).toString('base64');
const rightIfMarked = (completions: readonly BodyCompletion[]) =>
  completions.map(({ text }) => (text.startsWith('right') ? 1 : 0));
function fitted(texts: readonly string[]): string[] {
  const part = fittingPart(whole(texts), rightIfMarked);
  assert.ok(part);
  const unpacked = unpackBody(part.packed);
  assert.ok(unpacked.ok);
  assert.deepEqual(unpacked.value, part.body, 'what is judged is what is sent');
  return part.body.completions.map(({ text }) => text);
}
function assertOrderKept(part: readonly string[], texts: readonly string[]): void {
  assert.deepEqual(
    part,
    texts.filter((text) => part.includes(text)),
  );
}

test('what fits is shared whole, and nothing is verified for it', () => {
  const part = fittingPart(whole(['a', 'b', 'c']), () => assert.fail('asked'));
  assert.equal(part?.body.completions.length, 3);
  assert.equal(fittingPart(whole(['alone']), () => [])?.body.completions.length, 1);
});

test('too many: as many as a record holds, of both kinds in their proportion', () => {
  const texts = Array.from({ length: 200 }, (_, i) => `${i % 4 === 3 ? 'right' : 'wrong'} ${i}`);
  const part = fitted(texts);
  assert.equal(part.length, WIRE.maxCompletions);
  assert.equal(part.filter((text) => text.startsWith('right')).length, WIRE.maxCompletions / 4);
  assertOrderKept(part, texts);
});

test('one right answer at the very end is not lost', () => {
  const texts = [...Array.from({ length: 199 }, (_, i) => `wrong ${i}`), 'right'];
  const part = fitted(texts);
  assert.equal(part.length, WIRE.maxCompletions);
  assert.equal(part.at(-1), 'right');
  assert.ok(fitted(texts.map((text) => (text === 'right' ? 'wrong' : `right ${text}`))).includes('wrong'));
});

test('too many bytes: the largest part that fits, before and after deflating', () => {
  const texts = Array.from({ length: 16 }, (_, i) => `${i % 2 ? 'right' : 'wrong'} ${noise(3000)}`);
  const part = fitted(texts);
  assert.ok(part.length >= 6 && part.length <= 7, `${part.length} of 3 KB, of which 4/3 deflate to 1`);
  assertOrderKept(part, texts);
  const even = Array.from({ length: 16 }, (_, i) => `${i % 2 ? 'right' : 'wrong'} ${i} ${'x'.repeat(8000)}`);
  assert.equal(fitted(even).length, 8, 'eight times 8 KB are 64 KB');
});

test('an answer too long for any record is left out; the shortest are taken where the first do not fit', () => {
  const long = `wrong ${'x'.repeat(WIRE.maxCompletionBytes)}`;
  assert.deepEqual(fitted([long, 'right a', 'wrong b']), ['right a', 'wrong b']);
  const heavy = ['right', 'wrong'].map((kind) => `${kind} ${noise(13_000)}`);
  assert.deepEqual(fitted([...heavy, 'wrong short', 'right short']), ['wrong short', 'right short']);
});

test('not even two fit: nothing is shared', () => {
  assert.equal(fittingPart(whole([noise(14_000), noise(14_000)]), rightIfMarked), null);
  assert.equal(fittingPart(whole(['x'.repeat(20_000), 'y']), rightIfMarked), null);
});
