/**
 * How likely a policy in a model folder finds a completion: for checking a folder against another implementation.
 * Loads, scores on the CPU, closes: one call. Knows no chat template: the prompt is taken as plain text.
 */
import { PolicyRuntime } from '../runtime/policy-runtime.ts';
import { loadPolicyFolder, type StoredAs } from './load-policy.ts';
import { PolicyError } from './policy-error.ts';

export interface ScoreOptions {
  /** Append the end-of-text token to the completion. */
  ended?: boolean;
  /** CPU threads; 0 = one per core. */
  threads?: number;
}
export interface FolderScore {
  promptTokenIds: number[];
  /** Of the completion. */
  tokenIds: number[];
  /** What the numbers were computed in: what training computes in. */
  computedIn: 'f32';
  storedAs: StoredAs;
  /** Natural log-prob of each completion token at temperature 1. */
  logprobs: number[];
}

/** @throws PolicyError when the folder cannot be used, or prompt and completion do not fit. */
export async function scoreFolder(
  directory: string,
  prompt: string,
  completion: string,
  options: ScoreOptions = {},
): Promise<FolderScore> {
  const { config, weights, storedAs, tokenizer } = await loadPolicyFolder(directory);
  const promptTokenIds = tokenizer.encode(prompt);
  const tokenIds = [...tokenizer.encode(completion), ...(options.ended ? [config.eosTokenId] : [])];
  const length = promptTokenIds.length + tokenIds.length;
  if (promptTokenIds.length === 0)
    throw new PolicyError('policyInvalid', 'The prompt has no tokens', 'Give a prompt of at least one token.');
  if (length > config.contextTokens) {
    throw new PolicyError(
      'policyInvalid',
      `Prompt and completion have ${length} tokens, the policy's context is ${config.contextTokens}`,
      'Shorten the text.',
    );
  }
  const policy = new PolicyRuntime({
    config,
    weights,
    provider: 'cpu',
    threads: options.threads ?? 0,
    padId: tokenizer.padId ?? config.eosTokenId,
  });
  try {
    const [logprobs] = await policy.score(
      [{ tokens: [...promptTokenIds, ...tokenIds], promptLength: promptTokenIds.length }],
      length,
      () => undefined,
    );
    return { promptTokenIds, tokenIds, computedIn: 'f32', storedAs, logprobs: logprobs! };
  } finally {
    await policy.close();
  }
}
