/**
 * Arithmetic on tensors that stay in the graphics card's memory: put there, fetched, added, stepped by AdamW, rows chosen. Small
 * graphs of their own, each made when first needed, that do many tensors in one run: a run costs about a millisecond whatever it
 * does. Knows nothing of policies. Owner closes it.
 *
 * Why graphs: the runtime has no call that copies (its Tensor.getData aborts the process, onnxruntime-node 1.30).
 */
import { GraphBuilder } from '../graph/builder.ts';
import { lowerGraph } from '../graph/lower.ts';
import type { Value } from '../graph/ops.ts';
import { elementCount } from '../graph/shape.ts';
import type { AdamWOptions } from '../optim/adamw.ts';
import { GraphSession, type DeviceTensor, type Feeds, type SessionOptions } from './ort-session.ts';
import { loweringFor } from './provider.ts';

type Base = Pick<SessionOptions, 'provider' | 'device' | 'threads' | 'verbosePlacement'>;

/** A matrix that is trained, with its moments: replaced by what `adamW` returns. */
export interface Moments {
  weight: DeviceTensor;
  m: DeviceTensor;
  v: DeviceTensor;
}
export interface ToStep extends Moments {
  gradient: DeviceTensor;
  /** 1 - learning rate * weight decay where the matrix decays, else 1. */
  keep: number;
}
/** What is the same for all matrices of a step. */
export interface StepNumbers {
  gradientScale: number;
  stepSize: number;
  correction2: number;
}
/** Where a row comes from. */
export interface RowSource {
  from: 'first' | 'second';
  row: number;
}

const scalar = (value: number): Feeds[string] => ({ data: Float32Array.of(value), dims: [] });
/** Of one run: what it makes is on the card beside what it replaces. */
const MAX_RUN_TENSORS = 64;
const MAX_RUN_BYTES = 64 * 2 ** 20;

export class DeviceMath {
  private readonly base: Base;
  private readonly sessions = new Map<string, GraphSession>();

  constructor(base: Base) {
    this.base = base;
  }

  /** Copies numbers to the card; the result has these dims. */
  async put(data: Float32Array, dims: readonly number[]): Promise<DeviceTensor> {
    const session = await this.session('put', (g) => copyGraph(g, 1), ['y0']);
    const { kept } = await session.runKeeping({ x0: { data, dims: [data.length] } });
    return kept.y0!.reshape(dims);
  }

  /** Copies numbers from the card into arrays of the same length. */
  async fetch(wanted: readonly { source: DeviceTensor; target: Float32Array }[]): Promise<void> {
    for (const group of groupsOf(wanted, ({ source }) => source)) {
      const session = await this.session(`fetch ${group.length}`, (g) => copyGraph(g, group.length), null);
      const feeds = Object.fromEntries(group.map(({ source }, i) => [`x${i}`, flat(source)]));
      const results = await session.run(feeds);
      group.forEach(({ target }, i) => target.set(results[`y${i}`]!.data as Float32Array));
    }
  }

  /** a + b of each pair, under the dims of a. What is given is not disposed. */
  async add(pairs: readonly { a: DeviceTensor; b: DeviceTensor }[]): Promise<DeviceTensor[]> {
    const sums: DeviceTensor[] = [];
    for (const group of groupsOf(pairs, ({ a }) => a)) {
      const names = group.map((_, i) => `y${i}`);
      const session = await this.session(`add ${group.length}`, (g) => addGraph(g, group.length), names);
      const feeds: Feeds = {};
      group.forEach(({ a, b }, i) => {
        feeds[`a${i}`] = flat(a);
        feeds[`b${i}`] = flat(b);
      });
      const { kept } = await session.runKeeping(feeds);
      group.forEach(({ a }, i) => sums.push(kept[`y${i}`]!.reshape(a.dims)));
    }
    return sums;
  }

