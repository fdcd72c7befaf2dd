/**
 * Turns a graph into an ONNX model for one kind of provider. The table `common` serves all; `cpu` and `webgpu` replace rows
 * where the best or the only correct form differs. No arithmetic node may leave the WebGPU provider; only shape arithmetic
 * (Shape) runs on the CPU there. Values nobody needs are left out.
 */
import type { GraphBuilder } from './builder.ts';
import { reshapeTarget, stretchesOf, type Node, type NodeOf, type OpName, type Value } from './ops.ts';
import { encodeModel, type OnnxAttribute, type OnnxNode, type OnnxTensor } from './proto.ts';
import { swapLastTwo } from './shape.ts';

/** `cpu` serves every provider that lets nodes fall back to the CPU without harm. */
export type Lowering = 'cpu' | 'webgpu';

type Attributes = Readonly<Record<string, OnnxAttribute>>;
const MICROSOFT = 'com.microsoft';
/** MatMulNBits' accuracy levels. `exact` unpacks each matrix at every run on the CPU, which is slower than f32. */
const ACCURACY = { rounded: 4, exact: 1 } as const;

/** Names of its own start with %, so that none meets the name of a graph's value. */
class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  private readonly constants = new Map<string, string>();
  private next = 0;

  /** Adds an ONNX node with one output; returns the output's name. */
  emit(opType: string, inputs: readonly string[], attributes: Attributes = {}, domain = '', output?: string): string {
    const name = output ?? `%${this.next++}`;
    this.nodes.push({ opType, domain, inputs, outputs: [name], attributes });
    return name;
  }
  int64(...values: number[]): string {
    return this.constant(`%i64_${values.join('_')}`, {
      dtype: 'int64',
      dims: [values.length],
      data: BigInt64Array.from(values.map(BigInt)),
    });
  }
  float(value: number): string {
    return this.constant(`%f32_${value}`, { dtype: 'float32', dims: [], data: Float32Array.of(value) });
  }
  iota(count: number): string {
    return this.constant(`%iota_${count}`, {
      dtype: 'int32',
      dims: [count],
      data: Int32Array.from({ length: count }, (_, i) => i),
    });
  }
  private constant(name: string, tensor: Omit<OnnxTensor, 'name'>): string {
    const known = this.constants.get(name);
    if (known) return known;
    this.initializers.push({ name, ...tensor });
    this.constants.set(name, name);
    return name;
  }
}

type Lower<K extends OpName> = (e: Emitter, node: NodeOf<K>, names: { inputs: string[]; outputs: string[] }) => void;
type LoweringTable = { [K in OpName]: Lower<K> };

function simple(opType: string): (e: Emitter, node: unknown, names: { inputs: string[]; outputs: string[] }) => void {
  return (e, _node, { inputs, outputs }) => {
    e.emit(opType, inputs, {}, '', outputs[0]);
  };
}

const lastAxis: Attributes = { axis: { int: -1 } };
const toFloat: Attributes = { to: { int: 1 } };
const toHalf: Attributes = { to: { int: 10 } };

function oneHot(e: Emitter, ids: string, depth: number, output?: string): string {
  const column = e.emit('Unsqueeze', [ids, e.int64(-1)]);
  return e.emit('Cast', [e.emit('Equal', [column, e.iota(depth)])], toFloat, '', output);
}

/**
 * weight [V,D] a stretch of rows at a time, each made when it is asked for. Those of result and gradient are written differently,
 * so that the runtime does not take them for the same and hold them, all of the weight a second time, in between.
 */
function* stretches(e: Emitter, weight: string, node: HeadNode, made: 'forResult' | 'forGradient'): Iterable<string> {
  const steps = made === 'forGradient' ? [e.int64(1)] : [];
  for (const { start, end } of stretchesOf(node.inputs[2]!.shape[0] as number, node.attrs.stretch))
    yield e.emit('Slice', [weight, e.int64(start), e.int64(end), e.int64(0), ...steps]);
}
type HeadNode = NodeOf<'headLogprobs'> | NodeOf<'headLogprobsGradient'>;

/** Builds the head from MatMul with the stretch's rows as columns, in whatever form the provider has. */
type TimesTransposed = (e: Emitter, a: string, b: string, output?: string) => string;

