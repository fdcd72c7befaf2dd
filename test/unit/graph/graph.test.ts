import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backward } from '../../../native-models/graph/backward.ts';
import { GraphBuilder } from '../../../native-models/graph/builder.ts';
import { gradientTable } from '../../../native-models/graph/gradients.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { inferTable, type OpName, type Value } from '../../../native-models/graph/ops.ts';
import { printGraph } from '../../../native-models/graph/print.ts';
import { ShapeError, type Shape } from '../../../native-models/graph/shape.ts';
import { lowerings, runGraph } from '../../golden/ops/run-graph.ts';

type Build = (b: GraphBuilder, f: (...shape: Shape) => Value, i: (...shape: Shape) => Value) => unknown;

const cachedInputs = (f: (...shape: Shape) => Value, i: (...shape: Shape) => Value, q: Shape, past: Shape): Value[] => [
  f(...q),
  f('B', 'S', 16),
  f('B', 'S', 16),
  f(...past),
  f(...past),
  i('B'),
  i(1),
  f('P', 8),
  f('P', 8),
];

const bytes = (b: GraphBuilder, ...shape: number[]): Value =>
  b.constantBeside('bytes', new Uint8Array(shape.reduce((product, size) => product * size, 1)), shape);

/** Wrong shapes or types of every operator, with a part of the message. */
const wrong: Record<OpName, [build: Build, message: RegExp][]> = {
  add: [
    [(b, f) => b.add(f(2, 3), f(2)), /add: shapes do not broadcast \(\[2,3\], \[2\]\)/],
    [(b, f) => b.add(f('B', 3), f('T', 3)), /do not broadcast/],
    [(b, f, i) => b.add(f(2), i(2)), /input 1 must be float32, is int32/],
  ],
  sub: [[(b, f) => b.sub(f(2), f(3)), /broadcast/]],
  mul: [[(b, f) => b.mul(f(2), f(3)), /broadcast/]],
  div: [[(b, f) => b.div(f(2), f(3)), /broadcast/]],
  max: [[(b, f) => b.max(f(2), f(3)), /broadcast/]],
  min: [[(b, f) => b.min(f(2), f(3)), /broadcast/]],
  neg: [[(b, _f, i) => b.neg(i(2)), /float32/]],
  exp: [[(b, _f, i) => b.exp(i(2)), /float32/]],
  log: [[(b, _f, i) => b.log(i(2)), /float32/]],
  sqrt: [[(b, _f, i) => b.sqrt(i(2)), /float32/]],
  sigmoid: [[(b, _f, i) => b.sigmoid(i(2)), /float32/]],
  greater: [[(b, f) => b.greater(f(2), f(3)), /broadcast/]],
  where: [
    [(b, f) => b.where(f(2), f(2), f(3)), /broadcast/],
    [(b, f) => b.where(f(3), f(2), f(2)), /broadcast/],
  ],
  stopGradient: [[(b, _f, i) => b.stopGradient(i(2)), /float32/]],
  after: [
    [(b, f, i) => b.after(i(2), f(2)), /input 0 must be float32/],
    [(b, f, i) => b.after(f(2), i(2)), /input 1 must be float32/],
  ],
  matmul: [
    [(b, f) => b.matmul(f(2, 3), f(4, 3)), /inner sizes 3 and 4 differ/],
    [(b, f) => b.matmul(f(2, 3), f(3, 4), { transB: true }), /inner sizes/],
    [(b, f) => b.matmul(f(3), f(3, 4)), /two or more axes/],
    [(b, f) => b.matmul(f(2, 3, 4), f(3, 4, 5)), /leading axes differ/],
    [(b, f) => b.matmul(f(3, 4), f(2, 4, 5)), /leading axes differ/],
  ],
  quantisedMatmul: [
    [
      (b, f) => b.quantisedMatmul(f(2, 8), f(3, 1, 8), f(3), { bits: 8, block: 8, inputs: 'exact' }),
      /input 1 must be uint8/,
    ],
    [
      (b, f) => b.quantisedMatmul(f(2, 9), bytes(b, 3, 1, 8), f(3), { bits: 8, block: 8, inputs: 'exact' }),
      /blocks of 8 with 8 bits/,
    ],
    [
      (b, f) => b.quantisedMatmul(f(2, 8), bytes(b, 3, 1, 8), f(2), { bits: 8, block: 8, inputs: 'exact' }),
      /a scale for each block/,
    ],
  ],
  halfMatmul: [
    [(b, f) => b.halfMatmul(f(2, 8), f(8, 3)), /input 1 must be float16/],
    [(b, f) => b.halfMatmul(f(2, 9), b.constantBeside('half', new Uint16Array(24), [8, 3])), /\[..,K\] and a matrix/],
  ],
  reduceSum: [[(b, f) => b.reduceSum(f(2), [1]), /no axis 1/]],
  reshape: [
    [(b, f) => b.reshape(f(2, 3), [4]), /number of elements differs/],
    [(b, f) => b.reshape(f('B', 4), ['X', 'Y']), /more than one size to infer/],
  ],
  transpose: [
    [(b, f) => b.transpose(f(2, 3), [0, 0]), /no permutation/],
    [(b, f) => b.transpose(f(2, 3), [0]), /no permutation/],
  ],
  expandLike: [
    [(b, f) => b.expandLike(f(2, 3), f(3)), /target is smaller/],
    [(b, f) => b.expandLike(f(2), f(3)), /broadcast/],
  ],
  gather: [
    [(b, f, i) => b.gather(f(5), i(2)), /table must be \[V,D\]/],
    [(b, f) => b.gather(f(5, 2), f(2)), /must be int32/],
  ],
  scatterRows: [[(b, f) => b.scatterRows(f('N', 4), f('N'), 3), /must be int32/]],
  take: [
    [(b, f, i) => b.take(f('N', 3), i('B', 'T'), i('B'), { outside: 'zero' }), /inverse must be as x's leading axes/],
    [(b, f, i) => b.take(f('N', 3), f('B'), i('N'), { outside: 'zero' }), /must be int32/],
  ],
  headLogprobs: [
    [(b, f, i) => b.headLogprobs(f('M', 4), i('M'), f(9, 5)), /needs hidden \[M,D\]/],
    [(b, f, i) => b.headLogprobs(f('M', 4), i('N'), f(9, 4)), /needs hidden \[M,D\]/],
  ],
  headLogprobsGradient: [
    [
      (b, f, i) =>
        b.apply('headLogprobsGradient', { stretch: 4, forWeight: false }, [f('M', 4), i('M'), f(9), f('M'), f('M')]),
      /needs hidden \[M,D\]/,
    ],
  ],
  oneHot: [[(b, f) => b.oneHot(f(2), 3), /must be int32/]],
  selectLast: [[(b, f, i) => b.selectLast(f(2, 3, 4), i(2)), /ids do not match/]],
  softmax: [[(b, _f, i) => b.softmax(i(2)), /float32/]],
  logSoftmax: [[(b, _f, i) => b.logSoftmax(i(2)), /float32/]],
  rmsNorm: [[(b, f) => b.rmsNorm(f(2, 8), f(4), 1e-5), /weight must be \[D\]/]],
  rotary: [
    [(b, f, i) => b.rotary(f('B', 2, 'T', 8), f('P', 4), f('P', 4), i('B', 'T')), /must be int64/],
    [(b, f) => b.rotary(f('B', 'T', 8), f('P', 4), f('P', 4), b.input('p', 'int64', ['B', 'T'])), /\[B,H,T,Dh\]/],
  ],
  cachedAttention: [
    [
      (b, f, i) =>
        b.cachedAttention(cachedInputs(f, i, ['B', 'S', 32], ['B', 2, 'C', 16]), { heads: 2, kvHeads: 1, scale: 1 }),
      /heads/,
    ],
    [
      (b, f, i) =>
        b.cachedAttention(cachedInputs(f, i, ['B', 'S', 48], ['B', 1, 'C', 16]), { heads: 2, kvHeads: 1, scale: 1 }),
      /heads/,
    ],
  ],
};

for (const op of Object.keys(inferTable) as OpName[]) {
  test(`${op} refuses wrong inputs while the graph is built`, () => {
    for (const [build, message] of wrong[op]) {
      const b = new GraphBuilder();
      let next = 0;
      const make =
        (dtype: 'float32' | 'int32') =>
        (...shape: Shape) =>
          b.input(`x${next++}`, dtype, shape);
      assert.throws(
        () => build(b, make('float32'), make('int32')),
        (error) => error instanceof ShapeError && message.test(error.message),
        String(message),
      );
    }
  });
}

test('the tables have the same operators', () => {
  assert.deepEqual(Object.keys(gradientTable).sort(), Object.keys(inferTable).sort());
});

test('names are unique and constants must have as many elements as their shape', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2]);
  assert.throws(() => b.input('x', 'float32', [2]), ShapeError);
  assert.throws(() => b.constant('c', new Float32Array(3), [2]), /3 elements given/);
  b.output('y', b.neg(x));
  assert.throws(() => b.output('y', x), /taken/);
});

