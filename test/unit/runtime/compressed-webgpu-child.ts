/** Child of compressed-webgpu.test.ts: decodes the tiny policy from compressed weights on one provider and sends what it found. */
import { adapterConfig, adapterSlots, initialAdapter } from '../../../native-models/policy/adapter.ts';
import { linearNames } from '../../../native-models/policy/linears.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { textLogits } from '../../../native-models/runtime/generate.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { chooseDecodePrecision, type DecodeChoice } from '../../../native-models/runtime/precision.ts';
import type { ProviderName } from '../../../native-models/runtime/provider.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';
import { policyFolder } from '../../golden/policy/folders.ts';

/** How fast a card in software is says nothing of the kernels, and less while other tests run. */
const ANY_SPEED = { times: Infinity, plusMs: 0 };
/** int4 has matrices of 8 bits, too. */
type TriedPrecision = 'int4' | 'f16';

export interface DecodedNumbers {
  choices: Record<TriedPrecision, DecodeChoice>;
  /** After a prefill and after each of some steps, in what was chosen. */
  logits: Record<TriedPrecision, Float32Array[]>;
}

const text = [5, 9, 7, 3, 11, 2, 8, 14, 6, 4, 10, 12];

export async function decodedNumbers(provider: ProviderName): Promise<DecodedNumbers> {
  const { config, weights } = await loadPolicyWeights(policyFolder('untied').directory);
  const adapter = adapterConfig(2, 4, linearNames);
  const withAdapter = { config: adapter, weights: initialAdapter(adapterSlots(config, adapter), randomStream(3)) };
  const policy = new PolicyRuntime({ config, weights, adapter: withAdapter, provider, threads: 1, padId: 0 });
  const found = { choices: {}, logits: {} } as DecodedNumbers;
  try {
    for (const precision of ['int4', 'f16'] as const) {
      found.choices[precision] = await chooseDecodePrecision(policy, precision, text, ANY_SPEED);
      const logits: Float32Array[] = [];
      await textLogits(policy, text, 8, (each) => logits.push(each.slice()));
      found.logits[precision] = logits;
    }
    return found;
  } finally {
    await policy.close();
  }
}

if (process.send) process.send(await decodedNumbers('webgpu'), () => process.exit(0));
