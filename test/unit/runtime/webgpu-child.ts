/** Child of webgpu.test.ts: runs the tiny policy on WebGPU, node placement on standard error, and sends the numbers. */
import { readFileSync } from 'node:fs';
import { loadAdapterFolder } from '../../../native-models/policy/adapter-folder.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { initialParameters } from '../../../native-models/policy/parameters.ts';
import { generate } from '../../../native-models/runtime/generate.ts';
import { DeviceTensor, deviceTensorsAlive } from '../../../native-models/runtime/ort-session.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';
import type { ProviderName } from '../../../native-models/runtime/provider.ts';
import { adaptedNames, meanLossRows, policyFolder, weightedLikelihood } from '../../golden/policy/folders.ts';

export interface ChildNumbers {
  loss: number;
  gradients: Record<string, Float32Array>;
  tokens: number[][];
  logprobs: number[];
  /** What is trained after two steps, and its moments. */
  stepped: { trained: Float32Array; m: Float32Array; v: Float32Array };
  gradientNorms: number[];
  /** Of rows that were replaced while others were decoded. */
  replaced: { tokens: number[][]; logprobs: number[] };
  /** What each run of the decode graph was fed from main memory. */
  fedFromHost: string[][];
  /** Where the tensors lie that the policy keeps. */
  held: { tensors: number; locations: string[] } | null;
  /** Logits of a prefill and of one step, both with rows of different lengths. */
  logits: Float32Array[];
}

const STEP = { learningRate: 0.02, beta1: 0.9, beta2: 0.95, epsilon: 0.05, weightDecay: 0.1 };

/** @param name of a golden policy; its adapter is put on where it has one */
export async function policyNumbers(provider: ProviderName, name: string): Promise<ChildNumbers> {
  const { directory, vectors } = policyFolder(name);
  const { config, weights } = await loadPolicyWeights(directory);
  const adapter = adaptedNames.includes(name) ? await loadAdapterFolder(`${directory}/adapter`, config) : null;
  const policy = new PolicyRuntime({
    config,
    weights,
    adapter,
    provider,
    threads: 1,
    padId: 0,
    verbosePlacement: provider !== 'cpu',
  });
  try {
    await policy.defineObjective('sft', weightedLikelihood);
    const { loss } = await policy.accumulate('sft', meanLossRows(vectors).slice(0, 3), 1000, () => undefined);
    await policy.fetchGradients();
    const gradients = Object.fromEntries(
      Object.entries(policy.gradients()).map(([name, view]) => [name, view.slice()]),
    );
    const gradientNorms: number[] = [];
    for (let i = 0; i < 2; i++) {
      // Several micro-batches, so that gradients are added.
      await policy.accumulate('sft', meanLossRows(vectors).slice(0, 3), 1, () => undefined);
      const { gradientNorm, applied } = await policy.update(STEP, 0.5);
      if (!applied) throw new Error('the step was not applied');
      gradientNorms.push(gradientNorm);
    }
    await policy.fetch();
    const { m, v } = policy.optimizer;
    const stepped = { trained: policy.trained.slice(), m: m.slice(), v: v.slice() };
    const logits: Float32Array[] = [];
    const fedFromHost: string[][] = [];
    const decoder = await policy.decoder(64);
    const original = decoder.session.run.bind(decoder.session);
    decoder.session.run = async (...args) => {
      fedFromHost.push(Object.keys(args[0]).filter((input) => !(args[0][input] instanceof DeviceTensor)));
      const results = await original(...args);
      logits.push((results.logits!.data as Float32Array).slice());
      return results;
    };
    const options = { temperature: 0, topK: 0, topP: 1, completionsPerPrompt: 1, maxNewTokens: 3, seed: 1 };
    const generated = (
      await generate(
        policy,
        vectors.greedy.map((row) => row.prompt),
        options,
        () => undefined,
      )
    ).flat();
    // More rows than places: some end early and are moved over, or replaced from the prompt's cache.
    const replaced = (
      await generate(
        policy,
        vectors.greedy.map((row) => row.prompt),
        { ...options, temperature: 1.5, completionsPerPrompt: 6, maxNewTokens: 8, maxRows: 4 },
        () => undefined,
      )
    ).flat();
    const held = policy.onCard?.held;
    return {
      loss,
      gradients,
      stepped,
      gradientNorms,
      replaced: { tokens: replaced.map((row) => row.tokens), logprobs: replaced.flatMap((row) => row.logprobs) },
      fedFromHost,
      held: held ? { tensors: held.tensors, locations: [...held.locations] } : null,
      tokens: generated.map((row) => row.tokens),
      logprobs: generated.flatMap((row) => row.logprobs),
      logits,
    };
  } finally {
    await policy.close();
  }
}

export interface Growth {
  /** At each look: tensors that were not disposed, resident bytes. */
  looks: { alive: number; residentBytes: number }[];
  alive: number;
}

/** Training steps of several micro-batches with generations of many rows in between; rows end, move and are replaced. */
async function growth(steps: number): Promise<Growth> {
  const { config: tiny } = await loadPolicyWeights(policyFolder('untied').directory);
  const config = { ...tiny, layers: 1, heads: 2, kvHeads: 1 };
  const weights = initialParameters(config, randomStream(3));
  const policy = new PolicyRuntime({ config, weights, provider: 'webgpu', threads: 1, padId: 0 });
  const row = { tokens: [5, 9, 7, 3], promptLength: 2, advantage: 0, rowWeight: 0.5, behaviorLogprobs: null };
  await policy.defineObjective('sft', weightedLikelihood);
  const looks: Growth['looks'] = [];
  const sampling = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: 3, maxNewTokens: 6, maxRows: 4 };
  for (let step = 1; step <= steps; step++) {
    await policy.accumulate('sft', [row, row], 1, () => undefined);
    await policy.update({ ...STEP, learningRate: 1e-4 }, 1);
    if (step % 25 === 0) await generate(policy, [[5, 9, 7], [4]], { ...sampling, seed: step }, () => undefined);
    if (step % 50 !== 0) continue;
    const status = readFileSync('/proc/self/status', 'utf8');
    looks.push({ alive: deviceTensorsAlive(), residentBytes: 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)![1]) });
  }
  await policy.close();
  return { looks, alive: deviceTensorsAlive() };
}

const [name = 'untied', steps] = process.argv.slice(2);
if (process.send)
  process.send(steps === undefined ? await policyNumbers('webgpu', name) : await growth(Number(steps)), () =>
    process.exit(0),
  );