test('printGraph shows what is computed and leaves out what nobody needs', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['B', 3]);
  const y = b.mul(x, x);
  b.exp(y);
  b.output('sum', b.reduceSum(y, [1]));
  assert.equal(
    printGraph(b),
    [
      'input x [B,3] float32',
      'mul_1 [B,3] float32 = mul(x, x)',
      'reduceSum_3 [B] float32 = reduceSum(mul_1) {"axes":[1],"keepDims":false}',
      'outputs sum = reduceSum_3',
    ].join('\n'),
  );
});

test('backward refuses what it cannot differentiate', () => {
  const b = new GraphBuilder();
  const [x, w] = [b.input('x', 'float32', [2, 4]), b.input('w', 'float32', [4])];
  assert.throws(() => backward(b, x, [x]), /loss must be a scalar, it is \[2,4\]/);
  assert.throws(() => backward(b, b.reduceSum(x), [w]), /does not depend on w/);
  assert.throws(() => backward(b, b.reduceSum(b.stopGradient(w)), [w]), /does not depend on w/);
  assert.throws(() => backward(b, b.reduceSum(b.greater(x, w)), [w]), /does not depend on w/);
  const inverse = b.apply('rmsNorm', { epsilon: 1e-5 }, [x, w]).outputs[1]!;
  assert.throws(() => backward(b, b.reduceSum(inverse), [w]), /only the first output of rmsNorm/);
  const rows = b.reshape(b.input('n', 'float32', ['B', 'T', 4]), ['rows', 4]);
  assert.throws(() => backward(b, b.reduceSum(rows), [rows.node!.inputs[0]!]), /more than one size to infer/);
  const cached = cachedInputs(
    (...shape) => b.input(`f${b.inputs.length}`, 'float32', shape),
    (...shape) => b.input(`i${b.inputs.length}`, 'int32', shape),
    ['B', 'S', 16],
    ['B', 1, 'C', 16],
  );
  const [out] = b.cachedAttention(cached, { heads: 1, kvHeads: 1, scale: 1 });
  assert.throws(() => backward(b, b.reduceSum(out!), [cached[0]!]), /cachedAttention has no gradient/);
});

