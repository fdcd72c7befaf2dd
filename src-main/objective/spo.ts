/**
 * SPO (arXiv 2606.03070): the fixed scaling that ASymPO is compared with. Needs no log-probs of the writer either.
 *
 *     A_g = r_g - mean r                                        sums to zero, no std
 *     C_g = 1 where A_g >= 0, alpha where A_g < 0               alpha = 0.2 by default
 *     S_g = -(1/m_g) sum_i log p_i                              mean token NLL under the CURRENT policy
 *     L   = (1/G) sum_g A_g C_g S_g                             minimised; unbounded below for alpha > 0
 *
 * alpha = 0 learns from better completions only, alpha = 1 is the naive objective (naive.ts). Normaliser: completions, then groups.
 * Degenerate: equal rewards and an empty mask give no gradient.
 */
import { absolute, completionLengths, contributions, isWorse, perRow, surprise } from './contributions.ts';
import { centred, groupMeanWeights, type Objective, type ObjectiveOptions } from './objective.ts';

export function spo({ spoAlpha }: ObjectiveOptions): Objective {
  return {
    name: 'spo',
    summary: 'Moves towards better answers at full strength and away from worse ones at a fraction of it.',
    needsBehaviorLogprobs: false,
    needsReferenceLogprobs: false,
    advantages: centred,
    rowWeights: groupMeanWeights,
    loss(b, inputs) {
      const { logprobs, completionMask, advantages, rowWeights } = inputs;
      const worse = b.reshape(isWorse(b, advantages), ['B']);
      const scale = b.sub(b.scalar(1), b.scale(worse, 1 - spoAlpha)); // C [B]
      const pull = b.mul(b.mul(advantages, scale), rowWeights);
      const s = surprise(b, logprobs, completionMask); // [B]
      const slope = b.div(absolute(b, pull), completionLengths(b, completionMask));
      return {
        loss: b.reduceSum(b.mul(pull, s)),
        metrics: {
          ...contributions(b, inputs, b.mul(completionMask, perRow(b, slope))),
          surprise: b.reduceSum(s),
        },
      };
    },
  };
}