const fusedTimesTransposed: TimesTransposed = (e, a, b, output) =>
  e.emit('FusedMatMul', [a, b], { transB: { int: 1 } }, MICROSOFT, output);
const gemmTimesTransposed: TimesTransposed = (e, a, b, output) =>
  e.emit('Gemm', [a, b], { transB: { int: 1 } }, '', output);

function lowerHeadLogprobs(times: TimesTransposed): Lower<'headLogprobs'> {
  return (e, node, { inputs, outputs }) => {
    const [hidden, ids, weight] = inputs as [string, string, string];
    const [keep, axis] = [{ keepdims: { int: 1 } }, e.int64(1)];
    const sums = [...stretches(e, weight, node, 'forResult')].map((rows, i) => {
      const logits = times(e, hidden, rows, outputs[2 + i]);
      const most = e.emit('ReduceMax', [logits, axis], keep);
      const total = e.emit('ReduceSum', [e.emit('Exp', [e.emit('Sub', [logits, most])]), axis], keep);
      return e.emit('Add', [e.emit('Log', [total]), most]); // [M,1]
    });
    const parts = e.emit('Concat', sums, lastAxis);
    const most = e.emit('ReduceMax', [parts, axis], keep);
    const total = e.emit('ReduceSum', [e.emit('Exp', [e.emit('Sub', [parts, most])]), axis], keep);
    const sum = e.emit('Squeeze', [e.emit('Add', [e.emit('Log', [total]), most]), axis], {}, '', outputs[1]);
    const own = e.emit('Mul', [hidden, e.emit('Gather', [weight, ids], { axis: { int: 0 } })]);
    const logit = e.emit('ReduceSum', [own, axis], { keepdims: { int: 0 } });
    e.emit('Sub', [logit, sum], {}, '', outputs[0]);
  };
}

function lowerHeadGradient(times: TimesTransposed): Lower<'headLogprobsGradient'> {
  return (e, node, { inputs, outputs }) => {
    const [hidden, ids, weight, sum, dy, ...kept] = inputs as [string, string, string, string, string, ...string[]];
    const column = (name: string): string => e.emit('Unsqueeze', [name, e.int64(1)]);
    const [sumColumn, dyColumn] = [column(sum), column(dy)];
    const weighed = node.attrs.forWeight ? e.emit('Mul', [hidden, dyColumn]) : '';
    const expected: string[] = [];
    const toRows: string[] = [];
    for (const rows of stretches(e, weight, node, 'forGradient')) {
      const logits = kept.shift() ?? times(e, hidden, rows);
      const share = e.emit('Exp', [e.emit('Sub', [logits, sumColumn])]); // [M,stretch]
      expected.push(e.emit('MatMul', [share, rows]));
      if (node.attrs.forWeight)
        toRows.push(
          e.emit('Neg', [e.emit('MatMul', [e.emit('Transpose', [share], { perm: { ints: [1, 0] } }), weighed])]),
        );
    }
    const mean = expected.reduce((total, part) => e.emit('Add', [total, part]));
    const own = e.emit('Gather', [weight, ids], { axis: { int: 0 } });
    e.emit('Mul', [e.emit('Sub', [own, mean]), dyColumn], {}, '', outputs[0]);
    if (!node.attrs.forWeight) {
      e.emit('Identity', [e.float(0)], {}, '', outputs[1]);
      return;
    }
    scatterAdd(e, e.emit('Concat', toRows, { axis: { int: 0 } }), ids, weighed, outputs[1]!);
  };
}

/** Adds `rows` to the rows of `onto` that `ids` names. One thread adds them in their order, so the sum is the same every time. */
function scatterAdd(e: Emitter, onto: string, ids: string, rows: string, output: string): void {
  const places = e.emit('Expand', [e.emit('Unsqueeze', [ids, e.int64(1)]), e.emit('Shape', [rows])]);
  e.emit('ScatterElements', [onto, places, rows], { axis: { int: 0 }, reduction: { string: 'add' } }, '', output);
}

