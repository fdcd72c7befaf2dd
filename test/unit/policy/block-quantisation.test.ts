/** Whole-number matrices: the layout bit by bit against a plain reading of it, and how far the numbers may be off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BLOCK,
  dequantise,
  quantise,
  quantisedBytes,
  type QuantisedBits,
  type QuantisedMatrix,
} from '../../../native-models/policy/block-quantisation.ts';

const bitCounts: readonly QuantisedBits[] = [4, 8];

/** Reads a number out of the packed bits as the operator's description has it, one bit at a time. */
function readNumber({ bits, inputs, packed, scales }: QuantisedMatrix, row: number, k: number): number {
  const blocks = Math.ceil(inputs / BLOCK);
  const firstBit = ((row * blocks + Math.floor(k / BLOCK)) * BLOCK + (k % BLOCK)) * bits;
  let level = 0;
  for (let i = 0; i < bits; i++) {
    const bit = firstBit + i;
    level += ((packed[Math.floor(bit / 8)]! >> (bit % 8)) & 1) * 2 ** i;
  }
  return (level - 2 ** bits / 2) * scales[row * blocks + Math.floor(k / BLOCK)]!;
}

const matrices = fc
  .record({
    bits: fc.constantFrom(...bitCounts),
    outputs: fc.integer({ min: 1, max: 5 }),
    inputs: fc.integer({ min: 1, max: 150 }),
  })
  .chain((size) =>
    fc.record({
      size: fc.constant(size),
      weights: fc
        .array(fc.oneof(fc.float({ min: -3, max: 3, noNaN: true }), fc.constant(0)), {
          minLength: size.outputs * size.inputs,
          maxLength: size.outputs * size.inputs,
        })
        .map((values) => Float32Array.from(values)),
    }),
  );

/** Blocks whose step would be no ordinary number any more are stored as zeros. */
const SMALLEST = 1e-35;

test('every number reads back as its level times the scale, and is near what was stored', () => {
  fc.assert(
    fc.property(matrices, ({ size, weights }) => {
      const matrix = quantise(weights, size);
      const read = dequantise(matrix);
      const { bits, outputs, inputs } = size;
      assert.equal(matrix.packed.byteLength + matrix.scales.byteLength, quantisedBytes(size));
      for (let row = 0; row < outputs; row++) {
        for (let k = 0; k < inputs; k++) {
          const at = row * inputs + k;
          assert.equal(read[at], Math.fround(readNumber(matrix, row, k)));
          const start = Math.floor(k / BLOCK) * BLOCK;
          const block = weights.subarray(row * inputs + start, row * inputs + Math.min(start + BLOCK, inputs));
          const largest = block.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
          // Half a step; a number on the far side of the shorter half of the range is cut to it.
          const bound = bits === 8 ? largest / 127 / 2 : largest / 7;
          assert.ok(Math.abs(read[at] - weights[at]!) <= bound * 1.0001 + SMALLEST, `${read[at]} for ${weights[at]}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a block of whole steps is stored exactly', () => {
  const eight = Float32Array.from({ length: 32 }, (_, i) => (i * 8 - 126) * 0.5);
  eight[31] = 63.5; // 127 steps: the farthest from 0 sets the step
  assert.deepEqual(dequantise(quantise(eight, { bits: 8, outputs: 1, inputs: 32 })), eight);
  const four = Float32Array.from({ length: 32 }, (_, i) => ((i % 16) - 8) * -0.25);
  assert.deepEqual(dequantise(quantise(four, { bits: 4, outputs: 1, inputs: 32 })), four);
});

test('the first of two 4-bit numbers is the low half, and a short block is filled with what stands for 0', () => {
  const { packed, scales } = quantise(Float32Array.of(-8, 7, 0), { bits: 4, outputs: 1, inputs: 3 });
  assert.deepEqual([...packed.subarray(0, 3)], [0xf0, 0x88, 0x88]);
  assert.equal(packed.length, 16);
  assert.deepEqual([...scales], [1]);
});

test('zeros, and numbers too small to be divided, become zeros', () => {
  for (const bits of bitCounts) {
    for (const value of [0, -0, 1e-45, -1e-39]) {
      const read = dequantise(quantise(new Float32Array(70).fill(value), { bits, outputs: 2, inputs: 35 }));
      assert.ok(
        read.every((x) => x === 0),
        `${bits} bits of ${value}`,
      );
    }
    const large = dequantise(quantise(new Float32Array(4).fill(3.4e38), { bits, outputs: 1, inputs: 4 }));
    assert.ok(
      large.every((x) => Math.abs(x / 3.4e38 - 1) < 1e-6),
      `${bits} bits of the largest numbers`,
    );
  }
});

test('weights that are no such matrix are refused', () => {
  assert.throws(
    () => quantise(new Float32Array(5), { bits: 8, outputs: 2, inputs: 3 }),
    /5 weights for a matrix of 2 x 3/,
  );
});
