/**
 * Builds a graph of typed values: every call checks shapes at once and returns the value it makes. Knows the operators
 * (ops.ts), not how a provider runs them (lower.ts) and not what they are for.
 */
import { inferTable, type Node, type NodeOf, type OpAttrs, type OpName, type Value, type ValueType } from './ops.ts';
import { elementCount, ShapeError, type Dim, type DType, type Shape } from './shape.ts';

/** Float32, uint8, or the bits of float16. */
export type BesideBytes = Float32Array | Uint8Array | Uint16Array;

export interface Constant {
  value: Value;
  data: Float32Array | Int32Array | BigInt64Array | BesideBytes;
  /** Its bytes are not in the model: whoever opens a session hands them over beside it. */
  beside?: true;
}

export interface NamedOutput {
  name: string;
  value: Value;
}

/** A stretch of nodes that leads from one value to another; of what is made within, nothing but `output` is used outside. */
export interface Segment {
  input: Value;
  output: Value;
  /** Places in `nodes`, the end not included. */
  first: number;
  end: number;
}

/** Tokens of the vocabulary whose logits are held at a time. */
const VOCABULARY_STRETCH = 4096;

export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly inputs: Value[] = [];
  readonly constants: Constant[] = [];
  readonly outputs: NamedOutput[] = [];
  readonly segments: Segment[] = [];
  private readonly scalars = new Map<number, Value>();
  private readonly names = new Set<string>();
  private nextId = 0;

  /** A value fed at every run. */
  input(name: string, dtype: DType, shape: Shape): Value {
    const value = this.value(name, { dtype, shape }, null);
    this.inputs.push(value);
    return value;
  }

  /** A value stored in the model. */
  constant(name: string, data: Float32Array | Int32Array | BigInt64Array, shape: Shape): Value {
    if (elementCount(shape) !== data.length) throw new ShapeError('constant', `${data.length} elements given`, [shape]);
    const dtype: DType = data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'int64';
    const value = this.value(name, { dtype, shape }, null);
    this.constants.push({ value, data });
    return value;
  }

  /** A constant too large to be copied into the model; see `constantsBeside`. */
  constantBeside(name: string, data: BesideBytes, shape: Shape): Value {
    if (elementCount(shape) !== data.length) throw new ShapeError('constant', `${data.length} elements given`, [shape]);
    const dtype = data instanceof Uint8Array ? 'uint8' : data instanceof Uint16Array ? 'float16' : 'float32';
    const value = this.value(name, { dtype, shape }, null);
    this.constants.push({ value, data, beside: true });
    return value;
  }

  /** What a session of this graph needs beside its model, by name. */
  constantsBeside(): ReadonlyMap<string, BesideBytes> {
    const beside = this.constants.filter((constant) => constant.beside);
    return new Map(beside.map(({ value, data }) => [value.name, data as BesideBytes]));
  }

  scalar(x: number): Value {
    const known = this.scalars.get(x);
    if (known) return known;
    const value = this.constant(`scalar_${this.nextId}`, Float32Array.of(x), []);
    this.scalars.set(x, value);
    return value;
  }

  /** Makes a result an output of the model under a name of its own. */
  output(name: string, value: Value): void {
    if (this.names.has(name)) throw new ShapeError('output', `the name ${name} is taken`, [value.shape]);
    this.names.add(name);
    this.outputs.push({ name, value });
  }

  /** What `make` makes of `input`, as a stretch that `backward` can make anew instead of keeping its values. */
  segment(input: Value, make: (input: Value) => Value): Value {
    const first = this.nodes.length;
    const output = make(input);
    this.segments.push({ input, output, first, end: this.nodes.length });
    return output;
  }

  add = (a: Value, b: Value): Value => this.one('add', {}, [a, b]);
  sub = (a: Value, b: Value): Value => this.one('sub', {}, [a, b]);
  mul = (a: Value, b: Value): Value => this.one('mul', {}, [a, b]);
  div = (a: Value, b: Value): Value => this.one('div', {}, [a, b]);
  max = (a: Value, b: Value): Value => this.one('max', {}, [a, b]);
  min = (a: Value, b: Value): Value => this.one('min', {}, [a, b]);
  neg = (x: Value): Value => this.one('neg', {}, [x]);
  exp = (x: Value): Value => this.one('exp', {}, [x]);
  log = (x: Value): Value => this.one('log', {}, [x]);
  sqrt = (x: Value): Value => this.one('sqrt', {}, [x]);
  sigmoid = (x: Value): Value => this.one('sigmoid', {}, [x]);
  greater = (a: Value, b: Value): Value => this.one('greater', {}, [a, b]);
  where = (condition: Value, a: Value, b: Value): Value => this.one('where', {}, [condition, a, b]);
  stopGradient = (x: Value): Value => this.one('stopGradient', {}, [x]);
  after = (x: Value, earlier: Value): Value => this.one('after', {}, [x, earlier]);
  scale = (x: Value, factor: number): Value => (factor === 1 ? x : this.mul(x, this.scalar(factor)));
  silu = (x: Value): Value => this.mul(x, this.sigmoid(x));

  matmul(a: Value, b: Value, attrs: Partial<OpAttrs['matmul']> = {}): Value {
    return this.one('matmul', { transA: false, transB: false, alpha: 1, ...attrs }, [a, b]);
  }
  reduceSum(x: Value, axes: readonly number[] = x.shape.map((_, i) => i), keepDims = false): Value {
    return axes.length === 0 ? x : this.one('reduceSum', { axes, keepDims }, [x]);
  }
  reshape = (x: Value, shape: readonly Dim[]): Value => this.one('reshape', { shape }, [x]);
  transpose = (x: Value, perm: readonly number[]): Value => this.one('transpose', { perm }, [x]);
  expandLike = (x: Value, target: Value): Value => this.one('expandLike', {}, [x, target]);
  gather = (table: Value, ids: Value): Value => this.one('gather', {}, [table, ids]);
  scatterRows = (rows: Value, ids: Value, depth: number): Value => this.one('scatterRows', { depth }, [rows, ids]);
  /** `outside`: whether `ids` may hold the number of rows, which gives zeros; by `zero` every row goes somewhere. */
  take(x: Value, ids: Value, inverse: Value, { outside }: { outside: 'zero' | 'never' | 'both' }): Value {
    return this.one('take', { idsInside: outside === 'never', inverseInside: outside === 'zero' }, [x, ids, inverse]);
  }
  headLogprobs(hidden: Value, ids: Value, weight: Value, kept = false): Value {
    return this.one('headLogprobs', { stretch: VOCABULARY_STRETCH, kept }, [hidden, ids, weight]);
  }
  oneHot = (ids: Value, depth: number): Value => this.one('oneHot', { depth }, [ids]);
  selectLast = (x: Value, ids: Value): Value => this.one('selectLast', {}, [x, ids]);
  softmax = (x: Value): Value => this.one('softmax', {}, [x]);
  logSoftmax = (x: Value): Value => this.one('logSoftmax', {}, [x]);
  rmsNorm = (x: Value, weight: Value, epsilon: number): Value => this.one('rmsNorm', { epsilon }, [x, weight]);
  rotary(x: Value, cos: Value, sin: Value, positions: Value, sign: 1 | -1 = 1): Value {
    return this.one('rotary', { sign }, [x, cos, sin, positions]);
  }
  quantisedMatmul(x: Value, packed: Value, scales: Value, attrs: OpAttrs['quantisedMatmul']): Value {
    return this.one('quantisedMatmul', attrs, [x, packed, scales]);
  }
  halfMatmul = (x: Value, matrix: Value): Value => this.one('halfMatmul', {}, [x, matrix]);
  cachedAttention(inputs: readonly Value[], attrs: OpAttrs['cachedAttention']): readonly Value[] {
    return this.apply('cachedAttention', attrs, inputs).outputs;
  }

  /** Adds one node of any operator; its outputs are `node.outputs`. */
  apply<K extends OpName>(op: K, attrs: OpAttrs[K], inputs: readonly Value[]): NodeOf<K> {
    const infer = inferTable[op] as (inputs: readonly Value[], attrs: OpAttrs[K]) => ValueType[];
    const outputs: Value[] = [];
    const node: NodeOf<K> = { op, attrs, inputs, outputs };
    infer(inputs, attrs).forEach((type, i) => {
      outputs.push(this.value(`${op}_${this.nextId}${i > 0 ? `_${i}` : ''}`, type, node as unknown as Node));
    });
    this.nodes.push(node as unknown as Node);
    return node;
  }

  private one<K extends OpName>(op: K, attrs: OpAttrs[K], inputs: readonly Value[]): Value {
    return this.apply(op, attrs, inputs).outputs[0]!;
  }

  private value(name: string, type: ValueType, node: Node | null): Value {
    if (this.names.has(name)) throw new ShapeError('value', `the name ${name} is taken`, [type.shape]);
    this.names.add(name);
    return { id: this.nextId++, name, ...type, node };
  }
}
