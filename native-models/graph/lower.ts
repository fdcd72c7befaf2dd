/**
 * Turns a graph into an ONNX model for one kind of provider. The table `common` serves all; `cpu` and `webgpu` replace rows
 * where the best or the only correct form differs. No arithmetic node may leave the WebGPU provider; only shape arithmetic
 * (Shape) runs on the CPU there. Values nobody needs are left out.
 */
import type { GraphBuilder } from './builder.ts';
import { reshapeTarget, type Node, type NodeOf, type OpName, type Value } from './ops.ts';
import { encodeModel, type OnnxAttribute, type OnnxNode, type OnnxTensor } from './proto.ts';
import { swapLastTwo } from './shape.ts';

/** `cpu` serves every provider that lets nodes fall back to the CPU without harm. */
export type Lowering = 'cpu' | 'webgpu';

type Attributes = Readonly<Record<string, OnnxAttribute>>;
const MICROSOFT = 'com.microsoft';

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

function oneHot(e: Emitter, ids: string, depth: number, output?: string): string {
  const column = e.emit('Unsqueeze', [ids, e.int64(-1)]);
  return e.emit('Cast', [e.emit('Equal', [column, e.iota(depth)])], toFloat, '', output);
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
    .map(({ value, data }) => ({ name: value.name, dtype: value.dtype, dims: value.shape as number[], data }));
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

/** Nodes that some output depends on, in their order. */
export function liveNodes(b: GraphBuilder): Node[] {
  const needed = new Set<Node>();
  const stack = b.outputs.map(({ value }) => value.node);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (!node || needed.has(node)) continue;
    needed.add(node);
    for (const value of node.inputs) stack.push(value.node);
  }
  return b.nodes.filter((node) => needed.has(node));
}
