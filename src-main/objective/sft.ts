/**
 * SFT: mean negative log-likelihood of the completion tokens of demonstrations.
 *
 *     L = sum_rows w_row * sum_t mask_t * -log pi(t)
 *
 * Normaliser: the row weights; 1 / (completion tokens of the batch) makes it the token mean. Minimised.
 * Advantages and behaviour log-probs are not read. Degenerate: an empty mask gives 0 and no gradient.
 */
import type { TokenLossFunction } from '../../native-models/policy/graphs.ts';

export const sftLoss: TokenLossFunction = (b, { logprobs, completionMask, rowWeights }) => {
  const perRow = b.reduceSum(b.mul(logprobs, completionMask), [1]); // [B]
  return { loss: b.neg(b.reduceSum(b.mul(perRow, rowWeights))), metrics: {} };
};
