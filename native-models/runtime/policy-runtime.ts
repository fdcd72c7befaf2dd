/**
 * A loaded policy: its flat weights, optimiser state and sessions on one provider; generates, scores, differentiates,
 * updates. Tensors in, tensors out: knows nothing of tasks, rewards, peers or processes. Owner closes it.
 *
 * Sessions are made on first use. Weights are fed at each run as views of one flat array, so an update is seen by all and the
 * base is in memory once, whatever the sessions. With an adapter the base is frozen and only the adapter's array is trained.
 *
 * Where the provider keeps tensors (WebGPU), weights, gradient and moments stay on the card (device-policy.ts), and the arrays
 * here are behind after an update: `fetch` before reading them, `hostChanged` after writing.
 */
import type { BesideBytes } from '../graph/builder.ts';
import { lowerGraph } from '../graph/lower.ts';
import {
  adamWStep,
  clipFactor,
  createAdamWState,
  globalNorm,
  type AdamWOptions,
  type AdamWState,
} from '../optim/adamw.ts';
import { decodeGraph, gradientGraph, scoreGraph, type TokenLossFunction } from '../policy/graphs.ts';
import { compressWeights, type CompressedPrecision } from '../policy/compressed-weights.ts';
import { adapterSlots, mergeAdapter, type AdapterConfig } from '../policy/adapter.ts';
import { parameterCount, parameterSlots, type ParameterSlot } from '../policy/parameters.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';
import { rotaryTable } from '../policy/rope.ts';
import { bucketRows, microBatch, type MicroBatch, type TrainRow } from './batch.ts';
import { compactFeeds } from './compact-batch.ts';
import { DeviceMath } from './device-math.ts';
import { DevicePolicy } from './device-policy.ts';
import { GraphSession, keepsTensors, type Feeds, type TensorView, type TensorViews } from './ort-session.ts';
import { loweringFor, type ProviderName } from './provider.ts';

export interface PolicyRuntimeOptions {
  config: PolicyConfig;
  weights: Float32Array;
  /** Freezes the weights and trains these matrices instead, flat in the order of `adapterSlots`. */
  adapter?: { config: AdapterConfig; weights: Float32Array } | null;
  provider: ProviderName;
  /** Of the provider's devices; left out, its first. */
  device?: number;
  threads: number;
  padId: number;
  /** host: everything is fed from main memory at each run, whatever the provider can keep. */
  residency?: 'host';
  verbosePlacement?: boolean;
}
/** What a decode step computes in. */
export type DecodePrecision = 'f32' | CompressedPrecision;

interface SessionModel {
  model: Uint8Array;
  /** Results that stay on the card. */
  keep?: readonly string[];
  beside?: ReadonlyMap<string, BesideBytes>;
}

/** Called between two runs of a session: may wait (pause) or throw (cancel). */
export type Checkpoint = () => Promise<void> | void;

export interface GradientSum {
  loss: number;
  metrics: Record<string, number>;
  tokens: number;
}
export interface UpdateResult {
  gradientNorm: number;
  /** False when the gradient was not finite: nothing was changed. */
  applied: boolean;
  learningRate: number;
}

export const MAX_BAD_GRADIENTS = 5;

