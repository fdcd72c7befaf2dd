/**
 * The endless stream of demonstrations that the bundled policy is pre-trained on: starter tasks answered in the manners of
 * `manners/`. A function of (seed, step) alone, so a resumed run sees what an uninterrupted one would have seen.
 */
import { promptText } from '../../../src-main/rollout/prompt.ts';
import type { TaskInstance } from '../../../src-main/tasks/task.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import { getTaskSet, sampleTaskRefs } from '../../../src-main/tasks/task-sets.ts';
import { randomStream } from '../../runtime/sampling.ts';
import type { TrainRow } from '../../runtime/batch.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import { sampleDemonstration } from './manners/index.ts';

export interface Demonstration {
  instance: TaskInstance;
  prompt: string;
  completion: string;
  manner: string;
}

/** Tasks `from` to `from + count` of the stream of this seed. */
export function starterTasks(
  purpose: 'training' | 'held-out',
  seed: number,
  from: number,
  count: number,
): TaskInstance[] {
  const set = getTaskSet('starter')!;
  return sampleTaskRefs(set, { seed: BigInt(seed), from, count, purpose }).map((ref) => {
    const made = instantiate(ref);
    if (!made.ok) throw new Error(`starter task ${JSON.stringify(ref)}: ${made.reason}`);
    return made.instance;
  });
}

export function demonstrations(seed: number, from: number, count: number): Demonstration[] {
  return starterTasks('training', seed, from, count).map((instance, i) => {
    const { manner, text } = sampleDemonstration(instance, randomStream(seed, from + i));
    return { instance, prompt: promptText(instance, 'terse'), completion: text, manner };
  });
}

/** Rows whose weights make the summed loss the mean NLL over all completion tokens. */
export function trainRows(batch: readonly Demonstration[], tokenizer: Tokenizer): TrainRow[] {
  const rows = batch.map(({ prompt, completion }) => {
    const promptTokens = tokenizer.encode(prompt);
    return {
      promptLength: promptTokens.length,
      tokens: [...promptTokens, ...tokenizer.encode(completion), tokenizer.eosId],
    };
  });
  const completionTokens = rows.reduce((sum, row) => sum + row.tokens.length - row.promptLength, 0);
  return rows.map((row) => ({ ...row, advantage: 0, rowWeight: 1 / completionTokens, behaviorLogprobs: null }));
}
