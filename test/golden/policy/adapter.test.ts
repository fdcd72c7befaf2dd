/** LoRA adapters: read from PEFT's folder, every gradient, log-probs and generation against peft; merged; trained. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { openSafetensors } from '../../../native-models/checkpoint/safetensors.ts';
import { adapterConfig, adapterSlots, initialAdapter } from '../../../native-models/policy/adapter.ts';
import { loadAdapterFolder, saveAdapterFolder } from '../../../native-models/policy/adapter-folder.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { generate } from '../../../native-models/runtime/generate.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';
import { relativeError } from '../ops/run-graph.ts';
import { adaptedNames, adapterVectors, meanLossRows, policyFolder, weightedLikelihood } from './folders.ts';

const noCheckpoint = (): void => undefined;
const reached: string[] = [];
const common = { provider: 'cpu' as const, threads: 1, padId: 0 };
const adamW = { learningRate: 3e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };

async function openAdapted(t: TestContext, name: string): Promise<PolicyRuntime> {
  const { directory } = policyFolder(name);
  const { config, weights } = await loadPolicyWeights(directory);
  const adapter = await loadAdapterFolder(`${directory}/adapter`, config);
  const policy = new PolicyRuntime({ config, weights, adapter, ...common });
  t.after(() => policy.close());
  return policy;
}

for (const name of adaptedNames) {
  const vectors = adapterVectors(name);
  const expected = vectors.rows.flatMap((row) => row.logprobs);

  test(`${name}: with an adapter, log-probs, loss and every gradient equal peft's`, async (t) => {
    const policy = await openAdapted(t, name);
    const error = relativeError((await policy.score(vectors.rows, 1000, noCheckpoint)).flat(), expected);
    assert.ok(error < 5e-6, `log-probs: relative error ${error}`);
    await policy.defineObjective('sft', weightedLikelihood);
    const file = await openSafetensors(`${policyFolder(name).directory}/adapter-gradients.safetensors`);
    t.after(() => file.close());
    for (const maxTokens of [1000, 30]) {
      const sum = await policy.accumulate('sft', meanLossRows(vectors), maxTokens, noCheckpoint);
      assert.ok(Math.abs(sum.loss - vectors.loss) < 1e-5, `loss ${sum.loss}, peft ${vectors.loss}`);
      const gradients = Object.entries(policy.gradients());
      assert.equal(gradients.length, file.entries.size, 'the base has no gradient');
      let worst = 0;
      for (const [slot, gradient] of gradients)
        worst = Math.max(worst, relativeError(gradient, await file.readFloats(slot), 1e-9));
      assert.ok(worst < 1e-4, `relative error ${worst}`);
      reached.push(`${name} adapter gradients (micro-batches of ${maxTokens} tokens): ${worst.toExponential(1)}`);
      policy.dropGradient();
    }
  });

  test(`${name}: with an adapter, greedy generation equals peft's, and merged weights give the same policy`, async (t) => {
    const policy = await openAdapted(t, name);
    const options = { temperature: 0, topK: 0, topP: 1, completionsPerPrompt: 2, maxNewTokens: 10, seed: 1 };
    const prompts = vectors.greedy.map((row) => row.prompt);
    const generated = await generate(policy, prompts, options, noCheckpoint);
    vectors.greedy.forEach(({ tokens, logprobs }, p) => {
      assert.deepEqual(generated[p]![1]!.tokens, tokens);
      assert.ok(relativeError(generated[p]![1]!.logprobs, logprobs) < 1e-5);
    });
    const merged = new PolicyRuntime({ config: policy.config, weights: policy.mergedWeights(), ...common });
    t.after(() => merged.close());
    const error = relativeError((await merged.score(vectors.rows, 1000, noCheckpoint)).flat(), expected);
    assert.ok(error < 5e-6, `relative error ${error}`);
  });
}

test('an adapter starts as the base, learns, leaves the base alone, and the reference stays where it was', async (t) => {
  const name = 'families/qwen3';
  const { directory, vectors } = policyFolder(name);
  const { config, weights } = await loadPolicyWeights(directory);
  const before = weights.slice();
  const adapter = adapterConfig(4, 8, ['v_proj', 'q_proj', 'down_proj']);
  const start = initialAdapter(adapterSlots(config, adapter), randomStream(1));
  const policy = new PolicyRuntime({ config, weights, adapter: { config: adapter, weights: start }, ...common });
  t.after(() => policy.close());
  const base = vectors.rows.flatMap((row) => row.logprobs);
  const error = relativeError((await policy.score(vectors.rows, 1000, noCheckpoint)).flat(), base);
  assert.ok(error < 5e-6, `relative error ${error}`);
  await policy.defineObjective('sft', weightedLikelihood);
  const losses: number[] = [];
  for (let step = 0; step < 12; step++) {
    losses.push((await policy.accumulate('sft', meanLossRows(vectors), 1000, noCheckpoint)).loss);
    assert.equal((await policy.update(adamW, 1)).applied, true);
  }
  assert.ok(losses.at(-1)! < losses[0]! - 0.1, losses.join(' '));
  assert.deepEqual(policy.weights, before);
  const reference = (await policy.score(vectors.rows, 1000, noCheckpoint, 'reference')).flat();
  assert.ok(relativeError(reference, base) < 5e-6);
});

test('a saved adapter reads back bit for bit; what is not plain LoRA, or of another policy, is refused by name', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-adapter-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { directory } = policyFolder('families/qwen3');
  const { config } = await loadPolicyWeights(directory);
  const adapter = await loadAdapterFolder(`${directory}/adapter`, config);
  await saveAdapterFolder(join(folder, 'saved'), {
    ...adapter,
    policy: config,
    baseModel: 'some/model',
    card: '# A card\n',
  });
  assert.deepEqual(await loadAdapterFolder(join(folder, 'saved'), config), adapter);
  const other = await loadPolicyWeights(policyFolder('families/qwen2').directory);
  await assert.rejects(loadAdapterFolder(join(folder, 'saved'), other.config), {
    code: 'policyInvalid',
    message: /q_proj\.lora_B\.weight is \[128, 4\], by config\.json it must be/,
  });
  await assert.rejects(loadAdapterFolder(folder, config), { code: 'policyMissing' });
  assert.throws(() => adapterConfig(0, 1, ['q_proj']), { code: 'policyInvalid', message: /rank/ });
  assert.throws(() => adapterConfig(4, NaN, ['q_proj']), { message: /alpha/ });
  assert.throws(() => adapterConfig(4, 8, ['c_attn']), { message: /no linear "c_attn"/ });
});

after(() => console.log(reached.join('\n')));