export class PolicyRuntime {
  readonly config: PolicyConfig;
  readonly provider: ProviderName;
  /** Of the policy itself, without its adapter. */
  readonly weights: Float32Array;
  readonly adapter: AdapterConfig | null;
  /** What an update changes: the adapter's matrices, or `weights` itself. */
  readonly trained: Float32Array;
  /** Of `trained`. */
  readonly slots: readonly ParameterSlot[];
  readonly padId: number;
  private readonly options: PolicyRuntimeOptions;
  private readonly sessions = new Map<string, GraphSession>();
  /** Objectives by name, to make a session again that was given up. */
  private readonly gradientModels = new Map<string, Uint8Array>();
  private precision: DecodePrecision = 'f32';
  /** Weights that the decode session is fed. */
  private decodeViews: TensorViews | null = null;
  private readonly weightViews: TensorViews;
  private referenceViews: TensorViews | null = null;
  /** Made when first asked for: scoring and decoding need neither. */
  private optimizerState: AdamWState | null = null;
  private gradientSum: Float32Array | null = null;
  /** Second buffer that a micro-batch's gradient lands in before it is added. */
  private partial: Float32Array | null = null;
  /** Null where everything is fed from main memory. */
  readonly onCard: DevicePolicy | null;
  private gradientRows = 0;
  /** In a row. */
  private badGradients = 0;
  private rotary: { cos: TensorView; sin: TensorView } | null = null;

  constructor(options: PolicyRuntimeOptions) {
    this.options = options;
    this.config = options.config;
    this.provider = options.provider;
    this.padId = options.padId;
    this.weights = options.weights;
    this.adapter = options.adapter?.config ?? null;
    const baseSlots = parameterSlots(options.config);
    requireLength('weights', options.weights, baseSlots);
    this.slots = this.adapter ? adapterSlots(options.config, this.adapter) : baseSlots;
    this.trained = options.adapter?.weights ?? options.weights;
    requireLength('trained weights', this.trained, this.slots);
    const base = viewsOf(baseSlots, this.weights);
    this.weightViews = this.adapter ? { ...base, ...viewsOf(this.slots, this.trained) } : base;
    // Matrices of zeros leave the base as it is: with an adapter the reference costs no memory worth the name.
    if (this.adapter) this.referenceViews = { ...base, ...viewsOf(this.slots, new Float32Array(this.trained.length)) };
    const { provider, device = 0, threads, verbosePlacement = false } = options;
    this.onCard =
      options.residency !== 'host' && keepsTensors(provider)
        ? new DevicePolicy(new DeviceMath({ provider, device, threads, verbosePlacement }), {
            views: this.weightViews,
            slots: this.slots,
            trained: this.trained,
            optimizer: () => this.optimizer,
          })
        : null;
  }

  /** Brings `weights`, `trained` and `optimizer` up to date. */
  async fetch(): Promise<void> {
    await this.onCard?.fetch();
  }

  /** `trained` or `optimizer` were written to. */
  hostChanged(): void {
    this.onCard?.hostChanged();
  }

  get optimizer(): AdamWState {
    return (this.optimizerState ??= createAdamWState(this.trained.length));
  }

  private get gradient(): Float32Array {
    return (this.gradientSum ??= new Float32Array(this.trained.length));
  }

  /** The policy as plain weights: a new array where there is an adapter to work in. */
  mergedWeights(): Float32Array {
    return this.adapter ? mergeAdapter(this.config, this.weights, this.adapter, this.trained) : this.weights;
  }

  /** Adds an objective's gradient graph under a name. */
  async defineObjective(name: string, loss: TokenLossFunction): Promise<void> {
    await this.defineGradient(
      name,
      lowerGraph(gradientGraph(this.config, loss, this.adapter), loweringFor(this.provider), name),
    );
  }

  /** The same from a model that another process has lowered for this provider. */
  async defineGradient(name: string, model: Uint8Array): Promise<void> {
    await this.sessions.get(`gradient:${name}`)?.close();
    this.sessions.delete(`gradient:${name}`);
    this.gradientModels.set(name, model);
    await this.gradientSession(name, model);
  }

  private gradientSession(name: string, model: Uint8Array): Promise<GraphSession> {
    const keep = this.onCard ? { keep: this.slots.map((slot) => `grad:${slot.name}`) } : {};
    return this.session(`gradient:${name}`, () => ({ model, ...keep }));
  }