const common: LoweringTable = {
  add: simple('Add'),
  sub: simple('Sub'),
  mul: simple('Mul'),
  div: simple('Div'),
  max: simple('Max'),
  min: simple('Min'),
  neg: simple('Neg'),
  exp: simple('Exp'),
  log: simple('Log'),
  sqrt: simple('Sqrt'),
  sigmoid: simple('Sigmoid'),
  greater: (e, _node, { inputs, outputs }) => {
    e.emit('Cast', [e.emit('Greater', inputs)], toFloat, '', outputs[0]);
  },
  where: (e, _node, { inputs, outputs }) => {
    const [condition, a, b] = inputs as [string, string, string];
    e.emit('Where', [e.emit('Greater', [condition, e.float(0.5)]), a, b], {}, '', outputs[0]);
  },
  stopGradient: simple('Identity'),
  // x - 0 * (an element of the second input): ONNX Runtime cannot know that nothing is taken away. -0 stays -0.
  after: (e, _node, { inputs, outputs }) => {
    const [x, later] = inputs as [string, string];
    const element = e.emit('Slice', [e.emit('Reshape', [later, e.int64(-1)]), e.int64(0), e.int64(1), e.int64(0)]);
    const zero = e.emit('Squeeze', [e.emit('Mul', [element, e.float(0)]), e.int64(0)]);
    e.emit('Sub', [x, zero], {}, '', outputs[0]);
  },
  matmul: (e, node, { inputs, outputs }) => {
    const { transA, transB, alpha } = node.attrs;
    if (!transA && !transB && alpha === 1) e.emit('MatMul', inputs, {}, '', outputs[0]);
    else {
      const attributes = { transA: { int: Number(transA) }, transB: { int: Number(transB) }, alpha: { float: alpha } };
      e.emit('FusedMatMul', inputs, attributes, MICROSOFT, outputs[0]);
    }
  },
  reduceSum: (e, node, { inputs, outputs }) => {
    e.emit(
      'ReduceSum',
      [inputs[0]!, e.int64(...node.attrs.axes)],
      { keepdims: { int: Number(node.attrs.keepDims) } },
      '',
      outputs[0],
    );
  },
  reshape: (e, node, { inputs, outputs }) => {
    const target = reshapeTarget(node.inputs[0]!.shape, node.attrs.shape);
    e.emit('Reshape', [inputs[0]!, e.int64(...target)], {}, '', outputs[0]);
  },
  transpose: (e, node, { inputs, outputs }) => {
    e.emit('Transpose', inputs, { perm: { ints: node.attrs.perm } }, '', outputs[0]);
  },
  expandLike: (e, _node, { inputs, outputs }) => {
    e.emit('Expand', [inputs[0]!, e.emit('Shape', [inputs[1]!])], {}, '', outputs[0]);
  },
  gather: (e, _node, { inputs, outputs }) => {
    e.emit('Gather', inputs, { axis: { int: 0 } }, '', outputs[0]);
  },
  scatterRows: (e, node, { inputs, outputs }) => {
    const shape = e.emit('Concat', [e.int64(node.attrs.depth), e.emit('Shape', [inputs[0]!], { start: { int: 1 } })], {
      axis: { int: 0 },
    });
    scatterAdd(e, e.emit('Expand', [e.float(0), shape]), inputs[1]!, inputs[0]!, outputs[0]!);
  },
  take: (e, node, { inputs, outputs }) => {
    const [x, ids] = inputs as [string, string];
    const lead = node.inputs[2]!.shape.length;
    const tail = node.inputs[0]!.shape.slice(lead) as number[];
    const flat = lead === 1 ? x : e.emit('Reshape', [x, e.int64(-1, ...tail)]);
    const zero = (): string => e.emit('Expand', [e.float(0), e.int64(1, ...tail)]);
    const rows = node.attrs.idsInside ? flat : e.emit('Concat', [flat, zero()], { axis: { int: 0 } });
    e.emit('Gather', [rows, ids], { axis: { int: 0 } }, '', outputs[0]);
  },
  headLogprobs: lowerHeadLogprobs(fusedTimesTransposed),
  headLogprobsGradient: lowerHeadGradient(fusedTimesTransposed),
  oneHot: (e, node, { inputs, outputs }) => {
    oneHot(e, inputs[0]!, node.attrs.depth, outputs[0]);
  },
  selectLast: (e, _node, { inputs, outputs }) => {
    const column = e.emit('Unsqueeze', [inputs[1]!, e.int64(-1)]);
    e.emit('Squeeze', [e.emit('GatherElements', [inputs[0]!, column], lastAxis), e.int64(-1)], {}, '', outputs[0]);
  },
  softmax: (e, _node, { inputs, outputs }) => {
    e.emit('Softmax', inputs, lastAxis, '', outputs[0]);
  },
  logSoftmax: (e, _node, { inputs, outputs }) => {
    e.emit('LogSoftmax', inputs, lastAxis, '', outputs[0]);
  },
  rmsNorm: (e, node, { inputs, outputs }) => {
    const attributes = { ...lastAxis, epsilon: { float: node.attrs.epsilon }, stash_type: { int: 1 } };
    e.nodes.push({ opType: 'SimplifiedLayerNormalization', domain: '', inputs, outputs, attributes });
  },
  rotary: (e, node, { inputs, outputs }) => {
    const [x, cos, sin, positions] = inputs as [string, string, string, string];
    const turned = node.attrs.sign === 1 ? sin : e.emit('Neg', [sin]);
    e.emit('RotaryEmbedding', [x, positions, cos, turned], { interleaved: { int: 0 } }, MICROSOFT, outputs[0]);
  },
  halfMatmul: (e, _node, { inputs, outputs }) => {
    const [x, matrix] = inputs as [string, string];
    e.emit('Cast', [e.emit('MatMul', [e.emit('Cast', [x], toHalf), matrix])], toFloat, '', outputs[0]);
  },
  quantisedMatmul: (e, node, { inputs, outputs }) => {
    const { bits, block } = node.attrs;
    const attributes = {
      K: { int: node.inputs[0]!.shape.at(-1) as number },
      N: { int: node.inputs[1]!.shape[0] as number },
      bits: { int: bits },
      block_size: { int: block },
      accuracy_level: { int: ACCURACY[node.attrs.inputs] },
    };
    e.emit('MatMulNBits', inputs, attributes, MICROSOFT, outputs[0]);
  },
  cachedAttention: (e, node, { inputs, outputs }) => {
    const { heads, kvHeads, scale } = node.attrs;
    const attributes = {
      num_heads: { int: heads },
      kv_num_heads: { int: kvHeads },
      scale: { float: scale },
      do_rotary: { int: 1 },
      rotary_interleaved: { int: 0 },
    };
    e.nodes.push({ opType: 'GroupQueryAttention', domain: MICROSOFT, inputs, outputs, attributes });
  },
};

