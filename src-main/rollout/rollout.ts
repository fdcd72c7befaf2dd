/**
 * Tasks -> groups of verified completions of the own policy: prompt, batched generation, verdicts. The compute process
 * samples tokens; text and rewards are made here. Knows nothing of the swarm, the objective or the store.
 */
import type { ComputeHost } from '../../native-models/runtime/compute-host.ts';
import type { GeneratedCompletion, GenerateOptions } from '../../native-models/runtime/generate.ts';
import { chatPromptTokens, type ChatTemplate } from '../../native-models/text/chat-template.ts';
import type { Tokenizer } from '../../native-models/text/tokenizer.ts';
import type { Config } from '../config.ts';
import type { TaskInstance } from '../tasks/task.ts';
import { verifyCompletion, type VerifyOptions } from '../tasks/verify-completions.ts';
import type { Completion } from '../types.ts';
import { promptText, type PromptStyle } from './prompt.ts';

/** A completion with what only its writer knows: its tokens and their log-probs when they were sampled. */
export interface OwnCompletion extends Completion {
  tokens: number[];
  behaviorLogprobs: number[];
}
export interface OwnGroup {
  instance: TaskInstance;
  promptTokens: number[];
  completions: OwnCompletion[];
}

export interface PolicyText {
  tokenizer: Tokenizer;
  style: PromptStyle;
  /** Of a chat model; a full question is put to it as a user's message. */
  chat?: ChatTemplate | null;
}

export function promptTokens(policy: PolicyText, instance: TaskInstance): number[] {
  const text = promptText(instance, policy.style);
  if (!policy.chat || policy.style === 'terse') return policy.tokenizer.encode(text);
  return chatPromptTokens(policy.tokenizer, policy.chat, [{ role: 'user', content: text.trimEnd() }]);
}

/** Decoded text without the final EOS. */
export function completionText(
  tokenizer: Tokenizer,
  { tokens, ended }: Pick<GeneratedCompletion, 'tokens' | 'ended'>,
): string {
  return tokenizer.decode(ended ? tokens.slice(0, -1) : tokens);
}

/** The settings that say how an answer is sampled. */
export type SamplingSettings = Pick<Config, 'maxNewTokens' | 'temperature' | 'topK' | 'topP' | 'stopTexts'>;

export function generateOptions(
  { maxNewTokens, temperature, topK, topP, stopTexts }: SamplingSettings,
  completionsPerPrompt: number,
  seed: number,
): GenerateOptions {
  return { completionsPerPrompt, maxNewTokens, temperature, topK, topP, stopTexts, seed };
}

/** @throws ComputeError from the compute process */
export async function generateRollouts(
  compute: ComputeHost,
  policy: PolicyText,
  instances: readonly TaskInstance[],
  options: GenerateOptions,
  onProgress: (tokens: number) => void,
): Promise<{ instance: TaskInstance; promptTokens: number[]; generated: GeneratedCompletion[] }[]> {
  const prompts = instances.map((instance) => promptTokens(policy, instance));
  const generated = await compute.call('generate', { prompts, options }, onProgress);
  return instances.map((instance, i) => ({ instance, promptTokens: prompts[i]!, generated: generated[i]! }));
}

/** Decodes and scores; a completion's reward depends on its text and on `scoring` alone. */
export function verifyRollouts(
  policy: PolicyText,
  rollouts: readonly { instance: TaskInstance; promptTokens: number[]; generated: GeneratedCompletion[] }[],
  scoring: NonNullable<VerifyOptions['scoring']> = 'strict',
): OwnGroup[] {
  return rollouts.map(({ instance, promptTokens: prompt, generated }) => ({
    instance,
    promptTokens: prompt,
    completions: generated.map(({ tokens, logprobs, ended }) => {
      const text = completionText(policy.tokenizer, { tokens, ended });
      return {
        text,
        ended,
        tokens,
        behaviorLogprobs: logprobs,
        reward: verifyCompletion(instance, text, { scoring }).reward,
      };
    }),
  }));
}

/** Of all completions. */
export function generatedTokens(groups: readonly OwnGroup[]): number {
  return groups.reduce((sum, { completions }) => sum + completions.reduce((n, { tokens }) => n + tokens.length, 0), 0);
}