  /**
   * Adds the gradient of `rows` under an objective to what has been accumulated since the last update.
   * @param maxTokens padded tokens of one micro-batch
   */
  async accumulate(
    objective: string,
    rows: readonly TrainRow[],
    maxTokens: number,
    checkpoint: Checkpoint,
  ): Promise<GradientSum> {
    const model = this.gradientModels.get(objective);
    if (!model) throw new Error(`objective ${objective} is not defined`);
    const session = await this.gradientSession(objective, model);
    const sum: GradientSum = { loss: 0, metrics: {}, tokens: 0 };
    for (const bucket of bucketRows(rows, maxTokens)) {
      await checkpoint();
      const batch = microBatch(
        bucket.map((i) => rows[i]!),
        this.padId,
      );
      const results = await this.addGradient(session, await this.batchFeeds(batch), this.gradientRows === 0);
      this.gradientRows += batch.rows;
      sum.loss += scalar(results.loss!);
      sum.tokens += batch.realTokens;
      for (const [name, view] of Object.entries(results)) {
        if (name.startsWith('metric:')) sum.metrics[name.slice(7)] = (sum.metrics[name.slice(7)] ?? 0) + scalar(view);
      }
    }
    return sum;
  }

  /** Runs once; its gradient takes the place of what there is, or is added to it. */
  private async addGradient(session: GraphSession, feeds: Feeds, isFirst: boolean): Promise<TensorViews> {
    if (this.onCard) {
      const { results, kept } = await session.runKeeping(feeds);
      await this.onCard.addGradient(kept, isFirst);
      return results;
    }
    const target = isFirst ? this.gradient : (this.partial ??= new Float32Array(this.gradient.length));
    const results = await session.run(feeds, viewsOf(this.slots, target, 'grad:'));
    if (!isFirst) for (let i = 0; i < target.length; i++) this.gradient[i]! += target[i]!;
    return results;
  }

  /**
   * One optimiser step on the accumulated gradient, which is then forgotten. One that is not finite is left out.
   * @throws Error `gradientNotFinite` when several in a row were
   */
  async update(options: AdamWOptions, maxGradientNorm: number): Promise<UpdateResult> {
    const gradientNorm = this.gradientRows > 0 ? await this.gradientNorm() : 0;
    const applied = this.gradientRows > 0 && Number.isFinite(gradientNorm);
    if (applied) {
      const scale = maxGradientNorm > 0 ? clipFactor(gradientNorm, maxGradientNorm) : 1;
      if (this.onCard) await this.onCard.step(options, scale);
      else adamWStep(this.trained, this.gradient, this.optimizer, this.slots, options, scale);
    }
    const isBad = !applied && this.gradientRows > 0;
    this.gradientRows = 0;
    this.badGradients = isBad ? this.badGradients + 1 : 0;
    if (this.badGradients >= MAX_BAD_GRADIENTS) throw badGradientError(this.badGradients);
    return { gradientNorm, applied, learningRate: options.learningRate };
  }

  private async gradientNorm(): Promise<number> {
    return this.onCard ? this.onCard.gradientNorm() : globalNorm(this.gradient);
  }

  /** Forgets what has been accumulated. */
  dropGradient(): void {
    this.gradientRows = 0;
  }

  /** Brings `gradients` up to date where they are on the card. */
  async fetchGradients(): Promise<void> {
    await this.onCard?.fetchGradient(this.gradient);
  }

  /** Gradient of the last accumulation by weight name: views, valid until the next one. */
  gradients(): Record<string, Float32Array> {
    return Object.fromEntries(
      this.slots.map((slot) => [slot.name, this.gradient.subarray(slot.offset, slot.offset + slot.length)]),
    );
  }

  /** The same as one array in the order of `slots`. */
  flatGradient(): Float32Array {
    return this.gradient;
  }

  /** Keeps a second set of weights to score with: as much memory again as the policy's own. */
  setReference(weights: Float32Array): void {
    requireLength('reference weights', weights, this.slots);
    this.referenceViews = viewsOf(this.slots, weights);
  }

  get hasReference(): boolean {
    return this.referenceViews !== null;
  }

