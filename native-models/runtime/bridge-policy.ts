/**
 * BRIDGE (arXiv 2509.06948): a policy that learns from demonstrations (SFT) and from rewards (RL) at once, in weights theta and
 * a low-rank adapter w, with a persistent auxiliary theta-hat that sees rewards only. L = -J, minimised:
 *
 *     theta     -= a [(1-l) grad_theta L_SFT(theta,w) + l grad_theta L_RL(theta,w)]
 *     theta-hat -= a grad L_RL(theta-hat,w)                       (the draft prints the other sign)
 *     w         -= b [(1-l) grad_w L_SFT(theta,w) + l (grad_w L_RL(theta,w) - grad_w L_RL(theta-hat,w))]
 *
 * All three read the weights of step k. The last term makes w the part that demonstrations help rewards with. Two backward passes
 * through one graph over what both make up together (bridge-layout.ts). Decisions: AdamW in place of plain ascent, each of the three
 * with its own moments and norm clipping. L_RL is the sum of the parts of `rollouts`: own groups' and peers' objective.
 * Without `adapter` it is the convex mix of both losses; without `gain` the adapter is trained like theta (the control).
 *
 * The cooperative gain J_RL(theta,w) - J_RL(theta-hat,w) is measured on the step's rollouts, by the RL objectives' own values; by
 * `undivided` where an objective has that metric, because its own value is always 0 (ASymPO).
 * Knows nothing of tasks, rewards or processes. The owner keeps and closes the runtime.
 */
import {
  adamWStep,
  clipFactor,
  createAdamWState,
  globalNorm,
  type AdamWOptions,
  type AdamWState,
} from '../optim/adamw.ts';
import { initialAdapter } from '../policy/adapter.ts';
import type { ParameterSlot } from '../policy/parameters.ts';
import type { TrainRow } from './batch.ts';
import type { BridgeLayout } from './bridge-layout.ts';
import {
  MAX_BAD_GRADIENTS,
  badGradientError,
  type Checkpoint,
  type GradientSum,
  type PolicyRuntime,
} from './policy-runtime.ts';

export interface BridgeOptions {
  layout: BridgeLayout;
  /** Where training starts: the runtime's own weights, or its first adapter's. Kept and changed. */
  theta: Float32Array;
  /** Whether the adapter is trained on the cooperative gain; needs theta-hat. */
  gain: boolean;
  /** For the adapter's start, uniform in [0, 1). */
  random: () => number;
}
export interface BridgeStep {
  /** Name of the gradient graph for demonstrations. */
  sft: string;
  demonstrations: readonly TrainRow[];
  /** Each under a gradient graph that the runtime knows; `rowWeight`s add up over all parts. */
  rollouts: readonly { objective: string; rows: readonly TrainRow[] }[];
  /** l: 0 is SFT alone, 1 RL alone. */
  lambda: number;
  theta: AdamWOptions;
  adapter: AdamWOptions;
  maxTokens: number;
  maxGradientNorm: number;
}
export interface BridgeOutcome {
  /** Null where lambda or the lack of rows left it out. Losses are of full weight, whatever lambda. */
  sft: GradientSum | null;
  /** One for each part of `rollouts`; empty where left out. */
  rl: GradientSum[];
  /** Null without theta-hat or without rollouts. */
  cooperativeGain: number | null;
  /** Of theta, before clipping. */
  gradientNorm: number;
  adapterGradientNorm: number | null;
  /** False when there was nothing to learn from or a gradient was not finite: nothing was changed. */
  applied: boolean;
}

/** One of theta, theta-hat and w. */
interface Trainee {
  weights: Float32Array;
  state: AdamWState;
  slots: readonly ParameterSlot[];
}
type BridgePart = 'theta' | 'hat' | 'adapter';
/** Optimiser steps of each part; `startedAt`: theta's when BRIDGE began, for a policy that was trained otherwise before. */
export type BridgeCounts = Record<BridgePart | 'startedAt', number>;

