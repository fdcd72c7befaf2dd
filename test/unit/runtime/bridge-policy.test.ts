/**
 * BRIDGE's update rule against the same numbers by another way: gradients of the adapter from a graph that has the adapter in it
 * (and, for one pass, from peft), instead of from those of the merged weights.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openSafetensors } from '../../../native-models/checkpoint/safetensors.ts';
import { adapterGradient } from '../../../native-models/policy/adapter-gradient.ts';
import { loadAdapterFolder } from '../../../native-models/policy/adapter-folder.ts';
import {
  adapterConfig,
  adapterSlots,
  initialAdapter,
  mergeAdapter,
  type AdapterConfig,
} from '../../../native-models/policy/adapter.ts';
import { parameterCount } from '../../../native-models/policy/parameters.ts';
import { stackedConfig } from '../../../native-models/policy/stacked-adapter.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import type { TrainRow } from '../../../native-models/runtime/batch.ts';
import { stackedLayout, wholeLayout } from '../../../native-models/runtime/bridge-layout.ts';
import { BridgePolicy } from '../../../native-models/runtime/bridge-policy.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';
import { relativeError } from '../../golden/ops/run-graph.ts';
import {
  adaptedNames,
  adapterVectors,
  meanLossRows,
  policyFolder,
  weightedLikelihood,
} from '../../golden/policy/folders.ts';

const common = { provider: 'cpu' as const, threads: 1, padId: 0 };
const noCheckpoint = (): void => undefined;
const name = adaptedNames[0]!;
const { directory } = policyFolder(name);
const { config, weights: base } = await loadPolicyWeights(directory);
const adapter = adapterConfig(3, 6, ['q_proj', 'v_proj', 'down_proj']);
const slots = adapterSlots(config, adapter);
const demonstrations = meanLossRows(adapterVectors(name));
/** As a policy gradient would have them: some rows up, some down. */
const rollouts = demonstrations.map((row, i) => ({ ...row, rowWeight: (i % 2 === 0 ? 0.3 : -0.2) * row.rowWeight }));

async function opened(t: TestContext, weights: Float32Array): Promise<PolicyRuntime> {
  const runtime = new PolicyRuntime({ config, weights, ...common });
  t.after(() => runtime.close());
  await runtime.defineObjective('sft', weightedLikelihood);
  await runtime.defineObjective('rl', weightedLikelihood);
  return runtime;
}

const work = {
  sft: 'sft',
  demonstrations,
  rollouts: [{ objective: 'rl', rows: rollouts }],
  maxTokens: 1000,
  maxGradientNorm: 1e9,
};

function wholeBridge(runtime: PolicyRuntime, second: AdapterConfig | null): BridgePolicy {
  const layout = wholeLayout(config, second);
  return new BridgePolicy(runtime, { layout, theta: base.slice(), gain: second !== null, random: randomStream(5) });
}

/** Flat gradient of the mean loss: of all weights, or of the adapter through a graph of its own. */
async function gradientOf(rows: readonly TrainRow[], weights: Float32Array, flat?: Float32Array, of = adapter) {
  const runtime = new PolicyRuntime({
    config,
    weights,
    ...(flat ? { adapter: { config: of, weights: flat } } : {}),
    ...common,
  });
  try {
    await runtime.defineObjective('sft', weightedLikelihood);
    const { loss } = await runtime.accumulate('sft', rows, 1000, noCheckpoint);
    const parts = runtime.gradients();
    const gradient = new Float32Array(runtime.trained.length);
    for (const slot of runtime.slots) gradient.set(parts[slot.name]!, slot.offset);
    return { loss, gradient };
  } finally {
    await runtime.close();
  }
}

test("the adapter's gradient from that of the merged weights equals peft's", async (t) => {
  const loaded = await loadAdapterFolder(`${directory}/adapter`, config);
  const merged = mergeAdapter(config, base, loaded.config, loaded.weights);
  const { gradient } = await gradientOf(demonstrations, merged);
  const result = adapterGradient(config, loaded.config, loaded.weights, gradient);
  const file = await openSafetensors(`${directory}/adapter-gradients.safetensors`);
  t.after(() => file.close());
  for (const slot of adapterSlots(config, loaded.config)) {
    const part = result.subarray(slot.offset, slot.offset + slot.length);
    const error = relativeError(part, await file.readFloats(slot.name), 1e-9);
    assert.ok(error < 1e-4, `${slot.name}: relative error ${error}`);
  }
});

