/**
 * A policy's numbers in the graphics card's memory between runs: weights, gradient, AdamW's moments. They are put there when first
 * needed and stay; the host's arrays are behind from the first step on, until `fetch`. Knows nothing of graphs or batches. Owner
 * closes it.
 *
 * Invariant: each of the maps below owns its tensors, and what replaces one disposes it.
 */
import { elementCount } from '../graph/shape.ts';
import type { AdamWOptions, AdamWState } from '../optim/adamw.ts';
import type { ParameterSlot } from '../policy/parameters.ts';
import type { DeviceMath } from './device-math.ts';
import type { DeviceTensor, Feeds, TensorViews } from './ort-session.ts';

type Tensors = Map<string, DeviceTensor>;

export interface DevicePolicyParts {
  /** Every weight by name, those that are trained among them. */
  views: TensorViews;
  /** Of what is trained. */
  slots: readonly ParameterSlot[];
  trained: Float32Array;
  optimizer: () => AdamWState;
}

export class DevicePolicy {
  readonly math: DeviceMath;
  private readonly parts: DevicePolicyParts;
  private readonly weights: Tensors = new Map();
  private readonly gradient: Tensors = new Map();
  private readonly firstMoments: Tensors = new Map();
  private readonly secondMoments: Tensors = new Map();
  /** Other things that are fed at each run, by the view they were made of. */
  private readonly fixed = new Map<object, DeviceTensor>();
  /** The host's arrays are behind. */
  private isAhead = false;

  constructor(math: DeviceMath, parts: DevicePolicyParts) {
    this.math = math;
    this.parts = parts;
  }

  /** All weights, to be fed. */
  async feeds(views: TensorViews = this.parts.views): Promise<Feeds> {
    const fed: Feeds = {};
    for (const [name, { data, dims }] of Object.entries(views)) {
      // Under the same name and of the same array: else it is a reference's, which is fed from here.
      if (this.parts.views[name]?.data !== data) fed[name] = views[name]!;
      else fed[name] = await known(this.weights, name, () => this.math.put(data as Float32Array, dims));
    }
    return fed;
  }

  /** A table that is the same at each run. */
  async keep(views: TensorViews): Promise<Feeds> {
    const fed: Feeds = {};
    for (const [name, view] of Object.entries(views))
      fed[name] = await known(this.fixed, view, () => this.math.put(view.data as Float32Array, view.dims));
    return fed;
  }

  /** Takes over a micro-batch's `grad:NAME`. `isFirst`: since the last step. */
  async addGradient(kept: Readonly<Record<string, DeviceTensor>>, isFirst: boolean): Promise<void> {
    const parts = this.parts.slots.map(({ name }) => ({ name, part: kept[`grad:${name}`]! }));
    if (isFirst) {
      for (const { name, part } of parts) replace(this.gradient, name, part);
      return;
    }
    const sums = await this.math.add(parts.map(({ name, part }) => ({ a: this.gradient.get(name)!, b: part })));
    parts.forEach(({ name, part }, i) => {
      replace(this.gradient, name, sums[i]!);
      part.dispose();
    });
  }

  async gradientNorm(): Promise<number> {
    return Math.sqrt(await this.math.sumOfSquares([...this.gradient.values()]));
  }

  /** One step of what is trained, as optim/adamw.ts takes it; counts in the host's `step`. */
  async step(options: AdamWOptions, gradientScale: number): Promise<void> {
    const { slots, optimizer } = this.parts;
    const state = optimizer();
    await this.feeds();
    await this.putMoments(state);
    state.step++;
    this.isAhead = true;
    const stepSize = options.learningRate / (1 - options.beta1 ** state.step);
    const correction2 = Math.sqrt(1 - options.beta2 ** state.step);
    const matrices = slots.map(({ name, decays }) => ({
      name,
      weight: this.weights.get(name)!,
      m: this.firstMoments.get(name)!,
      v: this.secondMoments.get(name)!,
      gradient: this.gradient.get(name)!,
      keep: decays ? 1 - options.learningRate * options.weightDecay : 1,
    }));
    await this.math.adamW(matrices, { gradientScale, stepSize, correction2 }, options, ({ name }, after) => {
      replace(this.weights, name, after.weight);
      replace(this.firstMoments, name, after.m);
      replace(this.secondMoments, name, after.v);
    });
  }

  /** Brings the host's arrays to where the card is: before they are read. */
  async fetch(): Promise<void> {
    if (!this.isAhead) return;
    const { slots, trained, optimizer } = this.parts;
    const { m, v } = optimizer();
    const wanted = slots.flatMap(({ name, offset, length }) =>
      (
        [
          [this.weights, trained],
          [this.firstMoments, m],
          [this.secondMoments, v],
        ] as const
      ).map(([tensors, flat]) => ({
        source: tensors.get(name)!,
        target: flat.subarray(offset, offset + length),
      })),
    );
    await this.math.fetch(wanted);
    this.isAhead = false;
  }

  /** Copies the gradient into an array in the order of the slots. */
  async fetchGradient(flat: Float32Array): Promise<void> {
    const wanted = this.parts.slots.map(({ name, offset, length }) => ({
      source: this.gradient.get(name)!,
      target: flat.subarray(offset, offset + length),
    }));
    await this.math.fetch(wanted);
  }

  /** The host's arrays of what is trained were written: what is here is behind. Call `fetch` before writing. */
  hostChanged(): void {
    this.isAhead = false;
    for (const { name } of this.parts.slots)
      for (const tensors of [this.weights, this.firstMoments, this.secondMoments]) forget(tensors, name);
  }

  /** Tensors and bytes on the card. */
  get held(): { tensors: number; bytes: number; locations: ReadonlySet<string> } {
    const all = [this.weights, this.gradient, this.firstMoments, this.secondMoments, this.fixed].flatMap((each) => [
      ...each.values(),
    ]);
    const bytes = all.reduce((sum, { dims }) => sum + 4 * elementCount(dims), 0);
    return { tensors: all.length, bytes, locations: new Set(all.map(({ location }) => location)) };
  }

  async close(): Promise<void> {
    for (const tensors of [this.weights, this.gradient, this.firstMoments, this.secondMoments, this.fixed]) {
      for (const tensor of tensors.values()) tensor.dispose();
      tensors.clear();
    }
    await this.math.close();
  }

  private async putMoments({ m, v }: AdamWState): Promise<void> {
    for (const { name, shape, offset, length } of this.parts.slots) {
      const put = (flat: Float32Array) => () => this.math.put(flat.subarray(offset, offset + length), shape);
      await known(this.firstMoments, name, put(m));
      await known(this.secondMoments, name, put(v));
    }
  }
}

async function known<K>(
  tensors: Map<K, DeviceTensor>,
  key: K,
  make: () => Promise<DeviceTensor>,
): Promise<DeviceTensor> {
  const there = tensors.get(key);
  if (there) return there;
  const made = await make();
  tensors.set(key, made);
  return made;
}

function forget(tensors: Tensors, name: string): void {
  tensors.get(name)?.dispose();
  tensors.delete(name);
}

function replace(tensors: Tensors, name: string, tensor: DeviceTensor): void {
  forget(tensors, name);
  tensors.set(name, tensor);
}
