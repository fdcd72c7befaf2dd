/**
 * Every operator's forward result and gradient, on the real runtime under both lowerings, against PyTorch (float64) and
 * against central differences of its own forward result.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { backward } from '../../../native-models/graph/backward.ts';
import { inferTable, type OpName } from '../../../native-models/graph/ops.ts';
import type { TensorView } from '../../../native-models/runtime/ort-session.ts';
import { lowerings, openGraph, relativeError, runGraph } from './run-graph.ts';
import { buildCase, feedsOf, opCases, toView, type OpCase } from './vectors.ts';

const tolerance = 3e-6;
const differenceTolerance = 5e-3;
const withoutGradient = new Set<OpName>([
  'greater',
  'stopGradient',
  'oneHot',
  'cachedAttention',
  'scatterRows',
  'headLogprobsGradient',
]);
/** Their matrices are constants: test/unit/graph/compressed-matmul.test.ts. */
const testedElsewhere = new Set<OpName>(['quantisedMatmul', 'halfMatmul']);
const reached = new Map<string, number>();

for (const op of Object.keys(inferTable) as OpName[]) {
  if (testedElsewhere.has(op)) continue;
  const rows = opCases.filter((row) => row.op === op);
  test(`${op}: ${rows.length} vectors`, async () => {
    assert.ok(rows.length >= 3, `make.py has too few vectors for ${op}`);
    if (!withoutGradient.has(op))
      assert.ok(
        rows.some((row) => row.grads?.some(Boolean)),
        `no gradient vector for ${op}`,
      );
    for (const row of rows) {
      for (const lowering of lowerings) await checkCase(row, lowering);
    }
  });
}

test('gradients agree with central differences', async () => {
  for (const op of Object.keys(inferTable) as OpName[]) {
    if (withoutGradient.has(op) || testedElsewhere.has(op)) continue;
    const rows = opCases.filter((row) => row.op === op && row.grads && !/large|-1e9|small/.test(row.name));
    for (const row of rows) await checkDifferences(row);
  }
});

after(() => {
  for (const [name, error] of [...reached].sort())
    console.log(`${name}: largest relative error ${error.toExponential(1)}`);
});

async function checkCase(row: OpCase, lowering: (typeof lowerings)[number]): Promise<void> {
  const { graph, inputs, node, feeds } = buildCase(row);
  node.outputs.forEach((value, i) => graph.output(`y${i}`, value));
  const differentiated = inputs.filter((_, i) => row.grads?.[i]);
  if (row.seed) {
    const seed = graph.input('seed', 'float32', node.outputs[0]!.shape);
    const loss = graph.reduceSum(graph.mul(node.outputs[0]!, seed));
    backward(graph, loss, differentiated).forEach((grad, i) => graph.output(`d${differentiated[i]!.name}`, grad));
    feeds.seed = toView(row.seed);
  }
  const results = await runGraph(graph, lowering, feeds);
  const compare = (what: string, actual: TensorView | undefined, expected: TensorView): void => {
    const label = `${row.op} (${row.name}), ${lowering} lowering: ${what}`;
    assert.ok(actual, label);
    assert.deepEqual([...actual.dims], [...expected.dims], `${label}: shape`);
    const [a, b] =
      row.op === 'cachedAttention' ? definedPart(row, what, actual, expected) : [actual.data, expected.data];
    const error = relativeError(a as ArrayLike<number>, b as ArrayLike<number>);
    const family = `${row.op} ${what.startsWith('d') ? 'gradient' : 'forward'} (${lowering})`;
    reached.set(family, Math.max(reached.get(family) ?? 0, error));
    assert.ok(error <= tolerance, `${label}: relative error ${error}`);
  };
  row.outputs.forEach((expected, i) => compare(`y${i}`, results[`y${i}`], toView(expected)));
  row.grads?.forEach((expected, i) => expected && compare(`dx${i}`, results[`dx${i}`], toView(expected)));
}

/** The values a cached attention defines: outputs of real tokens, cache entries up to the row's length. */
function definedPart(row: OpCase, what: string, actual: TensorView, expected: TensorView): [number[], number[]] {
  const lengths = row.inputs[5]!.values.map((last) => last + 1);
  const [a, b]: [number[], number[]] = [[], []];
  const fresh = row.inputs[0]!.shape[1]!;
  const [axis, inner] = what === 'y0' ? [1, expected.dims[2]!] : [2, expected.dims[3]!];
  const size = expected.dims[axis]!;
  for (let i = 0; i < expected.data.length; i++) {
    const r = Math.floor(i / (expected.data.length / lengths.length));
    const position = Math.floor(i / inner) % size;
    const defined = what === 'y0' ? (fresh === 1 ? 1 : lengths[r]!) : lengths[r]!;
    if (position >= defined) continue;
    a.push(Number(actual.data[i]));
    b.push(Number(expected.data[i]));
  }
  return [a, b];
}

/** Moves each element of each differentiated input (at most 12 of each) by +-h and compares with PyTorch's gradient, which ours equals. */
async function checkDifferences(row: OpCase): Promise<void> {
  const { graph, inputs, node } = buildCase(row);
  const loss = (y: TensorView): number => row.seed!.values.reduce((sum, s, i) => sum + s * Number(y.data[i]), 0);
  graph.output('y', node.outputs[0]!);
  const session = await openGraph(graph, 'cpu');
  try {
    for (const [at, grad] of row.grads!.entries()) {
      if (!grad) continue;
      const scale = Math.max(1e-3, ...grad.values.map(Math.abs));
      for (let i = 0; i < grad.values.length; i += Math.max(1, Math.floor(grad.values.length / 12))) {
        const h = 2 ** -8;
        const [up, down] = [0, 0].map((_, side) =>
          row.inputs.map(toView).map((view, k) => (k === at ? moved(view, i, side ? -h : h) : view)),
        );
        const difference =
          loss((await session.run(feedsOf(inputs, up!))).y!) - loss((await session.run(feedsOf(inputs, down!))).y!);
        const error = Math.abs(difference / (2 * h) - grad.values[i]!) / scale;
        assert.ok(error <= differenceTolerance, `${row.op} (${row.name}): input ${at}, element ${i}: off by ${error}`);
      }
    }
  } finally {
    await session.close();
  }
}

function moved(view: TensorView, index: number, by: number): TensorView {
  const data = Float32Array.from(view.data as Float32Array);
  data[index]! += by;
  return { data, dims: view.dims };
}
