/**
 * Task instance -> the text a policy is given. Which style a policy wants is a property of the policy, not of the task:
 * the bundled one was trained on terse prompts, a chat model gets the full question. Only completions travel between peers,
 * so every node may prompt its own policy its own way.
 */
import type { TaskInstance } from '../tasks/task.ts';

export type PromptStyle = 'terse' | 'plain';

const PROMPT: Record<PromptStyle, (instance: TaskInstance) => string> = {
  terse: (instance) => `${instance.terse}\n`,
  plain: (instance) =>
    `${instance.question}\nThink step by step, then give the final answer inside <answer> and </answer>.\n`,
};

export function promptText(instance: TaskInstance, style: PromptStyle): string {
  return PROMPT[style](instance);
}