/** Rows in which the WebGPU provider has no kernel, or a wrong one (see the traps in each). */
const webgpuRows: Partial<LoweringTable> = {
  // FusedMatMul has no WebGPU kernel.
  matmul: (e, node, { inputs, outputs }) => {
    const { transA, transB, alpha } = node.attrs;
    const [a, b] = node.inputs as [Value, Value];
    if (a.shape.length === 2 && b.shape.length === 2) {
      const attributes = { transA: { int: Number(transA) }, transB: { int: Number(transB) }, alpha: { float: alpha } };
      e.emit('Gemm', inputs, attributes, '', outputs[0]);
      return;
    }
    const left = transA
      ? e.emit('Transpose', [inputs[0]!], { perm: { ints: swapLastTwo(a.shape.length) } })
      : inputs[0]!;
    const right = transB
      ? e.emit('Transpose', [inputs[1]!], { perm: { ints: swapLastTwo(b.shape.length) } })
      : inputs[1]!;
    if (alpha === 1) e.emit('MatMul', [left, right], {}, '', outputs[0]);
    else e.emit('Mul', [e.emit('MatMul', [left, right]), e.float(alpha)], {}, '', outputs[0]);
  },
  // No LogSoftmax kernel; Log(Softmax) loses small probabilities, so: x - max - log sum exp(x - max).
  logSoftmax: (e, node, { inputs, outputs }) => {
    const keep = { keepdims: { int: 1 } };
    const axis = e.int64(node.inputs[0]!.shape.length - 1);
    const shifted = e.emit('Sub', [inputs[0]!, e.emit('ReduceMax', [inputs[0]!, axis], keep)]);
    const total = e.emit('Log', [e.emit('ReduceSum', [e.emit('Exp', [shifted]), axis], keep)]);
    e.emit('Sub', [shifted, total], {}, '', outputs[0]);
  },
  // SimplifiedLayerNormalization's second output comes back as zeros there.
  rmsNorm: (e, node, { inputs, outputs }) => {
    const [x, weight] = inputs as [string, string];
    const axis = e.int64(node.inputs[0]!.shape.length - 1);
    const mean = e.emit('ReduceMean', [e.emit('Mul', [x, x]), axis], { keepdims: { int: 1 } });
    const rms = e.emit('Sqrt', [e.emit('Add', [mean, e.float(node.attrs.epsilon)])]);
    const inverse = e.emit('Div', [e.float(1), rms], {}, '', outputs[1]);
    e.emit('Mul', [e.emit('Mul', [x, inverse]), weight], {}, '', outputs[0]);
  },
  headLogprobs: lowerHeadLogprobs(gemmTimesTransposed),
  headLogprobsGradient: lowerHeadGradient(gemmTimesTransposed),
  // ScatterElements falls back to the CPU there: a product with one-hot rows.
  scatterRows: (e, node, { inputs, outputs }) => {
    const hot = oneHot(e, inputs[1]!, node.attrs.depth);
    e.emit('MatMul', [e.emit('Transpose', [hot], { perm: { ints: [1, 0] } }), inputs[0]!], {}, '', outputs[0]);
  },
  // GatherElements falls back to the CPU there.
  selectLast: (e, node, { inputs, outputs }) => {
    const x = node.inputs[0]!;
    const picked = e.emit('Mul', [inputs[0]!, oneHot(e, inputs[1]!, x.shape.at(-1) as number)]);
    e.emit('ReduceSum', [picked, e.int64(x.shape.length - 1)], { keepdims: { int: 0 } }, '', outputs[0]);
  },
};

