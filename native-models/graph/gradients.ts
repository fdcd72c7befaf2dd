/**
 * The gradient table: for each operator, the gradients of its inputs given those of its outputs, as graph code.
 * `null` means: no gradient flows there. Broadcasting is undone by `unbroadcast`. Checked one by one against PyTorch and
 * central differences in test/golden/ops.
 */
import type { GraphBuilder } from './builder.ts';
import type { NodeOf, OpName, Value } from './ops.ts';
import { broadcastAxes, sameShape, swapLastTwo } from './shape.ts';

/**
 * `dy` is the gradient of the first output; backward.ts refuses one for any other. `needs` says whether an input's gradient is
 * of use: most rules need not ask, since nodes that nobody needs are left out when the graph is lowered.
 */
type Gradient<K extends OpName> = (
  b: GraphBuilder,
  node: NodeOf<K>,
  dy: Value,
  needs: (input: Value) => boolean,
) => (Value | null)[];

/** Sums a gradient over the axes along which `x` was repeated. */
function unbroadcast(b: GraphBuilder, grad: Value, x: Value): Value {
  if (sameShape(grad.shape, x.shape)) return grad;
  const added = grad.shape.length - x.shape.length;
  const axes = broadcastAxes(x.shape, grad.shape);
  const leading = b.reduceSum(
    grad,
    axes.filter((axis) => axis < added),
  );
  return b.reduceSum(
    leading,
    axes.filter((axis) => axis >= added).map((axis) => axis - added),
    true,
  );
}

function pair(
  grads: (b: GraphBuilder, x: Value, y: Value, dy: Value) => [Value, Value],
): (b: GraphBuilder, node: { inputs: readonly Value[] }, dy: Value) => (Value | null)[] {
  return (b, node, dy) => {
    const [x, y] = [node.inputs[0]!, node.inputs[1]!];
    const [dx, dyy] = grads(b, x, y, dy);
    return [unbroadcast(b, dx, x), unbroadcast(b, dyy, y)];
  };
}

/** max and min send the gradient to the winner; a tie goes to the first input. */
function winner(firstLoses: (b: GraphBuilder, x: Value, y: Value) => Value) {
  return pair((b, x, y, dy) => {
    const loses = firstLoses(b, x, y);
    const toSecond = b.mul(dy, loses);
    return [b.sub(dy, toSecond), toSecond];
  });
}

function matmulGradient(b: GraphBuilder, node: NodeOf<'matmul'>, dy: Value): Value[] {
  const [a, w] = [node.inputs[0]!, node.inputs[1]!];
  const { transA, transB, alpha } = node.attrs;
  const shared = w.shape.length === 2 && a.shape.length > 2;
  const upright = (x: Value): Value => (transA ? b.transpose(x, swapLastTwo(x.shape.length)) : x);
  const da =
    transA && !shared
      ? b.matmul(w, dy, { transA: transB, transB: true, alpha })
      : upright(b.matmul(dy, w, { transB: !transB, alpha }));
  if (shared) {
    // One weight for all leading axes: [..,M,K] -> [rows,K], so that its gradient is one product.
    const rowsA = b.reshape(upright(a), ['rows', w.shape[transB ? 1 : 0]!]);
    const rowsDy = b.reshape(dy, ['rows', dy.shape.at(-1)!]);
    const dw = transB
      ? b.matmul(rowsDy, rowsA, { transA: true, alpha })
      : b.matmul(rowsA, rowsDy, { transA: true, alpha });
    return [da, dw];
  }
  const dw = transB
    ? b.matmul(dy, a, { transA: true, transB: transA, alpha })
    : b.matmul(a, dy, { transA: !transA, alpha });
  return [da, dw];
}

function rmsNormGradient(b: GraphBuilder, node: NodeOf<'rmsNorm'>, dy: Value): Value[] {
  const [x, weight] = [node.inputs[0]!, node.inputs[1]!];
  const inverse = node.outputs[1]!; // [..,1]
  const last = x.shape.length - 1;
  const scaled = b.mul(dy, weight);
  const dot = b.scale(b.reduceSum(b.mul(scaled, x), [last], true), 1 / (x.shape[last] as number));
  const dx = b.mul(b.sub(scaled, b.mul(x, b.mul(dot, b.mul(inverse, inverse)))), inverse);
  const dw = unbroadcast(b, b.mul(b.mul(dy, x), inverse), weight);
  return [dx, dw];
}

function softmaxGradient(b: GraphBuilder, node: NodeOf<'softmax'>, dy: Value): Value[] {
  const y = node.outputs[0]!;
  const weighted = b.mul(dy, y);
  return [b.sub(weighted, b.mul(y, b.reduceSum(weighted, [y.shape.length - 1], true)))];
}

function logSoftmaxGradient(b: GraphBuilder, node: NodeOf<'logSoftmax'>, dy: Value): Value[] {
  const y = node.outputs[0]!;
  return [b.sub(dy, b.mul(b.exp(y), b.reduceSum(dy, [y.shape.length - 1], true)))];
}

function none(op: string): () => never {
  return () => {
    throw new Error(`${op} has no gradient: put stopGradient before it`);
  };
}

