/** Child of webgpu.test.ts: runs the tiny policy on WebGPU, node placement on standard error, and sends the numbers. */
import { loadAdapterFolder } from '../../../native-models/policy/adapter-folder.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { generate } from '../../../native-models/runtime/generate.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import type { ProviderName } from '../../../native-models/runtime/provider.ts';
import { adaptedNames, meanLossRows, policyFolder, weightedLikelihood } from '../../golden/policy/folders.ts';

export interface ChildNumbers {
  loss: number;
  gradients: Record<string, Float32Array>;
  tokens: number[][];
  logprobs: number[];
  /** Logits of a prefill and of one step, both with rows of different lengths. */
  logits: Float32Array[];
}

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
    const gradients = Object.fromEntries(
      Object.entries(policy.gradients()).map(([name, view]) => [name, view.slice()]),
    );
    const logits: Float32Array[] = [];
    const decoder = await policy.decoder(64);
    const original = decoder.session.run.bind(decoder.session);
    decoder.session.run = async (...args) => {
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
    return {
      loss,
      gradients,
      tokens: generated.map((row) => row.tokens),
      logprobs: generated.flatMap((row) => row.logprobs),
      logits,
    };
  } finally {
    await policy.close();
  }
}

if (process.send) process.send(await policyNumbers('webgpu', process.argv[2] ?? 'untied'), () => process.exit(0));
