/**
 * ASymPO (arXiv 2606.03070): needs no log-probs of the policy that wrote the text, so peers' completions can be trained on.
 *
 *     A_g = r_g - mean r                                        sums to zero, no std
 *     S_g = -(1/m_g) sum_i l_i                                  mean token NLL under the CURRENT policy
 *     L   = (1/G) sum_g A_g S_g / sg(max(S_g, eps))             gradient (1/G) sum_g (A_g / S_g) grad S_g
 *     l_i = min(log p_i, log p_high) where A_g >= 0, max(log p_i, log p_low) where A_g < 0   (appendix C, stabiliser)
 *
 * Dividing by S_g makes pushing down an unlikely completion as strong as pulling up a likely one: no collapse on stale text.
 * Its value says nothing (it is always about 0): watch reward, S and the gradient norm. Normaliser: completions, then groups.
 * Decisions: p_low = 0.02, p_high = 0.98, eps = 1e-3. Degenerate: a completion whose tokens are all clipped has no gradient;
 * an empty mask is kept from dividing by zero and has none either.
 */
import { mean, type Objective } from './objective.ts';

const P_LOW = 0.02;
const P_HIGH = 0.98;
const S_FLOOR = 1e-3;

export function asympo(): Objective {
  return {
    name: 'asympo',
    summary: 'Learns from answers of any policy, each weighted by how surprising it is to this one.',
    needsBehaviorLogprobs: false,
    advantages(rewards) {
      const centre = mean(rewards);
      return rewards.map((reward) => reward - centre);
    },
    rowWeights(groups, share) {
      return groups.map((group) => group.rewards.map(() => share / (group.rewards.length * groups.length)));
    },
    loss(b, { logprobs, completionMask, advantages, rowWeights }) {
      const negative = b.reshape(b.greater(b.scalar(0), advantages), ['B', 1]); // [B,1]
      const positive = b.sub(b.scalar(1), negative);
      const [low, high] = [b.scalar(Math.log(P_LOW)), b.scalar(Math.log(P_HIGH))];
      const l = b.where(negative, b.max(logprobs, low), b.min(logprobs, high)); // [B,T]
      const length = b.max(b.reduceSum(completionMask, [1]), b.scalar(1)); // [B]
      const surprise = b.div(b.neg(b.reduceSum(b.mul(l, completionMask), [1])), length); // S [B]
      const floored = b.stopGradient(b.max(surprise, b.scalar(S_FLOOR)));
      const perRow = b.mul(advantages, b.div(surprise, floored));
      const clippedHigh = b.mul(b.greater(logprobs, high), positive);
      const clippedLow = b.mul(b.greater(low, logprobs), negative);
      return {
        loss: b.reduceSum(b.mul(perRow, rowWeights)),
        metrics: {
          tokens: b.reduceSum(completionMask),
          clippedHigh: b.reduceSum(b.mul(clippedHigh, completionMask)),
          clippedLow: b.reduceSum(b.mul(clippedLow, completionMask)),
          nll: b.neg(b.reduceSum(b.mul(logprobs, completionMask))),
          surprise: b.reduceSum(surprise),
        },
      };
    },
  };
}
