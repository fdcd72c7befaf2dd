/** What may be said on a connection to or from a relay, and nothing else; pair messages both ways. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readPair, RelayTalk, writePair } from '../../../src-main/swarm/overlay/relay-gate.ts';

const token = Buffer.alloc(32, 7);
/** As blind-relay 1 writes it: flags, token, id and sequence as variable-length integers. */
const PAIR = Buffer.concat([Buffer.from([1, 0, 1]), token, Buffer.from([5, 0])]);
const UNPAIR = Buffer.concat([Buffer.from([1, 1, 0]), token]);
const OPEN = Buffer.concat([Buffer.from([0, 1, 1, 11]), Buffer.from('blind-relay'), Buffer.from([32]), token]);
const CLOSE = Buffer.from([0, 3, 1]);

function saying(...frames: Buffer[]): boolean[] {
  const talk = new RelayTalk();
  return frames.map((frame) => talk.allows(frame));
}

test('one exchange passes, in its order and only once', () => {
  assert.deepEqual(saying(OPEN, PAIR, UNPAIR, CLOSE), [true, true, true, true]);
  assert.deepEqual(saying(OPEN, PAIR, PAIR), [true, true, false]);
  assert.deepEqual(saying(UNPAIR, UNPAIR), [true, false]);
  assert.deepEqual(saying(OPEN, CLOSE, OPEN, CLOSE), [true, true, true, false]);
});

test('everything else is refused', () => {
  const cut = (frame: Buffer, bytes: number) => frame.subarray(0, frame.byteLength - bytes);
  const more = (frame: Buffer) => Buffer.concat([frame, Buffer.from([0])]);
  const longId = Buffer.concat([Buffer.from([1, 0, 0]), token, Buffer.from([0xff, 1, 2, 3, 4, 5, 6, 7, 8, 0])]);
  const bad = [
    Buffer.alloc(0),
    Buffer.from([0]),
    Buffer.from([1]),
    Buffer.from([0, 0, 1]), // a batch
    Buffer.from([0, 1, 2, 0]),
    Buffer.from([2, 0, 0]),
    Buffer.from([1, 2, 0]),
    Buffer.from([0xfd, 1, 0, 0]),
    cut(PAIR, 1),
    more(PAIR),
    cut(UNPAIR, 1),
    more(UNPAIR),
    more(CLOSE),
    longId,
    Buffer.concat([OPEN, Buffer.alloc(64)]),
    Buffer.concat([Buffer.from([1, 0, 0x81]), token, Buffer.from([5, 0])]),
  ];
  for (const frame of bad) assert.deepEqual(saying(frame), [false], frame.toString('hex'));
});

test('pair messages come back as they were, whatever the id', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.integer({ min: 0, max: 0xffff_ffff }), (isInitiator, streamId) => {
      const written = writePair({ isInitiator, token, streamId });
      assert.deepEqual(readPair(written), { isInitiator, token, streamId });
      assert.deepEqual(saying(Buffer.concat([Buffer.from([1, 0]), written])), [true]);
    }),
  );
  assert.deepEqual(readPair(PAIR.subarray(2)), { isInitiator: true, token, streamId: 5 });
});

test('20,000 random frames: what passes is one of the known forms', () => {
  const isKnown = (frame: Buffer) =>
    (frame[0] === 0 && frame[1]! >= 1 && frame[1]! <= 3 && frame.byteLength <= 64) ||
    (frame[0] === 1 && frame[1] === 0 && readPair(frame.subarray(2)) !== null) ||
    (frame[0] === 1 && frame[1] === 1 && frame.byteLength === 35);
  const frame = fc
    .tuple(fc.constantFrom(0, 1, 1, 2), fc.constantFrom(0, 1, 2, 3, 4), fc.uint8Array({ maxLength: 45 }))
    .map(([channel, type, rest]) => Buffer.concat([Buffer.from([channel, type]), rest]));
  fc.assert(
    fc.property(frame, (each) => !saying(each)[0]! || isKnown(each)),
    { numRuns: 20_000 },
  );
});
