/** The policies that make.py and make-families.py wrote, with what transformers and peft computed from them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

/** What an adapter's policy gave; texts are scored without one. */
export type AdapterVectors = Omit<PolicyVectors, 'text'>;

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const families = readdirSync(new URL('families', import.meta.url)).sort();
export const policyNames: readonly string[] = ['untied', 'tied', ...families.map((name) => `families/${name}`)];
export const hasGradients = (name: string): boolean => existsSync(pathOf(`${name}/gradients.safetensors`));
export const adaptedNames: readonly string[] = policyNames.filter((name) => existsSync(pathOf(`${name}/adapter`)));

export function policyFolder(name: string): { directory: string; vectors: PolicyVectors } {
  return { directory: pathOf(name), vectors: readVectors(`${name}/vectors.json`) as PolicyVectors };
}

export function adapterVectors(name: string): AdapterVectors {
  return readVectors(`${name}/adapter-vectors.json`) as AdapterVectors;
}

function readVectors(name: string): unknown {
  return JSON.parse(readFileSync(pathOf(name), 'utf8'));
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
export function meanLossRows(vectors: AdapterVectors): TrainRow[] {
  const total = vectors.rows.reduce((sum, row) => sum + row.logprobs.length, 0);
  return vectors.rows.map(({ tokens, promptLength }) => ({
    tokens,
    promptLength,
    advantage: 0,
    rowWeight: 1 / total,
    behaviorLogprobs: null,
  }));
}