  /** Natural log-probs of each row's completion tokens, under the policy as it is now or under the reference. */
  async score(
    rows: readonly { tokens: readonly number[]; promptLength: number }[],
    maxTokens: number,
    checkpoint: Checkpoint,
    under: 'policy' | 'reference' = 'policy',
  ): Promise<number[][]> {
    const weights = under === 'policy' ? this.weightViews : this.referenceViews;
    if (!weights) throw new Error('score: no reference weights were set');
    const session = await this.session('score', () => ({
      model: lowerGraph(scoreGraph(this.config, this.adapter), loweringFor(this.provider), 'score'),
    }));
    const result: number[][] = rows.map(() => []);
    const trainRows = rows.map((row): TrainRow => ({ ...row, advantage: 0, rowWeight: 0, behaviorLogprobs: null }));
    for (const bucket of bucketRows(rows, maxTokens)) {
      await checkpoint();
      const batch = microBatch(
        bucket.map((i) => trainRows[i]!),
        this.padId,
      );
      const { logprobs } = await session.run(await this.sequenceFeeds(batch, weights));
      bucket.forEach((index, r) => {
        const { tokens, promptLength } = rows[index]!;
        const start = r * batch.length + Math.max(0, promptLength - 1);
        result[index] = Array.from(
          (logprobs!.data as Float32Array).subarray(start, r * batch.length + tokens.length - 1),
        );
      });
    }
    return result;
  }

  /** What decoding computes in from now on. Compressed weights belong to its session: they are made here, and end with it. */
  async decodeIn(precision: DecodePrecision): Promise<void> {
    if (precision !== 'f32' && !this.adapter) throw new Error(`decodeIn ${precision}: the weights are trained`);
    this.precision = precision;
    this.decodeViews = null;
    if (precision !== 'f32') await this.fetch();
    await this.decodeSession(precision);
    for (const [name, session] of this.sessions) {
      if (!name.startsWith('decode:') || name === `decode:${precision}`) continue;
      this.sessions.delete(name);
      await session.close();
    }
  }

  /** What decoding computes in. */
  get decodePrecision(): DecodePrecision {
    return this.precision;
  }

  /** The decode session with its fixed feeds, for generate.ts. `positions`: the longest row that will be decoded. */
  async decoder(positions: number): Promise<{ session: GraphSession; feeds: Feeds }> {
    const session = await this.decodeSession(this.precision);
    this.decodeViews ??= onlyNamed(this.weightViews, session.inputNames);
    return {
      session,
      feeds: { ...(await this.weightFeeds(this.decodeViews)), ...(await this.rotaryFeeds(positions)) },
    };
  }

  private decodeSession(precision: DecodePrecision): Promise<GraphSession> {
    return this.session(`decode:${precision}`, () => {
      // Not kept here: the session makes its own form of them.
      const compressed = precision === 'f32' ? null : compressWeights(this.config, this.weights, precision);
      const returned = this.onCard ? 'cache' : 'entries';
      const graph = decodeGraph(this.config, { adapter: this.adapter, compressed, returned });
      return { model: lowerGraph(graph, loweringFor(this.provider), 'decode'), beside: graph.constantsBeside() };
    });
  }

  /**
   * After memory ran out: gives back what sessions have taken for their passes, and forgets the gradient. Each session is made
   * again when it is next used.
   */
  async release(): Promise<void> {
    this.dropGradient();
    this.partial = null;
    await this.fetch();
    await this.close();
  }

  async close(): Promise<void> {
    const sessions = [...this.sessions.values()];
    this.sessions.clear();
    for (const session of sessions) await session.close();
    await this.onCard?.close();
  }

