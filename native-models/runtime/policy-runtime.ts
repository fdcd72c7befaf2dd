/**
 * A loaded policy: its flat weights, optimiser state and sessions on one provider; generates, scores, differentiates,
 * updates. Tensors in, tensors out: knows nothing of tasks, rewards, peers or processes. Owner closes it.
 *
 * Sessions are made on first use. Weights are fed at each run as views of one flat array, so an update is seen by all.
 */
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
import { parameterCount, parameterSlots, type ParameterSlot } from '../policy/parameters.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';
import { rotaryTable } from '../policy/rotary-table.ts';
import { bucketRows, microBatch, type MicroBatch, type TrainRow } from './batch.ts';
import { GraphSession, type TensorView, type TensorViews } from './ort-session.ts';
import { loweringFor, type ProviderName } from './provider.ts';

export interface PolicyRuntimeOptions {
  config: PolicyConfig;
  weights: Float32Array;
  provider: ProviderName;
  threads: number;
  padId: number;
  verbosePlacement?: boolean;
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

export class PolicyRuntime {
  readonly config: PolicyConfig;
  readonly provider: ProviderName;
  readonly weights: Float32Array;
  readonly optimizer: AdamWState;
  readonly slots: readonly ParameterSlot[];
  readonly padId: number;
  private readonly options: PolicyRuntimeOptions;
  private readonly sessions = new Map<string, GraphSession>();
  private readonly weightViews: TensorViews;
  private referenceViews: TensorViews | null = null;
  private readonly gradient: Float32Array;
  /** Second buffer that a micro-batch's gradient lands in before it is added. */
  private partial: Float32Array | null = null;
  private gradientRows = 0;
  private readonly rotary: { cos: TensorView; sin: TensorView };

  constructor(options: PolicyRuntimeOptions) {
    this.options = options;
    this.config = options.config;
    this.provider = options.provider;
    this.padId = options.padId;
    this.slots = parameterSlots(options.config);
    const count = parameterCount(this.slots);
    if (options.weights.length !== count)
      throw new Error(`${options.weights.length} weights given, the config needs ${count}`);
    this.weights = options.weights;
    this.optimizer = createAdamWState(count);
    this.gradient = new Float32Array(count);
    this.weightViews = this.viewsOf(this.weights, '');
    const { cos, sin } = rotaryTable(options.config, options.config.contextTokens);
    const dims = [options.config.contextTokens, options.config.headDim / 2];
    this.rotary = { cos: { data: cos, dims }, sin: { data: sin, dims } };
  }

  /** Adds an objective's gradient graph under a name. */
  async defineObjective(name: string, loss: TokenLossFunction): Promise<void> {
    await this.defineGradient(name, lowerGraph(gradientGraph(this.config, loss), loweringFor(this.provider), name));
  }

  /** The same from a model that another process has lowered for this provider. */
  async defineGradient(name: string, model: Uint8Array): Promise<void> {
    await this.sessions.get(`gradient:${name}`)?.close();
    this.sessions.delete(`gradient:${name}`);
    await this.session(`gradient:${name}`, () => model);
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
    const session = this.sessions.get(`gradient:${objective}`);
    if (!session) throw new Error(`objective ${objective} is not defined`);
    const sum: GradientSum = { loss: 0, metrics: {}, tokens: 0 };
    for (const bucket of bucketRows(
      rows.map((row) => row.tokens.length),
      maxTokens,
    )) {
      await checkpoint();
      const batch = microBatch(
        bucket.map((i) => rows[i]!),
        this.padId,
      );
      const first = this.gradientRows === 0;
      const target = first ? this.gradient : (this.partial ??= new Float32Array(this.gradient.length));
      const results = await session.run(this.batchFeeds(batch), this.viewsOf(target, 'grad:'));
      if (!first) for (let i = 0; i < target.length; i++) this.gradient[i]! += target[i]!;
      this.gradientRows += batch.rows;
      sum.loss += scalar(results.loss!);
      sum.tokens += batch.realTokens;
      for (const [name, view] of Object.entries(results)) {
        if (name.startsWith('metric:')) sum.metrics[name.slice(7)] = (sum.metrics[name.slice(7)] ?? 0) + scalar(view);
      }
    }
    return sum;
  }