test('a value used twice gets the sum of its gradients; a tie of max goes to the first input', async () => {
  const b = new GraphBuilder();
  const [x, y] = [b.input('x', 'float32', [2]), b.input('y', 'float32', [2])];
  const loss = b.reduceSum(b.add(b.mul(x, x), b.max(x, y)));
  backward(b, loss, [x, y]).forEach((grad, i) => b.output(`g${i}`, grad));
  for (const lowering of lowerings) {
    const { g0, g1 } = await runGraph(b, lowering, {
      x: { data: Float32Array.of(3, 5), dims: [2] },
      y: { data: Float32Array.of(3, 6), dims: [2] },
    });
    assert.deepEqual([...g0!.data], [7, 10]);
    assert.deepEqual([...g1!.data], [0, 1]);
  }
});

test('the runtime accepts every kind of output: an input, a constant, one value twice, names like those lowering makes', async () => {
  const b = new GraphBuilder();
  const x = b.input('t0', 'float32', ['B', 2]);
  const c = b.constant('i64_0', BigInt64Array.of(7n, -8n), [2]);
  const y = b.matmul(x, b.constant('c', Float32Array.of(1, 2, 3, 4), [2, 2]), { transB: true, alpha: 0.5 });
  b.output('same', x);
  b.output('stored', c);
  b.output('y', y);
  b.output('again', y);
  b.output('sum', b.reduceSum(y, [1]));
  for (const lowering of lowerings) {
    const model = lowerGraph(b, lowering);
    assert.ok(model.length > 100 && model.length < 2000);
    const results = await runGraph(b, lowering, { t0: { data: Float32Array.of(1, -1), dims: [1, 2] } });
    assert.deepEqual([...results.same!.data], [1, -1]);
    assert.deepEqual([...results.stored!.data], [7n, -8n]);
    assert.deepEqual([...results.y!.data], [-0.5, -0.5]);
    assert.deepEqual([...results.again!.data], [-0.5, -0.5]);
    assert.deepEqual([...results.sum!.data], [-1]);
  }
});
