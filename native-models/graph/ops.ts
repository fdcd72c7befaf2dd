/**
 * The table of operators: attributes and the rule from input shapes to output shapes. Everything the policy, the
 * objectives and their gradients are made of. Knows nothing of ONNX (lower.ts) nor of gradients (gradients.ts).
 */
import { broadcastShapes, elementCount, formatShape, ShapeError, type Dim, type DType, type Shape } from './shape.ts';

type NoAttrs = Record<string, never>;

/** Attributes by operator. The keys are the list of all operators. */
export interface OpAttrs {
  add: NoAttrs;
  sub: NoAttrs;
  mul: NoAttrs;
  div: NoAttrs;
  max: NoAttrs;
  min: NoAttrs;
  neg: NoAttrs;
  exp: NoAttrs;
  log: NoAttrs;
  sqrt: NoAttrs;
  sigmoid: NoAttrs;
  /** 1 where a > b, else 0, as float32. No gradient. */
  greater: NoAttrs;
  /** cond (float 0 or 1), a, b -> cond ? a : b. No gradient to cond. */
  where: NoAttrs;
  /** Identity whose gradient is 0. */
  stopGradient: NoAttrs;
  /** x once the second input has been computed: a provider can neither run it before, nor take it for x itself. */
  after: NoAttrs;
  /** a [..,M,K] x b [..,K,N], each transposed in its last two axes on demand, times alpha. b may be 2-D for any a. */
  matmul: { transA: boolean; transB: boolean; alpha: number };
  /**
   * x [..,K] times the transpose of a matrix [N,K] stored as `bits`-bit numbers (com.microsoft MatMulNBits): packed uint8
   * [N,ceil(K/block),block*bits/8], scales [N*ceil(K/block)] -> [..,N]. `rounded`: a provider may round x too, to 8 bits a block. No gradient.
   */
  quantisedMatmul: { bits: 4 | 8; block: number; inputs: 'rounded' | 'exact' };
  /** x [..,K] times a float16 matrix [K,N], in half precision -> float32 [..,N]. No gradient. */
  halfMatmul: NoAttrs;
  reduceSum: { axes: readonly number[]; keepDims: boolean };
  /** At most one dimension may be neither a number nor the same name at the same place in the input. */
  reshape: { shape: Shape };
  transpose: { perm: readonly number[] };
  /** Repeats x to the shape of the second input; the second input's values are not read. */
  expandLike: NoAttrs;
  /** table [V,D], ids int32 [..] -> [..,D] */
  gather: NoAttrs;
  /** rows [R,D], ids int32 [R] -> [depth,D]: each row added at its id's place, zeros elsewhere. No gradient. */
  scatterRows: { depth: number };
  /**
   * x [rows..,..], ids int32 [ids..], inverse int32 [rows..] -> [ids..,..]: rows of x by their number, counted through all its
   * leading axes; the count of rows gives zeros. `inverse` says where each row went, the count of ids for nowhere: no row may go
   * to two places. `idsInside`, `inverseInside`: no number is out of range.
   */
  take: { idsInside: boolean; inverseInside: boolean };
  /**
   * hidden [M,D], ids int32 [M], weight [V,D] -> log softmax(hidden weight^T)[ids] [M], log-sum-exp of the logits [M].
   * `stretch` tokens of the vocabulary at a time: no [M,V] is ever held, unless they are `kept` for the gradient, which then need
   * not multiply again: further outputs, [M,stretch] each.
   */
  headLogprobs: { stretch: number; kept?: boolean };
  /**
   * hidden, ids, weight, log-sum-exp [M], dy [M], logits where they were kept -> gradient of hidden [M,D], of weight [V,D] (a
   * scalar 0 unless `forWeight`).
   */
  headLogprobsGradient: { stretch: number; forWeight: boolean };
  /** ids int32 [..] -> float32 [..,depth] */
  oneHot: { depth: number };
  /** x [..,V], ids int32 [..] -> [..]: one value of the last axis. */
  selectLast: NoAttrs;
  /** Over the last axis. */
  softmax: NoAttrs;
  /** Over the last axis. */
  logSoftmax: NoAttrs;
  /** x [..,D], weight [D] -> y [..,D] = x * inverseRms * weight, inverseRms [..,1]. */
  rmsNorm: { epsilon: number };
  /** x [B,H,T,Dh], cos [P,Dh/2], sin [P,Dh/2], positions int64 [B,T]: rotates pairs (i, i + Dh/2), Hugging Face layout. */
  rotary: { sign: 1 | -1 };
  /**
   * Attention over a key/value cache, causal, rotary applied inside (com.microsoft GroupQueryAttention):
   * q [B,S,H*Dh], k, v [B,S,Hkv*Dh], pastKey, pastValue [B,Hkv,C,Dh], lastIndex int32 [B] (tokens in the row - 1), longest int32 [1],
   * cos, sin [P,Dh/2] -> out [B,S,H*Dh], presentKey, presentValue [B,Hkv,C,Dh]. No gradient.
   */
  cachedAttention: { heads: number; kvHeads: number; scale: number };
}
export type OpName = keyof OpAttrs;