  /** One optimiser step on the accumulated gradient, which is then forgotten. */
  update(options: AdamWOptions, maxGradientNorm: number): UpdateResult {
    const gradientNorm = this.gradientRows > 0 ? globalNorm(this.gradient) : 0;
    const applied = this.gradientRows > 0 && Number.isFinite(gradientNorm);
    if (applied) {
      const scale = maxGradientNorm > 0 ? clipFactor(gradientNorm, maxGradientNorm) : 1;
      adamWStep(this.weights, this.gradient, this.optimizer, this.slots, options, scale);
    }
    this.gradientRows = 0;
    return { gradientNorm, applied, learningRate: options.learningRate };
  }

  /** Forgets what has been accumulated. */
  dropGradient(): void {
    this.gradientRows = 0;
  }

  /** Gradient of the last accumulation by weight name: views, valid until the next one. */
  gradients(): Record<string, Float32Array> {
    return Object.fromEntries(
      this.slots.map((slot) => [slot.name, this.gradient.subarray(slot.offset, slot.offset + slot.length)]),
    );
  }

  /** Keeps a second set of weights to score with: as much memory again as the policy's own. */
  setReference(weights: Float32Array): void {
    if (weights.length !== this.weights.length)
      throw new Error(`${weights.length} reference weights given, the policy has ${this.weights.length}`);
    this.referenceViews = this.viewsOf(weights, '');
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
    const session = await this.session('score', () =>
      lowerGraph(scoreGraph(this.config), loweringFor(this.provider), 'score'),
    );
    const result: number[][] = rows.map(() => []);
    const trainRows = rows.map((row): TrainRow => ({ ...row, advantage: 0, rowWeight: 0, behaviorLogprobs: null }));
    for (const bucket of bucketRows(
      rows.map((row) => row.tokens.length),
      maxTokens,
    )) {
      await checkpoint();
      const batch = microBatch(
        bucket.map((i) => trainRows[i]!),
        this.padId,
      );
      const { logprobs } = await session.run({ ...this.sequenceFeeds(batch), ...weights });
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

  /** The decode session with its fixed feeds, for generate.ts. */
  async decoder(): Promise<{ session: GraphSession; feeds: TensorViews }> {
    const session = await this.session('decode', () =>
      lowerGraph(decodeGraph(this.config), loweringFor(this.provider), 'decode'),
    );
    return { session, feeds: { ...this.weightViews, ...this.rotary } };
  }

  async close(): Promise<void> {
    const sessions = [...this.sessions.values()];
    this.sessions.clear();
    for (const session of sessions) await session.close();
  }

  private async session(name: string, model: () => Uint8Array): Promise<GraphSession> {
    const known = this.sessions.get(name);
    if (known) return known;
    const { provider, threads, verbosePlacement } = this.options;
    const shapesRepeat = false;
    const made = await GraphSession.open(model(), {
      provider,
      threads,
      shapesRepeat,
      ...(verbosePlacement ? { verbosePlacement } : {}),
    });
    this.sessions.set(name, made);
    return made;
  }

  private viewsOf(flat: Float32Array, prefix: string): TensorViews {
    return Object.fromEntries(
      this.slots.map(({ name, shape, offset, length }) => [
        prefix + name,
        { data: flat.subarray(offset, offset + length), dims: shape },
      ]),
    );
  }

  private sequenceFeeds(batch: MicroBatch): TensorViews {
    const dims = [batch.rows, batch.length];
    const shared = this.config.heads / this.config.kvHeads;
    return {
      ...this.weightViews,
      ...this.rotary,
      tokens: { data: batch.tokens, dims },
      targets: { data: batch.targets, dims },
      positions: {
        data: BigInt64Array.from({ length: batch.rows * batch.length }, (_, i) => BigInt(i % batch.length)),
        dims,
      },
      mask: { data: causalMask(shared, batch.length), dims: [shared * batch.length, batch.length] },
    };
  }

  private batchFeeds(batch: MicroBatch): TensorViews {
    const dims = [batch.rows, batch.length];
    return {
      ...this.sequenceFeeds(batch),
      completionMask: { data: batch.completionMask, dims },
      behaviorLogprobs: { data: batch.behaviorLogprobs, dims },
      referenceLogprobs: { data: batch.referenceLogprobs, dims },
      advantages: { data: batch.advantages, dims: [batch.rows] },
      rowWeights: { data: batch.rowWeights, dims: [batch.rows] },
    };
  }
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