/** AdamW whose step is (learningRate / epsilon) * gradient to seven digits: plain descent, so that steps can be checked. */
const descent = (rate: number) => ({ learningRate: rate * 1e7, beta1: 0, beta2: 0, epsilon: 1e7, weightDecay: 0 });
const RATES = { theta: 0.05, adapter: 0.2 };

test('three steps change theta, theta-hat and the adapter as the paper says, all from the weights before the step', async (t) => {
  const lambda = 0.3;
  const runtime = await opened(t, base.slice());
  const bridge = wholeBridge(runtime, adapter);
  const theta = base.slice();
  const hat = base.slice();
  const w = initialAdapter(slots, randomStream(5));
  for (let step = 0; step < 3; step++) {
    const outcome = await bridge.step({
      ...work,
      lambda,
      theta: descent(RATES.theta),
      adapter: descent(RATES.adapter),
    });
    const [atTheta, atHat] = [mergeAdapter(config, theta, adapter, w), mergeAdapter(config, hat, adapter, w)];
    const [sft, rl, rlHat] = [
      await gradientOf(demonstrations, atTheta),
      await gradientOf(rollouts, atTheta),
      await gradientOf(rollouts, atHat),
    ];
    const [sftW, rlW, rlHatW] = [
      await gradientOf(demonstrations, theta, w),
      await gradientOf(rollouts, theta, w),
      await gradientOf(rollouts, hat, w),
    ];
    assert.ok(Math.abs(outcome.cooperativeGain! - (rlHat.loss - rl.loss)) < 1e-6);
    assert.ok(Math.abs(outcome.sft!.loss - sft.loss) < 1e-5 && Math.abs(outcome.rl[0]!.loss - rl.loss) < 1e-5);
    if (step === 0) assert.ok(Math.abs(outcome.cooperativeGain!) < 1e-6, 'theta-hat starts at theta');
    else assert.ok(Math.abs(outcome.cooperativeGain!) > 1e-5, 'theta-hat has gone its own way');
    const mix = (i: number, s: Float32Array, r: Float32Array): number => (1 - lambda) * s[i]! + lambda * r[i]!;
    theta.forEach((_, i) => (theta[i]! -= RATES.theta * mix(i, sft.gradient, rl.gradient)));
    hat.forEach((_, i) => (hat[i]! -= RATES.theta * rlHat.gradient[i]!));
    w.forEach(
      (_, i) => (w[i]! -= RATES.adapter * (mix(i, sftW.gradient, rlW.gradient) - lambda * rlHatW.gradient[i]!)),
    );
    const moved = mergeAdapter(config, theta, adapter, w).map((x, i) => x - base[i]!);
    const error = relativeError(
      runtime.weights.map((x, i) => x - base[i]!),
      moved,
      1e-9,
    );
    assert.ok(error < 2e-3, `step ${step}: relative error ${error} of the change`);
  }
});

test('without an adapter it is the convex mix of both losses, at the ends one of them alone', async (t) => {
  for (const lambda of [0, 0.5, 1]) {
    const runtime = await opened(t, base.slice());
    const bridge = wholeBridge(runtime, null);
    const rates = { theta: descent(0.1), adapter: descent(0.1) };
    const outcome = await bridge.step({ ...work, lambda, ...rates });
    assert.equal(outcome.cooperativeGain, null);
    assert.equal(outcome.sft === null, lambda === 1);
    assert.equal(outcome.rl.length === 0, lambda === 0);
    const sft = (await gradientOf(demonstrations, base.slice())).gradient;
    const rl = (await gradientOf(rollouts, base.slice())).gradient;
    const expected = sft.map((x, i) => -0.1 * ((1 - lambda) * x + lambda * rl[i]!));
    const error = relativeError(
      runtime.weights.map((x, i) => x - base[i]!),
      expected,
      1e-9,
    );
    assert.ok(error < 2e-3, `lambda ${lambda}: relative error ${error}`);
  }
});

test('nothing to train on changes nothing, and neither does a gradient that is not finite, until it happens too often', async (t) => {
  const runtime = await opened(t, base.slice());
  const bridge = wholeBridge(runtime, adapter);
  const rates = { theta: descent(0.1), adapter: descent(0.1) };
  const none = { ...work, demonstrations: [], rollouts: [] };
  assert.equal((await bridge.step({ ...none, lambda: 0.5, ...rates })).applied, false);
  const bad = { ...work, demonstrations: demonstrations.map((row) => ({ ...row, rowWeight: NaN })) };
  for (let i = 0; i < 4; i++) assert.equal((await bridge.step({ ...bad, lambda: 0.5, ...rates })).applied, false);
  assert.deepEqual(runtime.weights, base);
  assert.equal(bridge.counts.theta, 0);
  await assert.rejects(bridge.step({ ...bad, lambda: 0.5, ...rates }), { code: 'gradientNotFinite' });
});

