/**
 * Whether there is room for BRIDGE, said before anything is loaded: its twin of the policy costs all that is trained once more. Counts
 * main memory, where BRIDGE keeps all its parts whatever computes. Knows nothing of processes.
 */
import { estimateMemory } from '../../../native-models/runtime/memory-estimate.ts';
import { fitWork } from '../../../native-models/runtime/fit-work.ts';
import type { PolicyConfig } from '../../../native-models/policy/policy-config.ts';
import { WaggleError } from '../../base/errors.ts';
import type { Config } from '../../config.ts';
import { questionFor } from '../../models/model-fit.ts';

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 9.95e9 ? 2 : 1)} GB`;

/**
 * @returns one sentence with the figures, for the log
 * @throws WaggleError `bridgeMemory` where the least that BRIDGE needs is more than is free
 */
export function requireRoomForBridge(config: PolicyConfig, settings: Config, availableBytes: number): string {
  const question = questionFor(config, settings);
  const fit = fitWork(question, availableBytes, settings.recomputeActivations);
  const plain = estimateMemory(questionFor(config, settings, { method: 'sapo' }));
  const need = gigabytes(fit.estimate.totalBytes);
  const figures = `of memory, ${gigabytes(availableBytes)} are free; without BRIDGE it would be ${gigabytes(plain.totalBytes)}`;
  if (fit.verdict === 'tooLarge') {
    throw new WaggleError({
      code: 'bridgeMemory',
      message: `Training this policy with BRIDGE needs at least about ${need} ${figures}`,
      fix: `${question.adapter ? '' : 'Train an adapter instead of all weights (--adapter lora), '}ask for shorter answers (--max-new-tokens) or fewer (--group-size), take a smaller model, or go back to --method sapo.`,
      values: { needBytes: fit.estimate.totalBytes, availableBytes },
    });
  }
  return `Training with BRIDGE needs about ${need} ${figures}`;
}