const tables: Record<Lowering, LoweringTable> = { cpu: common, webgpu: { ...common, ...webgpuRows } };

/** ONNX ModelProto bytes of everything the builder's outputs need. */
export function lowerGraph(b: GraphBuilder, lowering: Lowering, name = 'waggle'): Uint8Array {
  const e = new Emitter();
  const live = liveNodes(b);
  const used = new Set<Value>(live.flatMap((node) => [...node.inputs]));
  const aliases = outputNames(b);
  const nameOf = (value: Value): string => aliases.get(value) ?? value.name;
  for (const node of live) {
    const names = { inputs: node.inputs.map(nameOf), outputs: node.outputs.map(nameOf) };
    (tables[lowering][node.op] as Lower<OpName>)(e, node, names);
  }
  for (const output of b.outputs) {
    if (nameOf(output.value) !== output.name) e.emit('Identity', [nameOf(output.value)], {}, '', output.name);
  }
  const outputValues = new Set(b.outputs.map(({ value }) => value));
  const constants = b.constants
    .filter(({ value }) => used.has(value) || outputValues.has(value))
    .map(({ value, data, beside }) => ({
      name: value.name,
      dtype: value.dtype,
      dims: value.shape as number[],
      data: beside ? null : data,
    }));
  return encodeModel({
    name,
    nodes: e.nodes,
    initializers: [...constants, ...e.initializers],
    inputs: b.inputs,
    outputs: b.outputs.map(({ name: outputName, value }) => ({
      name: outputName,
      dtype: value.dtype,
      shape: value.shape,
    })),
  });
}

/** A computed value that is an output takes the output's name: a copy would break caches updated in place. */
function outputNames(b: GraphBuilder): Map<Value, string> {
  const names = new Map<Value, string>();
  for (const { name, value } of b.outputs) if (value.node && !names.has(value)) names.set(value, name);
  return names;
}

/**
 * Nodes that some output depends on, in an order in which ONNX Runtime needs little memory: it starts from the last node that
 * nobody reads and runs what that one needs. So those that nobody reads, the gradients of weights among them, stand at the end, the
 * first made last: then each is run as soon as it can be, instead of keeping its inputs until the walk over all layers is over.
 */
export function liveNodes(b: GraphBuilder): Node[] {
  const needed = new Set<Node>();
  const read = new Set<Node>();
  const stack = b.outputs.map(({ value }) => value.node);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (!node || needed.has(node)) continue;
    needed.add(node);
    for (const { node: maker } of node.inputs) {
      if (maker) read.add(maker);
      stack.push(maker);
    }
  }
  const nodes = b.nodes.filter((node) => needed.has(node));
  return [...nodes.filter((node) => read.has(node)), ...nodes.filter((node) => !read.has(node)).reverse()];
}
