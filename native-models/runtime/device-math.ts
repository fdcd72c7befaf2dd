/**
 * Arithmetic on tensors that stay in the graphics card's memory: put there, fetched, added, stepped by AdamW, rows chosen. Small
 * graphs of their own, each made when first needed. Knows nothing of policies. Owner closes it.
 *
 * Why graphs: the runtime has no call that copies (its Tensor.getData aborts the process, onnxruntime-node 1.30).
 */
import { GraphBuilder } from '../graph/builder.ts';
import { lowerGraph } from '../graph/lower.ts';
import type { Value } from '../graph/ops.ts';
import type { AdamWOptions } from '../optim/adamw.ts';
import { GraphSession, type DeviceTensor, type Feeds, type SessionOptions } from './ort-session.ts';
import { loweringFor } from './provider.ts';

type Base = Pick<SessionOptions, 'provider' | 'device' | 'threads' | 'verbosePlacement'>;

/** A moment of training of one matrix: it is replaced by what `adamW` returns. */
export interface Moments {
  weight: DeviceTensor;
  m: DeviceTensor;
  v: DeviceTensor;
}
/** What is the same for all matrices of a step. `keep`: 1 - learning rate * weight decay where the matrix decays, else 1. */
export interface StepNumbers {
  gradientScale: number;
  stepSize: number;
  correction2: number;
  keep: number;
}
/** Where a row comes from. */
export interface RowSource {
  from: 'first' | 'second';
  row: number;
}

const scalar = (value: number): Feeds[string] => ({ data: Float32Array.of(value), dims: [] });
const lengthOf = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

export class DeviceMath {
  private readonly base: Base;
  private readonly sessions = new Map<string, GraphSession>();

  constructor(base: Base) {
    this.base = base;
  }

  /** Copies numbers to the card; the result has these dims. */
  async put(data: Float32Array, dims: readonly number[]): Promise<DeviceTensor> {
    const session = await this.session('put', copyGraph, ['y']);
    const { kept } = await session.runKeeping({ x: { data, dims: [data.length] } });
    return kept.y!.reshape(dims);
  }

  /** Copies numbers from the card into `target`. */
  async fetch(source: DeviceTensor, target: Float32Array): Promise<void> {
    const session = await this.session('fetch', copyGraph, null);
    const { y } = await session.run({ x: source.view([lengthOf(source.dims)]) });
    target.set(y!.data as Float32Array);
  }

  /** a + b, of the dims of a. Neither is disposed. */
  async add(a: DeviceTensor, b: DeviceTensor): Promise<DeviceTensor> {
    const session = await this.session(
      'add',
      (g) => g.output('y', g.add(g.input('a', 'float32', ['N']), g.input('b', 'float32', ['N']))),
      ['y'],
    );
    const flat = [lengthOf(a.dims)];
    const { kept } = await session.runKeeping({ a: a.view(flat), b: b.view(flat) });
    return kept.y!.reshape(a.dims);
  }

  /** Sum of squares: each row's on the card, theirs here in double precision. */
  async sumOfSquares(x: DeviceTensor): Promise<number> {
    const session = await this.session(
      'squares',
      (g) => {
        const rows = g.input('x', 'float32', ['R', 'C']);
        g.output('y', g.reduceSum(g.mul(rows, rows), [1]));
      },
      null,
    );
    const width = x.dims.at(-1) ?? 1;
    const { y } = await session.run({ x: x.view([lengthOf(x.dims) / width, width]) });
    return (y!.data as Float32Array).reduce((sum, each) => sum + each, 0);
  }

  /** One step as in optim/adamw.ts, in single precision. What is given is not disposed. */
  async adamW({ weight, m, v }: Moments, gradient: DeviceTensor, numbers: StepNumbers, options: AdamWOptions) {
    const { beta1, beta2, epsilon } = options;
    const name = `adamw ${beta1} ${beta2} ${epsilon}`;
    const session = await this.session(name, (g) => adamWGraph(g, beta1, beta2, epsilon), ['weight', 'm', 'v']);
    const flat = [lengthOf(weight.dims)];
    const { kept } = await session.runKeeping({
      w: weight.view(flat),
      m0: m.view(flat),
      v0: v.view(flat),
      g: gradient.view(flat),
      ...Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, scalar(value as number)])),
    });
    return {
      weight: kept.weight!.reshape(weight.dims),
      m: kept.m!.reshape(m.dims),
      v: kept.v!.reshape(v.dims),
    } satisfies Moments;
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
    const flat = (tensor: DeviceTensor): DeviceTensor => tensor.view([tensor.dims[0]!, lengthOf(tail)]);
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
      feeds[`a${i}`] = flat(first);
      if (isMixed) feeds[`b${i}`] = flat(second);
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

function copyGraph(g: GraphBuilder): void {
  g.output('y', g.stopGradient(g.input('x', 'float32', ['N'])));
}

function adamWGraph(g: GraphBuilder, beta1: number, beta2: number, epsilon: number): void {
  const vector = (name: string): Value => g.input(name, 'float32', ['N']);
  const [w, m0, v0, g0] = ['w', 'm0', 'v0', 'g'].map(vector) as [Value, Value, Value, Value];
  const number = (name: keyof StepNumbers): Value => g.input(name, 'float32', []);
  const gradient = g.mul(g0, number('gradientScale'));
  const m = g.add(g.scale(m0, beta1), g.scale(gradient, 1 - beta1));
  const v = g.add(g.scale(v0, beta2), g.scale(g.mul(gradient, gradient), 1 - beta2));
  const root = g.add(g.div(g.sqrt(v), number('correction2')), g.scalar(epsilon));
  g.output('m', m);
  g.output('v', v);
  g.output('weight', g.sub(g.mul(w, number('keep')), g.div(g.mul(m, number('stepSize')), root)));
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