  /** Sum of all squares: in single precision within a run, in double between them. */
  async sumOfSquares(tensors: readonly DeviceTensor[]): Promise<number> {
    let sum = 0;
    for (const group of groupsOf(tensors, (tensor) => tensor)) {
      const session = await this.session(`squares ${group.length}`, (g) => squaresGraph(g, group.length), null);
      const rows = group.map((x, i): [string, DeviceTensor] => {
        const width = x.dims.at(-1) ?? 1;
        return [`x${i}`, x.view([elementCount(x.dims) / width, width])];
      });
      const { y } = await session.run(Object.fromEntries(rows));
      sum += (y!.data as Float32Array)[0]!;
    }
    return sum;
  }

  /** One step as in optim/adamw.ts, in single precision. `replaceBy` gets what is new, in order; what is given is not disposed. */
  async adamW<T extends ToStep>(
    matrices: readonly T[],
    numbers: StepNumbers,
    { beta1, beta2, epsilon }: AdamWOptions,
    replaceBy: (matrix: T, after: Moments) => void,
  ): Promise<void> {
    for (const group of groupsOf(matrices, ({ weight }) => weight)) {
      const name = `adamw ${beta1} ${beta2} ${epsilon} ${group.length}`;
      const names = group.flatMap((_, i) => [`weight${i}`, `m${i}`, `v${i}`]);
      const session = await this.session(name, (g) => adamWGraph(g, group.length, beta1, beta2, epsilon), names);
      const feeds: Feeds = {};
      for (const [key, value] of Object.entries(numbers)) feeds[key] = scalar(value as number);
      group.forEach(({ weight, m, v, gradient, keep }, i) => {
        for (const [key, tensor] of Object.entries({ w: weight, m0: m, v0: v, g: gradient }))
          feeds[`${key}${i}`] = flat(tensor);
        feeds[`keep${i}`] = scalar(keep);
      });
      const { kept } = await session.runKeeping(feeds);
      group.forEach((matrix, i) => {
        const under = (key: string): DeviceTensor => kept[`${key}${i}`]!.reshape(matrix.weight.dims);
        replaceBy(matrix, { weight: under('weight'), m: under('m'), v: under('v') });
      });
    }
  }

  /**
   * New tensors of the rows that `sources` names, from pairs of tensors [rows, ...tail]. All pairs have the same tail; where
   * no row comes from the second, it may be anything. What is given is not disposed.
   */
  async rows(
    pairs: readonly { first: DeviceTensor; second: DeviceTensor }[],
    sources: readonly RowSource[],
  ): Promise<DeviceTensor[]> {
    const isMixed = sources.some(({ from }) => from === 'second');
    const names = pairs.map((_, i) => `y${i}`);
    const tail = pairs[0]!.first.dims.slice(1);
    const rowsOf = (tensor: DeviceTensor): DeviceTensor => tensor.view([tensor.dims[0]!, elementCount(tail)]);
    const key = `rows ${isMixed ? 'mixed' : 'plain'} ${pairs.length}`;
    const session = await this.session(key, (g) => rowsGraph(g, pairs.length, isMixed), names);
    const ids = (of: RowSource['from']): Feeds[string] => ({
      data: Int32Array.from(sources, ({ from, row }) => (from === of ? row : 0)),
      dims: [sources.length],
    });
    const isFirst = Float32Array.from(sources, ({ from }) => Number(from === 'first'));
    const feeds: Feeds = { firstIds: ids('first') };
    if (isMixed) {
      feeds.secondIds = ids('second');
      feeds.isFirst = { data: isFirst, dims: [sources.length, 1] };
    }
    pairs.forEach(({ first, second }, i) => {
      feeds[`a${i}`] = rowsOf(first);
      if (isMixed) feeds[`b${i}`] = rowsOf(second);
    });
    const { kept } = await session.runKeeping(feeds);
    return names.map((name) => kept[name]!.reshape([sources.length, ...tail]));
  }