export class BridgePolicy {
  private readonly runtime: PolicyRuntime;
  private readonly layout: BridgeLayout;
  private readonly parts: Partial<Record<BridgePart, Trainee>> & { theta: Trainee };
  /** theta's gradient while theta-hat's is computed. */
  private held: Float32Array | null = null;
  /** In a row. */
  private badGradients = 0;
  private startedAt = 0;

  /** The runtime is always set to theta with w, between steps: that is what generates and scores. */
  constructor(runtime: PolicyRuntime, { layout, theta, gain, random }: BridgeOptions) {
    const trainee = (weights: Float32Array, slots: readonly ParameterSlot[]): Trainee => ({
      weights,
      slots,
      state: createAdamWState(weights.length),
    });
    this.runtime = runtime;
    this.layout = layout;
    const { thetaSlots, adapterSlots } = layout;
    this.parts = { theta: trainee(theta, thetaSlots) };
    if (adapterSlots) this.parts.adapter = trainee(initialAdapter(adapterSlots, random), adapterSlots);
    if (adapterSlots && gain) this.parts.hat = trainee(theta.slice(), thetaSlots);
    this.compute('theta');
  }

  get counts(): BridgeCounts {
    const { theta, hat, adapter } = this.parts;
    return {
      theta: theta.state.step,
      hat: hat?.state.step ?? 0,
      adapter: adapter?.state.step ?? 0,
      startedAt: this.startedAt,
    };
  }

  /** All that training changes, by name (`theta`, `theta.m`, `hat.v` ...): the arrays themselves. */
  get tensors(): Record<string, Float32Array> {
    const named = Object.entries(this.parts).map(([name, { weights, state }]) => ({
      [name]: weights,
      [`${name}.m`]: state.m,
      [`${name}.v`]: state.v,
    }));
    return Object.assign({}, ...named) as Record<string, Float32Array>;
  }

  /** After other numbers were put into the tensors. */
  restored({ startedAt, ...steps }: BridgeCounts): void {
    this.startedAt = startedAt;
    for (const name of ['theta', 'hat', 'adapter'] as const) {
      const part = this.parts[name];
      if (part) part.state.step = steps[name];
    }
    this.compute('theta');
  }

  /** After a policy trained otherwise was put into theta's tensors: theta-hat starts as theta does, moments included. */
  begun(steps: number): void {
    const { theta, hat } = this.parts;
    hat?.weights.set(theta.weights);
    hat?.state.m.set(theta.state.m);
    hat?.state.v.set(theta.state.v);
    this.restored({ theta: steps, hat: steps, adapter: 0, startedAt: steps });
  }

  /** @throws Error `gradientNotFinite` when several steps in a row were left out for that */
  async step(step: BridgeStep, checkpoint: Checkpoint = () => undefined): Promise<BridgeOutcome> {
    const { runtime, parts } = this;
    const { sft, demonstrations, rollouts, lambda } = step;
    runtime.dropGradient();
    const sftSum = await this.pass(sft, demonstrations, 1 - lambda, step, checkpoint);
    const rl = await this.passes(rollouts, lambda, step, checkpoint);
    const atTheta = { sft: sftSum, rl };
    if (!sftSum && rl.length === 0)
      return { ...atTheta, cooperativeGain: null, gradientNorm: 0, adapterGradientNorm: null, applied: false };
    const needsHat = parts.hat !== undefined && rl.length > 0;
    const gradient = needsHat ? this.hold(runtime.flatGradient()) : runtime.flatGradient();
    const atHat = needsHat ? await this.passesAtHat(rollouts, step, checkpoint) : null;
    const applied = this.apply(step, gradient, atHat && runtime.flatGradient());
    runtime.dropGradient();
    return { ...atTheta, cooperativeGain: atHat && valueOf(atHat) - valueOf(rl), ...applied };
  }

  private async passes(
    rollouts: BridgeStep['rollouts'],
    share: number,
    step: BridgeStep,
    checkpoint: Checkpoint,
  ): Promise<GradientSum[]> {
    const sums: GradientSum[] = [];
    for (const { objective, rows } of rollouts) {
      const sum = await this.pass(objective, rows, share, step, checkpoint);
      if (sum) sums.push(sum);
    }
    return sums;
  }