/** Up to here a table's gradient is a product with one-hot rows; beyond, that would be most of a step's work. */
const ONE_HOT_DEPTH = 4096;

/** A missing row is a compile error. */
export const gradientTable: { [K in OpName]: Gradient<K> } = {
  add: pair((_b, _x, _y, dy) => [dy, dy]),
  sub: pair((b, _x, _y, dy) => [dy, b.neg(dy)]),
  mul: pair((b, x, y, dy) => [b.mul(dy, y), b.mul(dy, x)]),
  div: pair((b, x, y, dy) => [b.div(dy, y), b.neg(b.div(b.mul(dy, x), b.mul(y, y)))]),
  max: winner((b, x, y) => b.greater(y, x)),
  min: winner((b, x, y) => b.greater(x, y)),
  neg: (b, _node, dy) => [b.neg(dy)],
  exp: (b, node, dy) => [b.mul(dy, node.outputs[0]!)],
  log: (b, node, dy) => [b.div(dy, node.inputs[0]!)],
  sqrt: (b, node, dy) => [b.scale(b.div(dy, node.outputs[0]!), 0.5)],
  sigmoid: (b, node, dy) => {
    const y = node.outputs[0]!;
    return [b.mul(dy, b.mul(y, b.sub(b.scalar(1), y)))];
  },
  greater: () => [null, null],
  where: (b, node, dy) => {
    const [condition, x, y] = [node.inputs[0]!, node.inputs[1]!, node.inputs[2]!];
    const toX = b.mul(dy, condition);
    return [null, unbroadcast(b, toX, x), unbroadcast(b, b.sub(dy, toX), y)];
  },
  stopGradient: () => [null],
  after: (_b, _node, dy) => [dy, null],
  matmul: matmulGradient,
  reduceSum: (b, node, dy) => {
    const x = node.inputs[0]!;
    if (node.attrs.keepDims) return [b.expandLike(dy, x)];
    if (dy.shape.length === 0) return [b.expandLike(dy, x)];
    const kept = x.shape.map((dim, i) => (node.attrs.axes.includes(i) ? 1 : dim));
    return [b.expandLike(b.reshape(dy, kept), x)];
  },
  reshape: (b, node, dy) => [b.reshape(dy, node.inputs[0]!.shape)],
  transpose: (b, node, dy) => [
    b.transpose(
      dy,
      node.attrs.perm.map((_, axis) => node.attrs.perm.indexOf(axis)),
    ),
  ],
  expandLike: (b, node, dy) => [unbroadcast(b, dy, node.inputs[0]!), null],
  gather: (b, node, dy) => {
    const [table, ids] = [node.inputs[0]!, node.inputs[1]!];
    const [depth, width] = [table.shape[0] as number, table.shape[1]!];
    if (depth > ONE_HOT_DEPTH)
      return [b.scatterRows(b.reshape(dy, ['rows', width]), b.reshape(ids, ['rows']), depth), null];
    // One-hot product instead of scatter-add: deterministic, and it stays on the GPU. [V,rows] x [rows,D]
    const hot = b.reshape(b.oneHot(ids, depth), ['rows', depth]);
    return [b.matmul(hot, b.reshape(dy, ['rows', width]), { transA: true }), null];
  },
  scatterRows: none('scatterRows'),
  take: (b, node, dy) => {
    const [, ids, inverse] = node.inputs as [Value, Value, Value];
    const { idsInside, inverseInside } = node.attrs;
    const back = b.apply('take', { idsInside: inverseInside, inverseInside: idsInside }, [dy, inverse, ids]);
    return [back.outputs[0]!, null, null];
  },
  headLogprobs: (b, node, dy, needs) => {
    const [hidden, ids, weight] = node.inputs as [Value, Value, Value];
    const attrs = { stretch: node.attrs.stretch, forWeight: needs(weight) };
    const [toHidden, toWeight] = b.apply('headLogprobsGradient', attrs, [
      hidden,
      ids,
      weight,
      node.outputs[1]!,
      dy,
      ...node.outputs.slice(2),
    ]).outputs;
    return [toHidden!, null, attrs.forWeight ? toWeight! : null];
  },
  headLogprobsGradient: none('headLogprobsGradient'),
  oneHot: () => [null],
  selectLast: (b, node, dy) => {
    const [x, ids] = [node.inputs[0]!, node.inputs[1]!];
    const depth = x.shape.at(-1) as number;
    return [b.mul(b.oneHot(ids, depth), b.reshape(dy, [...dy.shape, 1])), null];
  },
  softmax: softmaxGradient,
  logSoftmax: logSoftmaxGradient,
  rmsNorm: rmsNormGradient,
  rotary: (b, node, dy) => {
    const [, cos, sin, positions] = node.inputs as [Value, Value, Value, Value];
    return [b.rotary(dy, cos, sin, positions, node.attrs.sign === 1 ? -1 : 1), null, null, null];
  },
  cachedAttention: none('cachedAttention'),
  quantisedMatmul: none('quantisedMatmul'),
  halfMatmul: none('halfMatmul'),
};
