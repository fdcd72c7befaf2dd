/**
 * A demonstration: a right answer to be imitated, with where it came from. Whoever wrote it, it is checked here by the task's own
 * verifier; only what the owner's file gives without a task is taken as it is. Knows nothing of pools, files or training.
 */
import { createHash } from 'node:crypto';
import { chatPromptTokens } from '../../../native-models/text/chat-template.ts';
import { instantiate, taskRefKey } from '../../tasks/task-ref.ts';
import type { TaskInstance } from '../../tasks/task.ts';
import { verifyCompletion } from '../../tasks/verify-completions.ts';
import type { PeerId, TaskRef } from '../../types.ts';
import { promptTokens, type PolicyText } from '../rollout.ts';

export type DemonstrationSource = 'peer' | 'file' | 'own';

export interface Demonstration {
  source: DemonstrationSource;
  /** Null for the owner's file. */
  origin: PeerId | null;
  policyName: string | null;
  /** A task with the reference that regenerates it, or a prompt of the owner's file. */
  of: { kind: 'task'; task: TaskRef } | { kind: 'prompt'; prompt: string };
  /** Without end token. */
  text: string;
}

/** In tokens of the own policy. */
export interface DemonstrationTokens {
  demonstration: Demonstration;
  promptTokens: number[];
  /** Ends with EOS. */
  tokens: number[];
  /** The task's wording, or the prompt. */
  question: string;
}

/** Equal for the same text of the same task or prompt, whoever wrote it. */
export function demonstrationKey({ of, text }: Pick<Demonstration, 'of' | 'text'>): string {
  const asked = of.kind === 'task' ? taskRefKey(of.task) : JSON.stringify(of.prompt);
  return createHash('sha256').update(`${of.kind}\0${asked}\0${text}`).digest('base64url').slice(0, 22);
}

export type CheckedTask = { ok: true; instance: TaskInstance } | { ok: false; reason: 'unknownTask' | 'wrongAnswer' };

/** Regenerates the task of an untrusted reference and verifies the text. Never throws on decoded input. */
export function checkAnswer(ref: unknown, text: string): CheckedTask {
  const made = instantiate(ref);
  if (!made.ok) return { ok: false, reason: 'unknownTask' };
  if (verifyCompletion(made.instance, text).reward < 1) return { ok: false, reason: 'wrongAnswer' };
  return { ok: true, instance: made.instance };
}

/** Null where the answer does not fit: it is longer than the policy may write, or leaves the context. */
export function demonstrationTokens(
  policy: PolicyText & { contextTokens: number },
  demonstration: Demonstration,
  maxNewTokens: number,
): DemonstrationTokens | null {
  const { of, text } = demonstration;
  if (text.length > maxNewTokens * policy.tokenizer.maxTokenCharacters) return null; // without the work of tokenising it
  const tokens = [...policy.tokenizer.encode(text), policy.tokenizer.eosId];
  if (tokens.length > maxNewTokens) return null;
  let asked: { question: string; prompt: number[] };
  if (of.kind === 'prompt') {
    const { tokenizer, chat } = policy;
    const prompt = chat ? chatPromptTokens(tokenizer, chat, [{ role: 'user', content: of.prompt }]) : tokenizer.encode(of.prompt); // prettier-ignore
    asked = { question: of.prompt, prompt };
  } else {
    const made = instantiate(of.task);
    if (!made.ok) return null;
    asked = { question: made.instance.question, prompt: promptTokens(policy, made.instance) };
  }
  if (asked.prompt.length === 0 || asked.prompt.length + tokens.length > policy.contextTokens) return null;
  return { demonstration, promptTokens: asked.prompt, tokens, question: asked.question };
}
