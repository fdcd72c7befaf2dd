/**
 * Statistics of the rewards of one round's own groups. Plain numbers in, metrics out; knows nothing of policies or storage.
 */
import type { MetricValues } from './metrics.ts';

export interface MeasuredCompletion {
  reward: number;
  /** Tokens sampled, the end token included. */
  tokens: number;
  /** False when it was cut at the token limit. */
  ended: boolean;
}

/** `groups`: [B][G] of the whole round, before filtering. No groups, no metrics. A reward of 1 counts as solved. */
export function groupStatistics(groups: readonly (readonly MeasuredCompletion[])[]): MetricValues {
  const filled = groups.filter((group) => group.length > 0);
  const all = filled.flat();
  if (all.length === 0) return {};
  const spreads = filled.map((group) => standardDeviation(group.map((completion) => completion.reward)));
  return {
    ownReward: mean(all.map((completion) => completion.reward)),
    solvedTasks: mean(filled.map((group) => (group.some((completion) => completion.reward >= 1) ? 1 : 0))),
    groupSpread: mean(spreads),
    zeroAdvantage: mean(
      filled.map((group) => (group.every((completion) => completion.reward === group[0]!.reward) ? 1 : 0)),
    ),
    completionTokens: mean(all.map((completion) => completion.tokens)),
    truncated: mean(all.map((completion) => (completion.ended ? 0 : 1))),
  };
}

/** NaN for no values: callers leave the metric out. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of the population (divides by n), two passes; 0 for one value. */
function standardDeviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
}
