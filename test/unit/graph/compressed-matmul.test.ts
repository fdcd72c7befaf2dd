/** Products with compressed matrices on the real runtime against plain arithmetic on what the matrix stands for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float16ToFloat32, float32ToFloat16 } from '../../../native-models/checkpoint/half-floats.ts';
import { backward } from '../../../native-models/graph/backward.ts';
import { GraphBuilder } from '../../../native-models/graph/builder.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { ShapeError } from '../../../native-models/graph/shape.ts';
import {
  BLOCK,
  blockBytes,
  blocksOf,
  dequantise,
  quantise,
  type QuantisedBits,
} from '../../../native-models/policy/block-quantisation.ts';
import { GraphSession } from '../../../native-models/runtime/ort-session.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';

const sizes: { bits: QuantisedBits; rows: number; outputs: number; inputs: number }[] = [4, 8].flatMap((bits) =>
  [
    [1, 3, 7],
    [1, 64, 128],
    [5, 33, 100],
    [64, 48, 192],
  ].map(([rows, outputs, inputs]) => ({
    bits: bits as QuantisedBits,
    rows: rows!,
    outputs: outputs!,
    inputs: inputs!,
  })),
);

/** Inputs that 8 bits hold exactly: whole numbers, and in each block one of 127. */
function wholeInputs(rows: number, inputs: number, block: number, random: () => number): Float32Array {
  const x = Float32Array.from({ length: rows * inputs }, () => Math.round(254 * random() - 127));
  for (let row = 0; row < rows; row++) for (let k = 0; k < inputs; k += block) x[row * inputs + k] = 127;
  return x;
}

for (const { bits, rows, outputs, inputs } of sizes) {
  test(`${bits} bits, [${rows},${inputs}] x [${inputs},${outputs}]`, async () => {
    const random = randomStream(bits, rows, outputs);
    const weights = Float32Array.from({ length: outputs * inputs }, () => random() - 0.5);
    const matrix = quantise(weights, { bits, outputs, inputs });
    const b = new GraphBuilder();
    const [packed, scales] = [
      b.constantBeside('w.packed', matrix.packed, [outputs, blocksOf(inputs), blockBytes(bits)]),
      b.constantBeside('w.scales', matrix.scales, [outputs * blocksOf(inputs)]),
    ];
    const attributes = { bits, block: BLOCK, inputs: 'rounded' } as const;
    b.output('y', b.quantisedMatmul(b.input('x', 'float32', ['R', inputs]), packed, scales, attributes));
    const model = lowerGraph(b, 'cpu');
    assert.ok(model.length < 1000, 'the matrix is not in the model');
    const options = { provider: 'cpu', threads: 1, shapesRepeat: false, beside: b.constantsBeside() } as const;
    const session = await GraphSession.open(model, options);
    try {
      const whole = wholeInputs(rows, inputs, BLOCK, random);
      const exact = await relativeError(session, whole, rows, dequantise(matrix));
      assert.ok(exact < 1e-6, `whole inputs: ${exact}`);
      const any = Float32Array.from({ length: rows * inputs }, () => 2 * random() - 1);
      const rounded = await relativeError(session, any, rows, dequantise(matrix));
      assert.ok(rounded < 0.01, `inputs rounded to 8 bits: ${rounded}`);
    } finally {
      await session.close();
    }
  });
}

test('half precision', async () => {
  const [rows, inputs, outputs] = [3, 50, 20];
  const random = randomStream(16);
  const half = float32ToFloat16(Float32Array.from({ length: inputs * outputs }, () => random() - 0.5));
  const b = new GraphBuilder();
  const matrix = b.constantBeside('w', half, [inputs, outputs]);
  b.output('y', b.halfMatmul(b.input('x', 'float32', ['R', inputs]), matrix));
  const beside = b.constantsBeside();
  const session = await GraphSession.open(lowerGraph(b, 'cpu'), {
    provider: 'cpu',
    threads: 1,
    shapesRepeat: false,
    beside,
  });
  try {
    const widened = float16ToFloat32(half);
    const rowsOfOutputs = Float32Array.from(
      widened,
      (_, i) => widened[(i % inputs) * outputs + Math.floor(i / inputs)]!,
    );
    const x = Float32Array.from({ length: rows * inputs }, () => 2 * random() - 1);
    const error = await relativeError(session, x, rows, rowsOfOutputs);
    assert.ok(error < 1e-3, `${error}`);
  } finally {
    await session.close();
  }
});

/** Of x W^T, against the sum of the sizes of what is added up. */
async function relativeError(
  session: GraphSession,
  x: Float32Array,
  rows: number,
  weights: Float32Array,
): Promise<number> {
  const inputs = x.length / rows;
  const outputs = weights.length / inputs;
  const y = (await session.run({ x: { data: x, dims: [rows, inputs] } })).y!.data as Float32Array;
  let worst = 0;
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < outputs; n++) {
      let [sum, size] = [0, 0];
      for (let k = 0; k < inputs; k++) {
        const term = x[row * inputs + k]! * weights[n * inputs + k]!;
        sum += term;
        size += Math.abs(term);
      }
      worst = Math.max(worst, Math.abs(y[row * outputs + n]! - sum) / (size + 1e-12));
    }
  }
  return worst;
}

test('shapes that do not match are refused when the graph is built, and there is no gradient', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['R', 100]);
  const packed = b.constantBeside('p', new Uint8Array(2 * 2 * 64), [2, 2, 64]);
  const scales = b.constantBeside('s', new Float32Array(4), [4]);
  const attributes = { bits: 8, block: 64, inputs: 'rounded' } as const;
  assert.throws(() => b.quantisedMatmul(x, packed, scales, { bits: 4, block: 64, inputs: 'rounded' }), ShapeError);
  assert.throws(() => b.quantisedMatmul(b.input('z', 'float32', ['R', 200]), packed, scales, attributes), ShapeError);
  const few = b.constantBeside('few', new Float32Array(3), [3]);
  assert.throws(() => b.quantisedMatmul(x, packed, few, attributes), ShapeError);
  assert.throws(() => b.constantBeside('short', new Float32Array(3), [4]), ShapeError);
  const loss = b.reduceSum(b.quantisedMatmul(x, packed, scales, attributes));
  assert.throws(() => backward(b, loss, [x]), /quantisedMatmul/);
});
