/**
 * Accuracy of a policy on held-out starter tasks, per task and per manner of answering: greedy, and sampled at temperature 1.
 * The manner of a completion is told by how it begins (`mannerOf`), since the policy chooses it itself.
 */
import { promptText } from '../../../src-main/rollout/prompt.ts';
import { verifyCompletion } from '../../../src-main/tasks/verify-completions.ts';
import { generate } from '../../runtime/generate.ts';
import type { PolicyRuntime } from '../../runtime/policy-runtime.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import { starterTasks } from './demonstrations.ts';
import type { MannerName } from './manners/manner.ts';

export interface Tally {
  right: number;
  total: number;
}
/** task -> manner (or 'all') -> tally */
export type Accuracy = Record<string, Record<string, Tally>>;

const PROMPTS_AT_ONCE = 16;

export async function accuracy(
  policy: PolicyRuntime,
  tokenizer: Tokenizer,
  options: { tasks: number; samples: number; temperature: number; seed: number; maxNewTokens: number },
): Promise<Accuracy> {
  const result: Accuracy = {};
  for (let from = 0; from < options.tasks; from += PROMPTS_AT_ONCE) {
    const instances = starterTasks('held-out', options.seed, from, Math.min(PROMPTS_AT_ONCE, options.tasks - from));
    const prompts = instances.map((instance) => tokenizer.encode(promptText(instance, 'terse')));
    const groups = await generate(
      policy,
      prompts,
      {
        completionsPerPrompt: options.samples,
        maxNewTokens: options.maxNewTokens,
        temperature: options.temperature,
        topK: 0,
        topP: 1,
        seed: options.seed + from,
      },
      () => undefined,
    );
    groups.forEach((group, i) => {
      const instance = instances[i]!;
      for (const completion of group) {
        const text = tokenizer.decode(completion.ended ? completion.tokens.slice(0, -1) : completion.tokens);
        const { reward } = verifyCompletion(instance, text);
        for (const key of ['all', mannerOf(text)]) {
          const tally = ((result[instance.ref.generator] ??= {})[key] ??= { right: 0, total: 0 });
          tally.total++;
          if (reward === 1) tally.right++;
        }
      }
    });
  }
  return result;
}

const MARKER: Readonly<Record<string, MannerName>> = { '<': 'guess', ':': 'worked', '~': 'careless' };

/** Which manner a completion is in: its first character names it. */
export function mannerOf(text: string): MannerName | 'other' {
  return MARKER[text[0] ?? ''] ?? 'other';
}

/** Share of all completions that are right. */
export function overall(accuracies: Accuracy): number {
  const tallies = Object.values(accuracies).map((byManner) => byManner.all!);
  const sum = (pick: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + pick(tally), 0);
  return sum((tally) => tally.right) / sum((tally) => tally.total);
}