  /** Adds `share` times the gradient of the mean loss; null when there is nothing to add. */
  private async pass(
    objective: string,
    rows: readonly TrainRow[],
    share: number,
    { maxTokens }: BridgeStep,
    checkpoint: Checkpoint,
  ): Promise<GradientSum | null> {
    if (share === 0 || rows.length === 0) return null;
    const scaled = rows.map((row) => ({ ...row, rowWeight: row.rowWeight * share }));
    const { loss, metrics, tokens } = await this.runtime.accumulate(objective, scaled, maxTokens, checkpoint);
    const { undivided } = metrics;
    return {
      loss: loss / share,
      metrics: { ...metrics, ...(undivided === undefined ? {} : { undivided: undivided / share }) },
      tokens,
    };
  }

  /** The RL losses and gradient at theta-hat, with which the runtime then computes until `apply`. */
  private async passesAtHat(
    rollouts: BridgeStep['rollouts'],
    step: BridgeStep,
    checkpoint: Checkpoint,
  ): Promise<GradientSum[]> {
    this.runtime.dropGradient();
    this.compute('hat');
    try {
      return await this.passes(rollouts, 1, step, checkpoint);
    } catch (error) {
      this.compute('theta');
      throw error;
    }
  }

  private hold(gradient: Float32Array): Float32Array {
    this.held ??= new Float32Array(gradient.length);
    this.held.set(gradient);
    return this.held;
  }

  /** All gradients are known before anything is changed. */
  private apply(
    step: BridgeStep,
    gradient: Float32Array,
    hatGradient: Float32Array | null,
  ): Pick<BridgeOutcome, 'gradientNorm' | 'adapterGradientNorm' | 'applied'> {
    const { theta, hat, adapter } = this.parts;
    const ofTheta = this.layout.thetaGradient(gradient);
    const ofHat = hatGradient && this.layout.thetaGradient(hatGradient);
    const ofAdapter = adapter && this.gradientOfAdapter(adapter.weights, gradient, hatGradient, step.lambda);
    const norms = [ofTheta, ofHat, ofAdapter].map((each) => (each ? globalNorm(each) : 0));
    const applied = norms.every(Number.isFinite);
    this.badGradients = applied ? 0 : this.badGradients + 1;
    if (applied) {
      update(theta, ofTheta, norms[0]!, step.theta, step.maxGradientNorm);
      if (hat && ofHat) update(hat, ofHat, norms[1]!, step.theta, step.maxGradientNorm);
      if (adapter && ofAdapter) update(adapter, ofAdapter, norms[2]!, step.adapter, step.maxGradientNorm);
    }
    this.compute('theta');
    if (this.badGradients >= MAX_BAD_GRADIENTS) throw badGradientError(this.badGradients);
    return { gradientNorm: norms[0]!, adapterGradientNorm: ofAdapter ? norms[2]! : null, applied };
  }

  private gradientOfAdapter(
    w: Float32Array,
    gradient: Float32Array,
    hatGradient: Float32Array | null,
    lambda: number,
  ): Float32Array {
    const total = this.layout.adapterGradient(gradient, w);
    if (!hatGradient) return total;
    const foregone = this.layout.adapterGradient(hatGradient, w);
    for (let i = 0; i < total.length; i++) total[i]! -= lambda * foregone[i]!;
    return total;
  }

  /** What the runtime generates, scores and differentiates with. */
  private compute(base: 'theta' | 'hat'): void {
    const { weights } = this.parts[base]!;
    this.layout.combine(weights, this.parts.adapter?.weights ?? null, this.runtime.trained);
  }
}

/** L of all parts together. */
function valueOf(sums: readonly GradientSum[]): number {
  return sums.reduce((total, { loss, metrics }) => total + (metrics.undivided ?? loss), 0);
}

function update(
  { weights, state, slots }: Trainee,
  gradient: Float32Array,
  norm: number,
  options: AdamWOptions,
  maxNorm: number,
): void {
  adamWStep(weights, gradient, state, slots, options, clipFactor(norm, maxNorm));
}
