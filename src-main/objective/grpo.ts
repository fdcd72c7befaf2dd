/**
 * GRPO (arXiv 2402.03300) with the token mean and asymmetric clipping of DAPO (arXiv 2503.14476), no KL term.
 *
 *     A_g = (r_g - mean r) / (std r + 1e-8)                    std unbiased (n - 1)
 *     rho = pi_theta(token) / pi_behaviour(token)
 *     L   = - mean over completion tokens of min(rho A, clip(rho, 1 - low, 1 + high) A)
 *
 * Normaliser: all completion tokens of the batch, so long completions weigh more. Minimised.
 * In the first epoch rho is 1 but for rounding and clipping does nothing; it acts from the second epoch on.
 * Degenerate: equal rewards give A = 0 (such groups are dropped before); one-token completions are ordinary.
 */
import { mean, type Objective, type ObjectiveOptions } from './objective.ts';

const STD_EPSILON = 1e-8;

export function grpo({ clipLow, clipHigh }: ObjectiveOptions): Objective {
  return {
    name: 'grpo',
    summary: 'Compares the answers to one task with each other and moves towards the better ones, in bounded steps.',
    needsBehaviorLogprobs: true,
    advantages(rewards) {
      const centre = mean(rewards);
      const squares = rewards.reduce((sum, reward) => sum + (reward - centre) ** 2, 0);
      const std = rewards.length > 1 ? Math.sqrt(squares / (rewards.length - 1)) : 0;
      return rewards.map((reward) => (reward - centre) / (std + STD_EPSILON));
    },
    rowWeights(groups, share) {
      const tokens = groups.reduce((sum, group) => sum + group.completionTokens.reduce((a, b) => a + b, 0), 0);
      return groups.map((group) => group.completionTokens.map(() => share / Math.max(1, tokens)));
    },
    loss(b, { logprobs, behaviorLogprobs, completionMask, advantages, rowWeights }) {
      const advantage = b.reshape(advantages, ['B', 1]);
      // Padding has behaviour 0 and an arbitrary log-prob: masked before exp, so that it cannot overflow.
      const logRatio = b.mul(b.sub(logprobs, behaviorLogprobs), completionMask);
      const ratio = b.exp(logRatio);
      const clipped = b.min(b.max(ratio, b.scalar(1 - clipLow)), b.scalar(1 + clipHigh));
      const surrogate = b.mul(ratio, advantage);
      const clippedSurrogate = b.mul(clipped, advantage);
      const perToken = b.mul(b.min(surrogate, clippedSurrogate), completionMask);
      const perRow = b.reduceSum(perToken, [1]);
      return {
        loss: b.neg(b.reduceSum(b.mul(perRow, rowWeights))),
        metrics: {
          tokens: b.reduceSum(completionMask),
          clippedTokens: b.reduceSum(b.mul(b.greater(surrogate, clippedSurrogate), completionMask)),
          nll: b.neg(b.reduceSum(b.mul(logprobs, completionMask))),
          ratio: b.reduceSum(b.mul(ratio, completionMask)),
        },
      };
    },
  };
}