  async close(): Promise<void> {
    const sessions = [...this.sessions.values()];
    this.sessions.clear();
    for (const session of sessions) await session.close();
  }

  /** `keep`: outputs that stay on the card; null where they are wanted here. */
  private async session(
    name: string,
    build: (g: GraphBuilder) => void,
    keep: readonly string[] | null,
  ): Promise<GraphSession> {
    const known = this.sessions.get(name);
    if (known) return known;
    const g = new GraphBuilder();
    build(g);
    const model = lowerGraph(g, loweringFor(this.base.provider), name);
    const made = await GraphSession.open(model, { ...this.base, shapesRepeat: false, ...(keep ? { keep } : {}) });
    this.sessions.set(name, made);
    return made;
  }
}

function copyGraph(g: GraphBuilder, count: number): void {
  for (let i = 0; i < count; i++) g.output(`y${i}`, g.stopGradient(g.input(`x${i}`, 'float32', [`N${i}`])));
}

const flat = (tensor: DeviceTensor): DeviceTensor => tensor.view([elementCount(tensor.dims)]);

function* groupsOf<T>(items: readonly T[], tensorOf: (item: T) => DeviceTensor): Iterable<T[]> {
  let group: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const itsBytes = 4 * elementCount(tensorOf(item).dims);
    if (group.length > 0 && (group.length === MAX_RUN_TENSORS || bytes + itsBytes > MAX_RUN_BYTES)) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(item);
    bytes += itsBytes;
  }
  if (group.length > 0) yield group;
}

function addGraph(g: GraphBuilder, count: number): void {
  for (let i = 0; i < count; i++)
    g.output(`y${i}`, g.add(g.input(`a${i}`, 'float32', [`N${i}`]), g.input(`b${i}`, 'float32', [`N${i}`])));
}

function squaresGraph(g: GraphBuilder, count: number): void {
  const sums = Array.from({ length: count }, (_, i) => {
    const x = g.input(`x${i}`, 'float32', [`R${i}`, `C${i}`]);
    return g.reduceSum(g.reduceSum(g.mul(x, x), [1]));
  });
  g.output('y', sums.reduce(g.add));
}

function adamWGraph(g: GraphBuilder, count: number, beta1: number, beta2: number, epsilon: number): void {
  const number = (name: string): Value => g.input(name, 'float32', []);
  const [scale, stepSize, correction2] = [number('gradientScale'), number('stepSize'), number('correction2')];
  for (let i = 0; i < count; i++) {
    const vector = (name: string): Value => g.input(`${name}${i}`, 'float32', [`N${i}`]);
    const [w, m0, v0] = [vector('w'), vector('m0'), vector('v0')];
    const gradient = g.mul(vector('g'), scale);
    const m = g.add(g.scale(m0, beta1), g.scale(gradient, 1 - beta1));
    const v = g.add(g.scale(v0, beta2), g.scale(g.mul(gradient, gradient), 1 - beta2));
    const root = g.add(g.div(g.sqrt(v), correction2), g.scalar(epsilon));
    g.output(`m${i}`, m);
    g.output(`v${i}`, v);
    g.output(`weight${i}`, g.sub(g.mul(w, number(`keep${i}`)), g.div(g.mul(m, stepSize), root)));
  }
}

function rowsGraph(g: GraphBuilder, pairs: number, isMixed: boolean): void {
  const firstIds = g.input('firstIds', 'int32', ['N']);
  const secondIds = isMixed ? g.input('secondIds', 'int32', ['N']) : null;
  const isFirst = isMixed ? g.input('isFirst', 'float32', ['N', 1]) : null;
  for (let i = 0; i < pairs; i++) {
    const first = g.gather(g.input(`a${i}`, 'float32', ['A', 'C']), firstIds);
    const other = secondIds && g.gather(g.input(`b${i}`, 'float32', ['B', 'C']), secondIds);
    g.output(`y${i}`, other && isFirst ? g.where(isFirst, first, other) : first);
  }
}
