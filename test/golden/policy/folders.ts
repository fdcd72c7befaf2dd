/** The policies that make.py wrote, with what transformers computed from them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TokenLossFunction } from '../../../native-models/policy/graphs.ts';
import type { TrainRow } from '../../../native-models/runtime/batch.ts';

export interface PolicyVectors {
  rows: { tokens: number[]; promptLength: number; logprobs: number[] }[];
  /** Mean of -logprob over all completion tokens. */
  loss: number;
  greedy: { prompt: number[]; tokens: number[]; logprobs: number[] }[];
  text: { prompt: string; completion: string; promptTokenIds: number[]; tokenIds: number[]; logprobs: number[] };
}

export const policyNames = ['untied', 'tied'] as const;

export function policyFolder(name: (typeof policyNames)[number]): { directory: string; vectors: PolicyVectors } {
  const directory = fileURLToPath(new URL(name, import.meta.url));
  return { directory, vectors: JSON.parse(readFileSync(`${directory}/vectors.json`, 'utf8')) as PolicyVectors };
}

/** -sum(logprob * completionMask * rowWeight); the sum of log-probs as a metric. */
export const weightedLikelihood: TokenLossFunction = (b, { logprobs, completionMask, rowWeights }) => {
  const masked = b.mul(logprobs, completionMask);
  return {
    loss: b.neg(b.reduceSum(b.mul(b.reduceSum(masked, [1]), rowWeights))),
    metrics: { logprobs: b.reduceSum(masked) },
  };
};

/** Rows whose weights make the loss the mean over all completion tokens. */
export function meanLossRows(vectors: PolicyVectors): TrainRow[] {
  const total = vectors.rows.reduce((sum, row) => sum + row.logprobs.length, 0);
  return vectors.rows.map(({ tokens, promptLength }) => ({
    tokens,
    promptLength,
    advantage: 0,
    rowWeight: 1 / total,
    behaviorLogprobs: null,
  }));
}
