/**
 * BRIDGE (arXiv 2509.06948): a policy that learns from demonstrations (SFT) and from rewards (RL) at once, in weights theta and
 * a low-rank adapter w, with a persistent auxiliary theta-hat that sees rewards only. L = -J, minimised:
 *
 *     theta     -= a [(1-l) grad_theta L_SFT(theta,w) + l grad_theta L_RL(theta,w)]
 *     theta-hat -= a grad L_RL(theta-hat,w)                       (the draft prints the other sign)
 *     w         -= b [(1-l) grad_w L_SFT(theta,w) + l (grad_w L_RL(theta,w) - grad_w L_RL(theta-hat,w))]
 *
 * All three read the weights of step k. The last term makes w the part that demonstrations help rewards with. Two backward passes
 * through one graph over merged weights, theta + s B A and theta-hat + s B A; the adapter's gradient follows from theirs
 * (adapter-gradient.ts). Decisions: AdamW in place of plain ascent, each of the three with its own moments and norm clipping.
 * Without `adapter` it is the convex mix of both losses; without `gain` the adapter is trained like theta (the control).
 *
 * The cooperative gain J_RL(theta,w) - J_RL(theta-hat,w) is measured on the step's rollouts, by the RL objective's own value.
 * Knows nothing of tasks, rewards or processes. The owner keeps and closes the runtime.
 */
import { adamWStep, clipFactor, createAdamWState, globalNorm, type AdamWOptions } from '../optim/adamw.ts';
import { adapterGradient } from '../policy/adapter-gradient.ts';
import { adapterSlots, initialAdapter, mergeAdapter, type AdapterConfig } from '../policy/adapter.ts';
import type { TrainRow } from './batch.ts';
import type { Checkpoint, PolicyRuntime } from './policy-runtime.ts';

export interface BridgeOptions {
  /** Null: theta alone is trained. */
  adapter: AdapterConfig | null;
  /** Whether the adapter is trained on the cooperative gain; needs theta-hat. */
  gain: boolean;
  /** Names of gradient graphs that the runtime knows. */
  objectives: { sft: string; rl: string };
  maxTokens: number;
  maxGradientNorm: number;
  random: () => number;
}
export interface BridgeStep {
  demonstrations: readonly TrainRow[];
  rollouts: readonly TrainRow[];
  /** l: 0 is SFT alone, 1 RL alone. */
  lambda: number;
  theta: AdamWOptions;
  adapter: AdamWOptions;
}
export interface BridgeOutcome {
  sftLoss: number | null;
  rlLoss: number | null;
  /** Null without theta-hat or without rollouts. */
  cooperativeGain: number | null;
  /** Of theta, before clipping. */
  gradientNorm: number;
  adapterGradientNorm: number | null;
  /** False when a gradient was not finite: nothing was changed. */
  applied: boolean;
}

/** Copies of theta that are held at once, and of w: what a node must have room for before it starts. */
const THETA_COPIES = { plain: 6, gain: 10 };
const ADAPTER_COPIES = 5;

/** Bytes of all weights, gradients and moments; activations come on top. */
export function bridgeMemoryBytes(parameters: number, adapterParameters: number, gain: boolean): number {
  return 4 * (parameters * THETA_COPIES[gain ? 'gain' : 'plain'] + adapterParameters * ADAPTER_COPIES);
}

export class BridgePolicy {
  private readonly runtime: PolicyRuntime;
  private readonly options: BridgeOptions;
  private readonly theta: Float32Array;
  private readonly hat: { weights: Float32Array; state: ReturnType<typeof createAdamWState> } | null;
  private readonly adapter: {
    config: AdapterConfig;
    flat: Float32Array;
    slots: ReturnType<typeof adapterSlots>;
    state: ReturnType<typeof createAdamWState>;
  } | null;

  /** `runtime`: without an adapter of its own; its weights are theta's start, and always what generates and scores. */
  constructor(runtime: PolicyRuntime, options: BridgeOptions) {
    if (runtime.adapter) throw new Error('BridgePolicy: the runtime has an adapter of its own');
    this.runtime = runtime;
    this.options = options;
    this.theta = runtime.weights.slice();
    this.hat =
      options.gain && options.adapter
        ? { weights: runtime.weights.slice(), state: createAdamWState(runtime.weights.length) }
        : null;
    this.adapter = null;
    if (options.adapter) {
      const slots = adapterSlots(runtime.config, options.adapter);
      const flat = initialAdapter(slots, options.random);
      this.adapter = { config: options.adapter, flat, slots, state: createAdamWState(flat.length) };
    }
  }

