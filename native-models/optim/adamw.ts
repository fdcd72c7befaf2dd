/**
 * AdamW on the flat weights (Loshchilov & Hutter, arXiv 1711.05101; torch.optim.AdamW's order of operations): one fused
 * loop over memory, 12 bytes of state read and written per weight. Not an ONNX graph: for a policy that trains on
 * the CPU the loop is as fast as twelve element-wise kernels. What stays on a card is stepped there (runtime/device-math.ts).
 * Knows nothing of shapes; `decays` spans say which stretches of the flat array weight decay applies to.
 */

export interface AdamWState {
  /** First and second moments, as long as the weights. */
  m: Float32Array;
  v: Float32Array;
  /** Steps taken; the bias correction uses it. */
  step: number;
}
export interface AdamWOptions {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}
export interface Span {
  offset: number;
  length: number;
  decays: boolean;
}

export function createAdamWState(parameters: number): AdamWState {
  return { m: new Float32Array(parameters), v: new Float32Array(parameters), step: 0 };
}

/** Euclidean norm in double precision; NaN or infinite when any element is. */
export function globalNorm(gradient: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  return Math.sqrt(sum);
}

/** Factor that brings a gradient of this norm down to `maxNorm` (torch.nn.utils.clip_grad_norm_), 1 when it is smaller. */
export function clipFactor(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}

/** Updates weights and state in place. `gradientScale` multiplies the gradient first: accumulation and clipping in one. */
export function adamWStep(
  weights: Float32Array,
  gradient: Float32Array,
  state: AdamWState,
  spans: readonly Span[],
  options: AdamWOptions,
  gradientScale = 1,
): void {
  state.step++;
  const { beta1, beta2 } = options;
  const stepSize = options.learningRate / (1 - beta1 ** state.step);
  const correction2 = Math.sqrt(1 - beta2 ** state.step);
  const { m, v } = state;
  for (const span of spans) {
    const keep = span.decays ? 1 - options.learningRate * options.weightDecay : 1;
    const end = span.offset + span.length;
    for (let i = span.offset; i < end; i++) {
      const g = gradient[i]! * gradientScale;
      const first = beta1 * m[i]! + (1 - beta1) * g;
      const second = beta2 * v[i]! + (1 - beta2) * g * g;
      m[i] = first;
      v[i] = second;
      weights[i] = weights[i]! * keep - (stepSize * first) / (Math.sqrt(second) / correction2 + options.epsilon);
    }
  }
}
