/** The walk over a graph's values against sums made by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphBuilder } from '../../../native-models/graph/builder.ts';
import { graphPeakBytes } from '../../../native-models/runtime/graph-memory.ts';

/** Of a [B,8] value with B = 4. */
const one = 4 * 8 * 4;
const sizes = { B: 4 };

test('a chain holds two values at a time, however long it is', () => {
  for (const length of [2, 3, 10]) {
    const b = new GraphBuilder();
    let x = b.input('x', 'float32', ['B', 8]);
    for (let i = 0; i < length; i++) x = b.exp(x);
    b.output('sum', b.reduceSum(x));
    assert.equal(graphPeakBytes(b, sizes), 2 * one, String(length));
  }
});

test('a value is held until its last reader', () => {
  const b = new GraphBuilder();
  const first = b.exp(b.input('x', 'float32', ['B', 8]));
  const later = b.exp(b.exp(b.exp(first)));
  b.output('sum', b.reduceSum(b.add(first, later)));
  assert.equal(graphPeakBytes(b, sizes), 3 * one);
});

test('inputs, outputs, constants and views cost nothing; what nobody needs is not made', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['B', 8]);
  b.output('y', b.exp(x));
  assert.equal(graphPeakBytes(b, sizes), 0);
  b.log(b.log(x));
  assert.equal(graphPeakBytes(b, sizes), 0);
  const view = b.reshape(b.exp(x), ['all']);
  b.output('z', b.reduceSum(b.reshape(view, ['B', 8])));
  assert.equal(graphPeakBytes(b, { ...sizes, all: 32 }), one);
});

test('a result with two readers in different places is freed once', () => {
  const b = new GraphBuilder();
  const x = b.exp(b.input('x', 'float32', ['B', 8]));
  b.output('sum', b.reduceSum(b.mul(x, x)));
  assert.equal(graphPeakBytes(b, sizes), 2 * one);
});

test('the head of a large vocabulary is counted a stretch at a time', () => {
  const b = new GraphBuilder();
  const hidden = b.exp(b.input('hidden', 'float32', ['M', 8]));
  const logprobs = b.headLogprobs(hidden, b.input('ids', 'int32', ['M']), b.input('weight', 'float32', [100_000, 8]));
  b.output('sum', b.reduceSum(logprobs));
  const peak = graphPeakBytes(b, { M: 10 });
  assert.ok(peak > 10 * 1000 * 4 && peak < 10 * 100_000 * 4, String(peak));
});

test('a dimension without a size is a bug and says which', () => {
  const b = new GraphBuilder();
  b.output('sum', b.reduceSum(b.exp(b.input('x', 'float32', ['B', 'T']))));
  assert.throws(() => graphPeakBytes(b, sizes), /dimension T/);
});
