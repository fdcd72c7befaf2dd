/**
 * SFT: mean negative log-likelihood of the completion tokens of demonstrations.
 *
 *     L = sum_rows w_row * sum_t mask_t * -log pi(t)
 *
 * Normaliser: the row weights; 1 / (completion tokens of the batch) makes it the token mean. Minimised.
 * As an objective for groups, the demonstrations are the completions that were verified as right (reward 1); the others have
 * weight 0. Advantages and behaviour log-probs are not read. Degenerate: no demonstration, or an empty mask, gives 0 and no gradient.
 */
import type { TokenLossFunction } from '../../native-models/policy/graphs.ts';
import type { Objective } from './objective.ts';

export const sftLoss: TokenLossFunction = (b, { logprobs, completionMask, rowWeights }) => {
  const perRow = b.reduceSum(b.mul(logprobs, completionMask), [1]); // [B]
  return {
    loss: b.neg(b.reduceSum(b.mul(perRow, rowWeights))),
    metrics: { tokens: b.reduceSum(completionMask), nll: b.neg(b.reduceSum(perRow)) },
  };
};

const isDemonstration = (reward: number): boolean => reward >= 1;

export function sft(): Objective {
  return {
    name: 'sft',
    summary: 'Imitates the right answers and leaves the wrong ones out.',
    needsBehaviorLogprobs: false,
    needsReferenceLogprobs: false,
    advantages: (rewards) => rewards.map((reward) => (isDemonstration(reward) ? 1 : 0)),
    rowWeights(groups, share) {
      const tokens = groups
        .flatMap(({ rewards, completionTokens }) => completionTokens.filter((_, i) => isDemonstration(rewards[i]!)))
        .reduce((sum, count) => sum + count, 0);
      return groups.map(({ rewards }) =>
        rewards.map((reward) => (isDemonstration(reward) ? share / Math.max(1, tokens) : 0)),
      );
    },
    loss: sftLoss,
  };
}
