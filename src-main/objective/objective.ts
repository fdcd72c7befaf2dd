/**
 * What an objective is: group arithmetic on plain numbers (advantages, row weights) and a token loss as graph code. One
 * objective per file. Knows nothing of where a group came from, of the optimiser, or of the process that runs the graph.
 *
 * Invariant: advantages are computed on exactly the completions that are trained, after every filter.
 */
import type { TokenLossFunction } from '../../native-models/policy/graphs.ts';

export type ObjectiveName = 'grpo' | 'asympo';

/** The completions of one group as the objective sees them. */
export interface ScoredGroup {
  rewards: readonly number[];
  /** Trained tokens of each completion, EOS included. */
  completionTokens: readonly number[];
}

export interface Objective {
  name: ObjectiveName;
  /** One sentence for people. */
  summary: string;
  /** Needs the log-probs of the policy that wrote the completions: own groups only. */
  needsBehaviorLogprobs: boolean;
  /** One advantage per completion. */
  advantages(rewards: readonly number[]): number[];
  /**
   * Multiplier of each row's loss, per group and completion, such that the summed loss over all rows is the objective's mean
   * over `groups` times `share`.
   */
  rowWeights(groups: readonly ScoredGroup[], share: number): number[][];
  loss: TokenLossFunction;
}

/** Numbers an objective may be tuned by; from the node's config. */
export interface ObjectiveOptions {
  clipLow: number;
  clipHigh: number;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** True when every completion earned the same: no advantage, nothing to learn from. */
export function isUniform(rewards: readonly number[]): boolean {
  return rewards.every((reward) => reward === rewards[0]);
}
