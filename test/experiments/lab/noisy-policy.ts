/**
 * A quick stranger: the bundled policy with noise on every weight, as a folder. It answers in the same manners with other habits and
 * more mistakes. For tests; the experiment pre-trains a policy of another initialisation instead.
 */
import { loadPolicyFolder, savePolicyFolder } from '../../../native-models/policy/load-policy.ts';
import { parameterSlots } from '../../../native-models/policy/parameters.ts';
import { createRandom } from '../../../src-main/base/random.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';

/** `noise`: standard deviation relative to the root mean square of the weights of each tensor. */
export async function writeNoisyPolicy(directory: string, noise: number, seed: number): Promise<void> {
  const tokenizerFrom = bundledPolicyDirectory();
  const { config, weights } = await loadPolicyFolder(tokenizerFrom);
  const random = createRandom(seed, 'noisy-policy');
  for (const { offset, length } of parameterSlots(config)) {
    const tensor = weights.subarray(offset, offset + length);
    const size = noise * Math.sqrt(tensor.reduce((sum, x) => sum + x * x, 0) / length);
    // The sum of twelve uniform numbers, less 6, is near enough to a normal one.
    for (let i = 0; i < length; i++) {
      let normal = -6;
      for (let k = 0; k < 12; k++) normal += random.uint32() / 2 ** 32;
      tensor[i]! += size * normal;
    }
  }
  await savePolicyFolder(directory, { config, weights, dtype: 'float32', tokenizerFrom });
}