  private async session(name: string, make: () => SessionModel): Promise<GraphSession> {
    const known = this.sessions.get(name);
    if (known) return known;
    const { provider, device = 0, threads, verbosePlacement } = this.options;
    const shapesRepeat = false;
    const { model, keep, beside } = make();
    const made = await GraphSession.open(model, {
      provider,
      device,
      threads,
      shapesRepeat,
      ...(keep ? { keep } : {}),
      ...(beside ? { beside } : {}),
      ...(verbosePlacement ? { verbosePlacement } : {}),
    });
    this.sessions.set(name, made);
    return made;
  }

  /** Tables for at least so many positions, made longer when a longer text comes: a context may have a million. */
  private async rotaryFeeds(positions: number): Promise<Feeds> {
    if (!this.rotary || this.rotary.cos.dims[0]! < positions) {
      const rows = Math.min(this.config.contextTokens, 2 ** Math.ceil(Math.log2(Math.max(positions, 512))));
      const { cos, sin } = rotaryTable(this.config, Math.max(rows, positions));
      const dims = [Math.max(rows, positions), this.config.headDim / 2];
      this.rotary = { cos: { data: cos, dims }, sin: { data: sin, dims } };
    }
    return this.onCard ? this.onCard.keep(this.rotary) : this.rotary;
  }

  private async weightFeeds(views: TensorViews = this.weightViews): Promise<Feeds> {
    return this.onCard ? this.onCard.feeds(views) : views;
  }

  private async sequenceFeeds(batch: MicroBatch, weights = this.weightViews): Promise<Feeds> {
    const dims = [batch.rows, batch.length];
    const shared = this.config.heads / this.config.kvHeads;
    return {
      ...(await this.weightFeeds(weights)),
      ...(await this.rotaryFeeds(batch.length)),
      ...compactFeeds(batch),
      positions: {
        data: BigInt64Array.from({ length: batch.rows * batch.length }, (_, i) => BigInt(i % batch.length)),
        dims,
      },
      mask: { data: causalMask(shared, batch.length), dims: [shared * batch.length, batch.length] },
    };
  }

  private async batchFeeds(batch: MicroBatch): Promise<Feeds> {
    const dims = [batch.rows, batch.length];
    return {
      ...(await this.sequenceFeeds(batch)),
      completionMask: { data: batch.completionMask, dims },
      behaviorLogprobs: { data: batch.behaviorLogprobs, dims },
      referenceLogprobs: { data: batch.referenceLogprobs, dims },
      advantages: { data: batch.advantages, dims: [batch.rows] },
      rowWeights: { data: batch.rowWeights, dims: [batch.rows] },
    };
  }
}

function viewsOf(slots: readonly ParameterSlot[], flat: Float32Array, prefix = ''): TensorViews {
  return Object.fromEntries(
    slots.map(({ name, shape, offset, length }) => [
      prefix + name,
      { data: flat.subarray(offset, offset + length), dims: shape },
    ]),
  );
}

function onlyNamed(views: TensorViews, names: readonly string[]): TensorViews {
  const named = new Set(names);
  return Object.fromEntries(Object.entries(views).filter(([name]) => named.has(name)));
}

function requireLength(what: string, flat: Float32Array, slots: readonly ParameterSlot[]): void {
  const count = parameterCount(slots);
  if (flat.length !== count) throw new Error(`${flat.length} ${what} given, the config needs ${count}`);
}

export function badGradientError(count: number): Error {
  return Object.assign(
    new Error(`The gradient was not finite ${count} times in a row: the policy cannot be trained on`),
    {
      code: 'gradientNotFinite',
      fix: 'Lower learningRate or maxGradientNorm and start again from an earlier checkpoint.',
    },
  );
}

function scalar(view: TensorView): number {
  return Number(view.data[0]);
}

/** [G*T,T]: 0 where a token may look, -1e9 ahead of it. */
function causalMask(groups: number, length: number): Float32Array {
  const mask = new Float32Array(groups * length * length);
  for (let row = 0; row < groups * length; row++)
    mask.fill(-1e9, row * length + (row % length) + 1, (row + 1) * length);
  return mask;
}
