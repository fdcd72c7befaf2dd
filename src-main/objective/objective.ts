/**
 * What an objective is: group arithmetic on plain numbers (advantages, row weights) and a token loss as graph code. One
 * objective per file. Knows nothing of where a group came from, of the optimiser, or of the process that runs the graph.
 *
 * Invariant: advantages are computed on exactly the completions that are trained, after every filter.
 */
import type { TokenLossFunction } from '../../native-models/policy/graphs.ts';

/** All but `naive` can be chosen in the config. */
export type ObjectiveName = 'grpo' | 'asympo' | 'spo' | 'sft' | 'naive';

/** The completions of one group as the objective sees them. */
export interface ScoredGroup {
  rewards: readonly number[];
  /** Trained tokens of each completion, EOS included. */
  completionTokens: readonly number[];
}

/**
 * Metrics of a loss are sums over the micro-batches, so that they add up. Every objective has `tokens` (completion tokens),
 * `nll` (sum of -log p over them), and those that have advantages `raised` and `lowered` (see contributions.ts).
 */
export interface Objective {
  name: ObjectiveName;
  /** One sentence for people. */
  summary: string;
  /** Needs the log-probs of the policy that wrote the completions: own groups only. */
  needsBehaviorLogprobs: boolean;
  /** Needs the log-probs of the policy that training started from: a second copy of the weights in the compute process. */
  needsReferenceLogprobs: boolean;
  /** One advantage per completion. */
  advantages(rewards: readonly number[]): number[];
  /**
   * Multiplier of each row's loss, per group and completion, such that the summed loss over all rows is the objective's mean
   * over `groups` times `share`. A row of weight 0 need not be computed.
   */
  rowWeights(groups: readonly ScoredGroup[], share: number): number[][];
  loss: TokenLossFunction;
}

/** Numbers an objective may be tuned by; fields of the node's config, where their defaults and ranges stand. */
export interface ObjectiveOptions {
  clipLow: number;
  clipHigh: number;
  grpoNormaliser: 'tokens' | 'answers' | 'constant';
  grpoScaleByStd: boolean;
  klWeight: number;
  asympoLow: number;
  asympoHigh: number;
  spoAlpha: number;
  /** The constant of GRPO's constant normaliser. */
  maxNewTokens: number;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Distance of each reward to the mean of its group: sums to zero. */
export function centred(rewards: readonly number[]): number[] {
  const centre = mean(rewards);
  return rewards.map((reward) => reward - centre);
}

/** Each group counts alike, and each completion in it: share / (G * groups). */
export function groupMeanWeights(groups: readonly ScoredGroup[], share: number): number[][] {
  return groups.map((group) => group.rewards.map(() => share / (group.rewards.length * groups.length)));
}

/** True when every completion earned the same: no advantage, nothing to learn from. */
export function isUniform(rewards: readonly number[]): boolean {
  return rewards.every((reward) => reward === rewards[0]);
}
