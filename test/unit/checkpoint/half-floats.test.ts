// Half precision against numpy (F16) and torch (BF16), bit for bit, and against the runtime's own Float16Array.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from '../../../native-models/checkpoint/half-floats.ts';

const { narrowing } = JSON.parse(
  await readFile(new URL('../../golden/checkpoint/vectors.json', import.meta.url), 'utf8'),
) as {
  narrowing: { values: string; half: string; brain: string; everyHalfSha256: string };
};
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64')).buffer;
const values = new Float32Array(bytes(narrowing.values));
const everyHalf = Uint16Array.from({ length: 65_536 }, (_, i) => i);

test('F32 to F16 equals numpy on random bits, halves, ties, edges', () => {
  assert.ok(values.length > 4000);
  assert.deepEqual(float32ToFloat16(values), new Uint16Array(bytes(narrowing.half)));
});
test('F32 to BF16 equals torch', () => {
  assert.deepEqual(float32ToBfloat16(values), new Uint16Array(bytes(narrowing.brain)));
});
test('every F16 widens as in numpy, and narrows back to itself', () => {
  const wide = float16ToFloat32(everyHalf);
  const finite = wide.filter((value) => !Number.isNaN(value));
  assert.equal(createHash('sha256').update(new Uint8Array(finite.buffer)).digest('hex'), narrowing.everyHalfSha256);
  const back = float32ToFloat16(wide);
  for (let i = 0; i < 65_536; i++) {
    if (Number.isNaN(wide[i])) assert.ok((back[i]! & 0x7c00) === 0x7c00 && (back[i]! & 0x3ff) !== 0, String(i));
    else assert.equal(back[i], i);
  }
});
test('every BF16 widens and narrows back to itself; NaN stays NaN', () => {
  const wide = bfloat16ToFloat32(everyHalf);
  const back = float32ToBfloat16(wide);
  for (let i = 0; i < 65_536; i++) {
    if (Number.isNaN(wide[i])) assert.ok(Number.isNaN(bfloat16ToFloat32(back.subarray(i, i + 1))[0]));
    else assert.equal(back[i], i);
  }
});
test(
  'narrowing equals the runtime on 200,000 patterns over the whole range',
  { skip: !('Float16Array' in globalThis) && 'no Float16Array here' },
  () => {
    const Native = (globalThis as unknown as { Float16Array: { from(values: Float32Array): { buffer: ArrayBuffer } } })
      .Float16Array;
    const words = Uint32Array.from({ length: 200_000 }, (_, i) => Math.imul(i + 1, 2_654_435_761) >>> 0);
    const floats = new Float32Array(words.buffer).filter((value) => !Number.isNaN(value));
    assert.deepEqual(float32ToFloat16(floats), new Uint16Array(Native.from(floats).buffer));
  },
);
test('a view in the middle of a buffer is read from where it starts', () => {
  const whole = Float32Array.of(9, 1, 2, 9);
  assert.deepEqual([...float32ToFloat16(whole.subarray(1, 3))], [0x3c00, 0x4000]);
  assert.deepEqual([...float32ToBfloat16(whole.subarray(1, 3))], [0x3f80, 0x4000]);
});
