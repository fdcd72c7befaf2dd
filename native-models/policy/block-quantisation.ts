/**
 * Matrices as whole numbers of 4 or 8 bits with one scale for each block of inputs, in the layout of com.microsoft MatMulNBits:
 *
 *     w[n,k] = (q[n,k] - middle) * scale[n, k / block]       middle = 8 or 128
 *
 * A row's blocks lie one after the other; of two 4-bit numbers in a byte the first is the low half; what a last block lacks is
 * filled with the middle, which stands for 0. Knows nothing of graphs or of which matrices are worth it.
 */

export type QuantisedBits = 4 | 8;

export interface MatrixSize {
  bits: QuantisedBits;
  outputs: number;
  inputs: number;
}
export interface QuantisedMatrix extends MatrixSize {
  /** [outputs, blocks, bytes of a block] */
  packed: Uint8Array;
  /** [outputs, blocks] */
  scales: Float32Array;
}

/** Inputs that share a scale. With 64 decoding is hardly faster, and a fifth farther off (SmolLM2-135M, 8 bits). */
export const BLOCK = 32;

export const blocksOf = (inputs: number): number => Math.ceil(inputs / BLOCK);
export const blockBytes = (bits: QuantisedBits): number => (BLOCK * bits) / 8;

/** What a quantised matrix takes; the numbers and the scales each fill whole floats. */
export function quantisedBytes({ outputs, inputs, bits }: MatrixSize): number {
  return outputs * blocksOf(inputs) * (blockBytes(bits) + 4);
}

/**
 * Where the number farthest from 0 lands. With 8 bits on -127 or 127; with 4 the better of two places is taken, for there each
 * is a coarse compromise between that number and the rest of its block.
 */
const PLACES: Record<QuantisedBits, readonly number[]> = { 8: [127], 4: [-8, -7] };
/** The smallest normal float: a block of zeros, or of numbers too small to be divided, is stored as zeros. */
const MIN_SCALE = 2 ** -126;

/**
 * @param weights [outputs, inputs], finite
 * @param buffer  takes packed numbers, then scales, from `offset` (a multiple of 4) on
 */
export function quantise(
  weights: Float32Array,
  { outputs, inputs, bits }: MatrixSize,
  buffer: ArrayBuffer = new ArrayBuffer(quantisedBytes({ outputs, inputs, bits })),
  offset = 0,
): QuantisedMatrix {
  if (weights.length !== outputs * inputs)
    throw new Error(`quantise: ${weights.length} weights for a matrix of ${outputs} x ${inputs}`);
  const [blocks, bytes] = [blocksOf(inputs), blockBytes(bits)];
  const packed = new Uint8Array(buffer, offset, outputs * blocks * bytes);
  const scales = new Float32Array(buffer, offset + packed.length, outputs * blocks);
  for (let row = 0; row < outputs; row++) {
    for (let b = 0; b < blocks; b++) {
      const start = row * inputs + b * BLOCK;
      const end = Math.min(start + BLOCK, (row + 1) * inputs);
      const at = row * blocks + b;
      const scale = bestScale(weights, start, end, bits);
      scales[at] = scale;
      if (bits === 8) packBytes(weights, start, end, scale, packed, at * bytes);
      else packHalves(weights, start, end, scale, packed, at * bytes);
    }
  }
  return { bits, outputs, inputs, packed, scales };
}

/** What the quantised matrix stands for, [outputs, inputs]. */
export function dequantise({ bits, outputs, inputs, packed, scales }: QuantisedMatrix): Float32Array {
  const weights = new Float32Array(outputs * inputs);
  const [blocks, bytes] = [blocksOf(inputs), blockBytes(bits)];
  const middle = 2 ** (bits - 1);
  for (let row = 0; row < outputs; row++) {
    for (let k = 0; k < inputs; k++) {
      const at = row * blocks + Math.floor(k / BLOCK);
      const inBlock = k % BLOCK;
      const byte = packed[at * bytes + (bits === 8 ? inBlock : inBlock >> 1)]!;
      const level = bits === 8 ? byte : inBlock % 2 === 0 ? byte & 15 : byte >> 4;
      weights[row * inputs + k] = (level - middle) * scales[at]!;
    }
  }
  return weights;
}

function bestScale(weights: Float32Array, start: number, end: number, bits: QuantisedBits): number {
  let farthest = 0;
  for (let i = start; i < end; i++) if (Math.abs(weights[i]!) > Math.abs(farthest)) farthest = weights[i]!;
  let best = 0;
  let least = Infinity;
  for (const place of PLACES[bits]) {
    const scale = Math.fround(farthest / place);
    if (Math.abs(scale) < MIN_SCALE) return 0;
    if (PLACES[bits].length === 1) return scale;
    const error = squaredError(weights, start, end, scale, 2 ** (bits - 1));
    if (error < least) [least, best] = [error, scale];
  }
  return best;
}

function squaredError(weights: Float32Array, start: number, end: number, scale: number, middle: number): number {
  const inverse = 1 / scale;
  let sum = 0;
  for (let i = start; i < end; i++) {
    const error = (level(weights[i]! * inverse, middle) - middle) * scale - weights[i]!;
    sum += error * error;
  }
  return sum;
}

/** 0 .. 2 middle - 1. No quotient is below -middle, so cutting off what follows the point rounds down. */
function level(quotient: number, middle: number): number {
  const rounded = (quotient + middle + 0.5) | 0;
  return rounded < 2 * middle ? rounded : 2 * middle - 1;
}

function packBytes(
  weights: Float32Array,
  start: number,
  end: number,
  scale: number,
  packed: Uint8Array,
  at: number,
): void {
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = start; i < end; i++) packed[at + i - start] = level(weights[i]! * inverse, 128);
  packed.fill(128, at + end - start, at + BLOCK);
}

function packHalves(
  weights: Float32Array,
  start: number,
  end: number,
  scale: number,
  packed: Uint8Array,
  at: number,
): void {
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < BLOCK; i += 2) {
    const low = start + i < end ? level(weights[start + i]! * inverse, 8) : 8;
    const high = start + i + 1 < end ? level(weights[start + i + 1]! * inverse, 8) : 8;
    packed[at + (i >> 1)] = low | (high << 4);
  }
}