export interface Value {
  readonly id: number;
  /** Unique within the graph; inputs and outputs keep theirs in the ONNX model. */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Null for inputs and constants. */
  readonly node: Node | null;
}

export type Node = { [K in OpName]: NodeOf<K> }[OpName];
export interface NodeOf<K extends OpName> {
  readonly op: K;
  readonly attrs: OpAttrs[K];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

export interface ValueType {
  dtype: DType;
  shape: Shape;
}
type Infer<K extends OpName> = (inputs: readonly Value[], attrs: OpAttrs[K]) => ValueType[];

function input(op: string, inputs: readonly Value[], index: number, dtype: DType): Value {
  const value = inputs[index];
  if (!value)
    throw new ShapeError(
      op,
      `input ${index} is missing`,
      inputs.map((v) => v.shape),
    );
  if (value.dtype !== dtype)
    throw new ShapeError(op, `input ${index} must be ${dtype}, is ${value.dtype}`, [value.shape]);
  return value;
}

function binary(op: OpName): (inputs: readonly Value[]) => ValueType[] {
  return (inputs) => [
    {
      dtype: 'float32',
      shape: broadcastShapes(op, input(op, inputs, 0, 'float32').shape, input(op, inputs, 1, 'float32').shape),
    },
  ];
}

function unary(op: OpName): (inputs: readonly Value[]) => ValueType[] {
  return (inputs) => [{ dtype: 'float32', shape: input(op, inputs, 0, 'float32').shape }];
}

function matmulShape(inputs: readonly Value[], attrs: OpAttrs['matmul']): ValueType[] {
  const a = input('matmul', inputs, 0, 'float32').shape;
  const b = input('matmul', inputs, 1, 'float32').shape;
  if (a.length < 2 || b.length < 2) throw new ShapeError('matmul', 'needs two or more axes', [a, b]);
  const [m, ka] = attrs.transA ? [a.at(-1)!, a.at(-2)!] : [a.at(-2)!, a.at(-1)!];
  const [kb, n] = attrs.transB ? [b.at(-1)!, b.at(-2)!] : [b.at(-2)!, b.at(-1)!];
  if (ka !== kb) throw new ShapeError('matmul', `inner sizes ${ka} and ${kb} differ`, [a, b]);
  const batchA = a.slice(0, -2);
  const batchB = b.slice(0, -2);
  if (batchB.length > 0 && formatShape(batchA) !== formatShape(batchB)) {
    throw new ShapeError('matmul', 'leading axes differ', [a, b]);
  }
  return [{ dtype: 'float32', shape: [...batchA, m, n] }];
}

function quantisedShape(inputs: readonly Value[], { bits, block }: OpAttrs['quantisedMatmul']): ValueType[] {
  const x = input('quantisedMatmul', inputs, 0, 'float32').shape;
  const packed = input('quantisedMatmul', inputs, 1, 'uint8').shape;
  const scales = input('quantisedMatmul', inputs, 2, 'float32').shape;
  const [outputs, blocks, bytes] = packed as number[];
  const inner = x.at(-1);
  if (typeof inner !== 'number' || blocks !== Math.ceil(inner / block) || bytes !== (block * bits) / 8)
    throw new ShapeError('quantisedMatmul', `blocks of ${block} with ${bits} bits do not match`, [x, packed]);
  if (scales.length !== 1 || scales[0] !== outputs! * blocks)
    throw new ShapeError('quantisedMatmul', 'a scale for each block is needed', [packed, scales]);
  return [{ dtype: 'float32', shape: [...x.slice(0, -1), outputs!] }];
}

function reduceShape(inputs: readonly Value[], attrs: OpAttrs['reduceSum']): ValueType[] {
  const shape = input('reduceSum', inputs, 0, 'float32').shape;
  for (const axis of attrs.axes) {
    if (axis < 0 || axis >= shape.length) throw new ShapeError('reduceSum', `no axis ${axis}`, [shape]);
  }
  const result = attrs.keepDims
    ? shape.map((dim, i): Dim => (attrs.axes.includes(i) ? 1 : dim))
    : shape.filter((_, i) => !attrs.axes.includes(i));
  return [{ dtype: 'float32', shape: result }];
}

/** ONNX Reshape target for `shape`: 0 copies the dimension at the same place, -1 is inferred. */
export function reshapeTarget(from: Shape, shape: Shape): number[] {
  let inferred = 0;
  const target = shape.map((dim, i) => {
    if (typeof dim === 'number') return dim;
    if (from[i] === dim) return 0;
    inferred++;
    return -1;
  });
  if (inferred > 1) throw new ShapeError('reshape', 'more than one size to infer', [from, shape]);
  return target;
}

function reshapeShape(inputs: readonly Value[], attrs: OpAttrs['reshape']): ValueType[] {
  const from = inputs[0]!;
  reshapeTarget(from.shape, attrs.shape);
  const count = (shape: Shape): number | null =>
    shape.every((dim) => typeof dim === 'number') ? elementCount(shape) : null;
  const [before, after] = [count(from.shape), count(attrs.shape)];
  if (before !== null && after !== null && before !== after) {
    throw new ShapeError('reshape', 'number of elements differs', [from.shape, attrs.shape]);
  }
  return [{ dtype: from.dtype, shape: attrs.shape }];
}

function attentionShape(inputs: readonly Value[], attrs: OpAttrs['cachedAttention']): ValueType[] {
  const q = input('cachedAttention', inputs, 0, 'float32').shape;
  const pastKey = input('cachedAttention', inputs, 3, 'float32').shape;
  input('cachedAttention', inputs, 5, 'int32');
  if (pastKey[1] !== attrs.kvHeads || q[2] !== attrs.heads * (pastKey[3] as number)) {
    throw new ShapeError('cachedAttention', 'heads do not match', [q, pastKey]);
  }
  return [
    { dtype: 'float32', shape: q },
    { dtype: 'float32', shape: pastKey },
    { dtype: 'float32', shape: pastKey },
  ];
}

function headShapes(op: 'headLogprobs' | 'headLogprobsGradient', inputs: readonly Value[]): Shape {
  const hidden = input(op, inputs, 0, 'float32').shape;
  const ids = input(op, inputs, 1, 'int32').shape;
  const weight = input(op, inputs, 2, 'float32').shape;
  if (hidden.length !== 2 || ids[0] !== hidden[0] || weight.length !== 2 || weight[1] !== hidden[1])
    throw new ShapeError(op, 'needs hidden [M,D], ids [M], weight [V,D]', [hidden, ids, weight]);
  return ids;
}

/** The vocabulary in parts of at most `stretch` tokens. */
export function stretchesOf(depth: number, stretch: number): { start: number; end: number }[] {
  return Array.from({ length: Math.ceil(depth / stretch) }, (_, i) => ({
    start: i * stretch,
    end: Math.min(depth, (i + 1) * stretch),
  }));
}

/** Shape rule per operator. A missing row is a compile error. */
export const inferTable: { [K in OpName]: Infer<K> } = {
  add: binary('add'),
  sub: binary('sub'),
  mul: binary('mul'),
  div: binary('div'),
  max: binary('max'),
  min: binary('min'),
  neg: unary('neg'),
  exp: unary('exp'),
  log: unary('log'),
  sqrt: unary('sqrt'),
  sigmoid: unary('sigmoid'),
  greater: binary('greater'),
  where: (inputs) => {
    const ab = broadcastShapes(
      'where',
      input('where', inputs, 1, 'float32').shape,
      input('where', inputs, 2, 'float32').shape,
    );
    return [{ dtype: 'float32', shape: broadcastShapes('where', input('where', inputs, 0, 'float32').shape, ab) }];
  },
  stopGradient: unary('stopGradient'),
  after: (inputs) => {
    input('after', inputs, 1, 'float32');
    return [{ dtype: 'float32', shape: input('after', inputs, 0, 'float32').shape }];
  },
  matmul: matmulShape,
  quantisedMatmul: quantisedShape,
  halfMatmul: (inputs) => {
    const x = input('halfMatmul', inputs, 0, 'float32').shape;
    const matrix = input('halfMatmul', inputs, 1, 'float16').shape;
    if (matrix.length !== 2 || x.length < 2 || x.at(-1) !== matrix[0])
      throw new ShapeError('halfMatmul', 'needs x [..,K] and a matrix [K,N]', [x, matrix]);
    return [{ dtype: 'float32', shape: [...x.slice(0, -1), matrix[1]!] }];
  },
  reduceSum: reduceShape,
  reshape: reshapeShape,
  transpose: (inputs, { perm }) => {
    const { shape, dtype } = inputs[0]!;
    if ([...perm].sort((a, b) => a - b).some((axis, i) => axis !== i) || perm.length !== shape.length) {
      throw new ShapeError('transpose', `[${perm.join(',')}] is no permutation of its axes`, [shape]);
    }
    return [{ dtype, shape: perm.map((axis) => shape[axis]!) }];
  },
  expandLike: (inputs) => {
    const target = inputs[1]!.shape;
    const shape = broadcastShapes('expandLike', input('expandLike', inputs, 0, 'float32').shape, target);
    if (formatShape(shape) !== formatShape(target))
      throw new ShapeError('expandLike', 'target is smaller', [inputs[0]!.shape, target]);
    return [{ dtype: 'float32', shape }];
  },
  gather: (inputs) => {
    const table = input('gather', inputs, 0, 'float32').shape;
    const ids = input('gather', inputs, 1, 'int32').shape;
    if (table.length !== 2) throw new ShapeError('gather', 'table must be [V,D]', [table, ids]);
    return [{ dtype: 'float32', shape: [...ids, table[1]!] }];
  },
  scatterRows: (inputs, { depth }) => {
    const rows = input('scatterRows', inputs, 0, 'float32').shape;
    input('scatterRows', inputs, 1, 'int32');
    return [{ dtype: 'float32', shape: [depth, rows[1]!] }];
  },
  take: (inputs) => {
    const x = input('take', inputs, 0, 'float32').shape;
    const ids = input('take', inputs, 1, 'int32').shape;
    const inverse = input('take', inputs, 2, 'int32').shape;
    if (inverse.length === 0 || inverse.some((dim, i) => dim !== x[i]))
      throw new ShapeError('take', "inverse must be as x's leading axes", [x, inverse]);
    return [{ dtype: 'float32', shape: [...ids, ...x.slice(inverse.length)] }];
  },
  headLogprobs: (inputs, { stretch, kept }) => {
    const ids = headShapes('headLogprobs', inputs);
    const depth = inputs[2]!.shape[0] as number;
    const widths = kept ? stretchesOf(depth, stretch).map(({ start, end }) => end - start) : [];
    const shapes: Shape[] = [ids, ids, ...widths.map((width) => [ids[0]!, width])];
    return shapes.map((shape) => ({ dtype: 'float32', shape }));
  },
  headLogprobsGradient: (inputs, { forWeight }) => {
    headShapes('headLogprobsGradient', inputs);
    const [hidden, , weight] = inputs as [Value, Value, Value];
    return [
      { dtype: 'float32', shape: hidden.shape },
      { dtype: 'float32', shape: forWeight ? weight.shape : [] },
    ];
  },
  oneHot: (inputs, { depth }) => [{ dtype: 'float32', shape: [...input('oneHot', inputs, 0, 'int32').shape, depth] }],
  selectLast: (inputs) => {
    const x = input('selectLast', inputs, 0, 'float32').shape;
    const ids = input('selectLast', inputs, 1, 'int32').shape;
    if (formatShape(x.slice(0, -1)) !== formatShape(ids))
      throw new ShapeError('selectLast', 'ids do not match', [x, ids]);
    return [{ dtype: 'float32', shape: ids }];
  },
  softmax: unary('softmax'),
  logSoftmax: unary('logSoftmax'),
  rmsNorm: (inputs) => {
    const x = input('rmsNorm', inputs, 0, 'float32').shape;
    const weight = input('rmsNorm', inputs, 1, 'float32').shape;
    if (weight.length !== 1 || weight[0] !== x.at(-1))
      throw new ShapeError('rmsNorm', 'weight must be [D]', [x, weight]);
    return [
      { dtype: 'float32', shape: x },
      { dtype: 'float32', shape: [...x.slice(0, -1), 1] },
    ];
  },
  rotary: (inputs) => {
    const x = input('rotary', inputs, 0, 'float32').shape;
    input('rotary', inputs, 3, 'int64');
    if (x.length !== 4) throw new ShapeError('rotary', 'x must be [B,H,T,Dh]', [x]);
    return [{ dtype: 'float32', shape: x }];
  },
  cachedAttention: attentionShape,
};
