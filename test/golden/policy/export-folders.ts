/** Trains an adapter of each adapted family for three steps and exports it: node export-folders.ts OUT. For check-exports.py. */
import { join } from 'node:path';
import { adapterConfig, adapterSlots, initialAdapter } from '../../../native-models/policy/adapter.ts';
import { saveAdapterFolder } from '../../../native-models/policy/adapter-folder.ts';
import { loadPolicyFolder, savePolicyFolder } from '../../../native-models/policy/load-policy.ts';
import { policyCard } from '../../../native-models/policy/model-card.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';
import { writeFile } from 'node:fs/promises';
import { adaptedNames, meanLossRows, policyFolder, weightedLikelihood } from './folders.ts';

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error('Usage: node export-folders.ts OUT');
const adamW = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const noCheckpoint = (): void => undefined;

for (const name of adaptedNames) {
  const { directory, vectors } = policyFolder(name);
  const { config, weights } = await loadPolicyFolder(directory);
  const adapter = adapterConfig(3, 6, ['q_proj', 'k_proj', 'o_proj', 'gate_proj', 'down_proj']);
  const start = initialAdapter(adapterSlots(config, adapter), randomStream(7));
  const policy = new PolicyRuntime({
    config,
    weights,
    adapter: { config: adapter, weights: start },
    provider: 'cpu',
    threads: 1,
    padId: 0,
  });
  await policy.defineObjective('sft', weightedLikelihood);
  for (let step = 0; step < 3; step++) {
    await policy.accumulate('sft', meanLossRows(vectors), 1000, noCheckpoint);
    await policy.update(adamW, 1);
  }
  const logprobs = await policy.score(vectors.rows, 1000, noCheckpoint);
  const target = join(out, name.replace('families/', ''));
  const card = (form: 'policy' | 'adapter'): string =>
    policyCard({ base: name, form, config, adapter, steps: policy.optimizer.step });
  const merged = { config, weights: policy.mergedWeights(), dtype: 'float32' as const, tokenizerFrom: directory };
  await savePolicyFolder(target, { ...merged, card: card('policy') });
  await saveAdapterFolder(join(target, 'adapter'), {
    config: adapter,
    weights: policy.trained,
    policy: config,
    baseModel: name,
    card: card('adapter'),
  });
  const rows = vectors.rows.map(({ tokens, promptLength }, i) => ({ tokens, promptLength, logprobs: logprobs[i] }));
  await writeFile(join(target, 'ours.json'), JSON.stringify(rows));
  await policy.close();
}
