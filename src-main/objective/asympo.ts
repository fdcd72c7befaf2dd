/**
 * ASymPO (arXiv 2606.03070): needs no log-probs of the policy that wrote the text, so peers' completions can be trained on.
 *
 *     A_g = r_g - mean r                                        sums to zero, no std
 *     S_g = -(1/m_g) sum_i l_i                                  mean token NLL under the CURRENT policy
 *     L   = (1/G) sum_g A_g S_g / sg(max(S_g, eps))             gradient (1/G) sum_g (A_g / S_g) grad S_g
 *     l_i = min(log p_i, log p_high) where A_g >= 0, max(log p_i, log p_low) where A_g < 0   (appendix C, stabiliser)
 *
 * Dividing by S_g makes better and worse completions of a group contribute alike, however likely each is by now: no collapse on
 * stale text. Its value says nothing (it is always about 0): watch reward, S and the gradient norm. Normaliser: completions, then
 * groups. Decisions: p_low = 0.02 and p_high = 0.98 by default, 0 and 1 switch the stabiliser off; eps = 1e-3. Degenerate: a
 * completion whose tokens are all clipped has no gradient; an empty mask is kept from dividing by zero and has none either.
 */
import { absolute, completionLengths, contributions, isWorse, perRow, surprise } from './contributions.ts';
import { centred, groupMeanWeights, type Objective, type ObjectiveOptions } from './objective.ts';

const S_FLOOR = 1e-3;

export function asympo({ asympoLow, asympoHigh }: ObjectiveOptions): Objective {
  return {
    name: 'asympo',
    summary: 'Learns from answers of any policy, each weighted by how surprising it is to this one.',
    needsBehaviorLogprobs: false,
    needsReferenceLogprobs: false,
    advantages: centred,
    rowWeights: groupMeanWeights,
    loss(b, inputs) {
      const { logprobs, completionMask, advantages, rowWeights } = inputs;
      const negative = isWorse(b, advantages); // [B,1]
      const positive = b.sub(b.scalar(1), negative);
      // Switched off, a bound lies where no log-prob of a float32 policy is.
      const low = b.scalar(asympoLow > 0 ? Math.log(asympoLow) : -1e30);
      const high = b.scalar(asympoHigh < 1 ? Math.log(asympoHigh) : 1e30);
      const l = b.where(negative, b.max(logprobs, low), b.min(logprobs, high)); // [B,T]
      const clippedHigh = b.mul(b.mul(b.greater(logprobs, high), positive), completionMask);
      const clippedLow = b.mul(b.mul(b.greater(low, logprobs), negative), completionMask);
      const s = surprise(b, l, completionMask); // [B]
      const floored = b.stopGradient(b.max(s, b.scalar(S_FLOOR)));
      const free = b.sub(completionMask, b.add(clippedHigh, clippedLow));
      const slope = b.div(
        absolute(b, b.mul(advantages, rowWeights)),
        b.mul(floored, completionLengths(b, completionMask)),
      );
      return {
        loss: b.reduceSum(b.mul(b.mul(advantages, b.div(s, floored)), rowWeights)),
        metrics: {
          ...contributions(b, inputs, b.mul(free, perRow(b, slope))),
          clippedHigh: b.reduceSum(clippedHigh),
          clippedLow: b.reduceSum(clippedLow),
          surprise: b.reduceSum(s),
          // A S: by this one can tell two policies apart on the same answers, the loss itself is always about 0.
          undivided: b.reduceSum(b.mul(b.mul(advantages, s), rowWeights)),
        },
      };
    },
  };
}