  async step(step: BridgeStep, checkpoint: Checkpoint = () => undefined): Promise<BridgeOutcome> {
    const { sft, rl } = this.options.objectives;
    const { lambda } = step;
    this.runtime.dropGradient();
    const sftLoss = await this.pass(sft, step.demonstrations, 1 - lambda, checkpoint);
    const rlLoss = await this.pass(rl, step.rollouts, lambda, checkpoint);
    if (sftLoss === null && rlLoss === null) return nothingDone();
    const gradient = this.takeGradient();
    const atHat = this.hat && rlLoss !== null ? await this.passAtHat(step.rollouts, checkpoint) : null;
    const applied = this.apply(step, gradient, atHat?.gradient ?? null);
    this.runtime.weights.set(this.merged(this.theta));
    return {
      sftLoss,
      rlLoss,
      cooperativeGain: atHat && rlLoss !== null ? atHat.loss - rlLoss : null,
      ...applied,
    };
  }

  /** Adds `share` times the gradient of the mean loss; null when there is nothing to add. */
  private async pass(
    objective: string,
    rows: readonly TrainRow[],
    share: number,
    checkpoint: Checkpoint,
  ): Promise<number | null> {
    if (share === 0 || rows.length === 0) return null;
    const scaled = rows.map((row) => ({ ...row, rowWeight: row.rowWeight * share }));
    const { loss } = await this.runtime.accumulate(objective, scaled, this.options.maxTokens, checkpoint);
    return loss / share;
  }

  private async passAtHat(
    rows: readonly TrainRow[],
    checkpoint: Checkpoint,
  ): Promise<{ loss: number; gradient: Float32Array }> {
    this.runtime.weights.set(this.merged(this.hat!.weights));
    try {
      const loss = (await this.pass(this.options.objectives.rl, rows, 1, checkpoint))!;
      return { loss, gradient: this.takeGradient() };
    } finally {
      this.runtime.weights.set(this.merged(this.theta));
    }
  }

  private takeGradient(): Float32Array {
    const flat = new Float32Array(this.theta.length);
    const parts = this.runtime.gradients();
    for (const { name, offset } of this.runtime.slots) flat.set(parts[name]!, offset);
    this.runtime.dropGradient();
    return flat;
  }

  /** All three gradients are known before anything is changed. */
  private apply(
    step: BridgeStep,
    gradient: Float32Array,
    hatGradient: Float32Array | null,
  ): Pick<BridgeOutcome, 'gradientNorm' | 'adapterGradientNorm' | 'applied'> {
    const { runtime, adapter, hat } = this;
    const ofAdapter = adapter && this.gradientOfAdapter(gradient, hatGradient, step.lambda);
    const norms = [gradient, ofAdapter, hatGradient].map((each) => (each ? globalNorm(each) : 0));
    const applied = norms.every(Number.isFinite);
    if (applied) {
      this.update(this.theta, gradient, runtime.optimizer, runtime.slots, step.theta);
      if (hat && hatGradient) this.update(hat.weights, hatGradient, hat.state, runtime.slots, step.theta);
      if (adapter && ofAdapter) this.update(adapter.flat, ofAdapter, adapter.state, adapter.slots, step.adapter);
    }
    return { gradientNorm: norms[0]!, adapterGradientNorm: ofAdapter ? norms[1]! : null, applied };
  }

  private gradientOfAdapter(gradient: Float32Array, hatGradient: Float32Array | null, lambda: number): Float32Array {
    const { config, flat } = this.adapter!;
    const total = adapterGradient(this.runtime.config, config, flat, gradient);
    if (!hatGradient) return total;
    const foregone = adapterGradient(this.runtime.config, config, flat, hatGradient);
    for (let i = 0; i < total.length; i++) total[i]! -= lambda * foregone[i]!;
    return total;
  }

  private update(
    weights: Float32Array,
    gradient: Float32Array,
    state: ReturnType<typeof createAdamWState>,
    slots: PolicyRuntime['slots'],
    options: AdamWOptions,
  ): void {
    adamWStep(weights, gradient, state, slots, options, clipFactor(globalNorm(gradient), this.options.maxGradientNorm));
  }

  private merged(base: Float32Array): Float32Array {
    return this.adapter ? mergeAdapter(this.runtime.config, base, this.adapter.config, this.adapter.flat) : base;
  }
}

function nothingDone(): BridgeOutcome {
  return {
    sftLoss: null,
    rlLoss: null,
    cooperativeGain: null,
    gradientNorm: 0,
    adapterGradientNorm: null,
    applied: false,
  };
}