test('the gain of parts whose loss says nothing is taken from what they say instead', async (t) => {
  const runtime = await opened(t, base.slice());
  await runtime.defineObjective('silent', (b, inputs) => {
    const { loss } = weightedLikelihood(b, inputs);
    return { loss: b.mul(loss, b.scalar(0)), metrics: { undivided: loss } };
  });
  const bridge = wholeBridge(runtime, adapter);
  const rates = { theta: descent(0.1), adapter: descent(0.1) };
  await bridge.step({ ...work, lambda: 0.5, ...rates });
  const parts = [{ objective: 'silent', rows: rollouts }];
  const before = runtime.weights.slice();
  const { cooperativeGain, rl } = await bridge.step({ ...work, rollouts: parts, lambda: 0.25, ...rates });
  const { loss } = await gradientOf(rollouts, before);
  assert.equal(rl[0]!.loss, 0);
  assert.ok(Math.abs(rl[0]!.metrics.undivided! - loss) < 1e-5, 'of full weight, whatever lambda');
  assert.ok(Math.abs(cooperativeGain!) > 1e-6);
});

test('over a first adapter, theta and w are one stack of both ranks, with the very same steps', async (t) => {
  const first = adapterConfig(2, 8, ['q_proj', 'v_proj', 'down_proj']);
  const [thetaStart, lambda] = [initialAdapter(adapterSlots(config, first), randomStream(8)), 0.4];
  // B is zero at the start: a nudge, so that A has a gradient, too.
  const theta = thetaStart.map((x, i) => x + 0.01 * Math.sin(i));
  const whole = stackedConfig(first, adapter);
  assert.deepEqual([whole.rank, whole.alpha], [5, 20]);
  const runtime = new PolicyRuntime({
    config,
    weights: base.slice(),
    adapter: { config: whole, weights: new Float32Array(parameterCount(adapterSlots(config, whole))) },
    ...common,
  });
  t.after(() => runtime.close());
  await runtime.defineObjective('sft', weightedLikelihood);
  await runtime.defineObjective('rl', weightedLikelihood);
  const layout = stackedLayout(config, first, adapter);
  const bridge = new BridgePolicy(runtime, { layout, theta: theta.slice(), gain: true, random: randomStream(5) });
  const w = initialAdapter(slots, randomStream(5));
  const hat = theta.slice();
  for (let step = 0; step < 2; step++) {
    const outcome = await bridge.step({
      ...work,
      lambda,
      theta: descent(RATES.theta),
      adapter: descent(RATES.adapter),
    });
    // By the other way: each of the two as the only adapter, over a base with the other one worked in.
    const over = (flat: Float32Array) => mergeAdapter(config, base, first, flat);
    const firstGradient = async (rows: readonly TrainRow[], flat: Float32Array) =>
      (await gradientOf(rows, mergeAdapter(config, base, adapter, w), flat, first)).gradient;
    const [sft, rl, rlHat] = [
      await firstGradient(demonstrations, theta),
      await firstGradient(rollouts, theta),
      await firstGradient(rollouts, hat),
    ];
    const [sftW, rlW, rlHatW] = [
      await gradientOf(demonstrations, over(theta), w),
      await gradientOf(rollouts, over(theta), w),
      await gradientOf(rollouts, over(hat), w),
    ];
    assert.ok(Math.abs(outcome.cooperativeGain! - (rlHatW.loss - rlW.loss)) < 1e-6);
    const mix = (i: number, s: Float32Array, r: Float32Array): number => (1 - lambda) * s[i]! + lambda * r[i]!;
    theta.forEach((_, i) => (theta[i]! -= RATES.theta * mix(i, sft, rl)));
    hat.forEach((_, i) => (hat[i]! -= RATES.theta * rlHat[i]!));
    w.forEach(
      (_, i) => (w[i]! -= RATES.adapter * (mix(i, sftW.gradient, rlW.gradient) - lambda * rlHatW.gradient[i]!)),
    );
    const expected = mergeAdapter(config, mergeAdapter(config, base, first, theta), adapter, w);
    const moved = runtime.mergedWeights().map((x, i) => x - base[i]!);
    const error = relativeError(
      moved,
      expected.map((x, i) => x - base[i]!),
      1e-9,
    );
    assert.ok(error < 2e-3, `step ${step}: relative error ${error} of the change`);
  }
});
