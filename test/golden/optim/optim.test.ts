/** AdamW with clipping against torch.optim.AdamW and clip_grad_norm_. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  adamWStep,
  clipFactor,
  createAdamWState,
  globalNorm,
  type AdamWOptions,
} from '../../../native-models/optim/adamw.ts';
import { relativeError } from '../ops/run-graph.ts';

interface Vectors {
  options: Omit<AdamWOptions, 'learningRate'>;
  maxNorm: number;
  spans: [number, number];
  weights: number[];
  steps: { learningRate: number; gradient: number[]; norm: number; weights: number[] }[];
}
const vectors = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')) as Vectors;

test('ten steps equal those of torch.optim.AdamW', () => {
  const [matrix, gain] = vectors.spans;
  const spans = [
    { offset: 0, length: matrix, decays: true },
    { offset: matrix, length: gain, decays: false },
  ];
  const weights = Float32Array.from(vectors.weights);
  const state = createAdamWState(weights.length);
  let clipped = 0;
  for (const [i, step] of vectors.steps.entries()) {
    const gradient = Float32Array.from(step.gradient);
    const norm = globalNorm(gradient);
    assert.ok(
      Math.abs(norm - step.norm) <= 1e-6 * Math.max(1, step.norm),
      `step ${i}: norm ${norm}, torch ${step.norm}`,
    );
    const factor = clipFactor(norm, vectors.maxNorm);
    if (factor < 1) clipped++;
    adamWStep(weights, gradient, state, spans, { ...vectors.options, learningRate: step.learningRate }, factor);
    const error = relativeError(weights, step.weights);
    assert.ok(error < 1e-6, `step ${i}: relative error ${error}`);
  }
  assert.ok(clipped > 0 && clipped < vectors.steps.length);
  assert.equal(state.step, vectors.steps.length);
});

test('the norm of a gradient with NaN or infinity is not finite', () => {
  assert.ok(Number.isNaN(globalNorm(Float32Array.of(1, NaN))));
  assert.equal(globalNorm(Float32Array.of(1, -Infinity)), Infinity);
  assert.ok(Number.isFinite(globalNorm(new Float32Array(100).fill(3e38))), 'large but finite');
});
