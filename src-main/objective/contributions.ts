/**
 * Graph code that several objectives share: the surprise S of a completion, and what better and worse completions contribute.
 * Knows no objective.
 *
 * `raised` and `lowered` are the sums over tokens of |dL / d log p| * -log p, over completions with positive and with
 * negative advantage: how strongly the loss pulls at the scale of -log p. Advantages that sum to zero suggest that the two are equal;
 * on stale or foreign text they are not (the scale imbalance of arXiv 2606.03070). lowered / raised is the realised balance:
 * for the naive objective it is the ratio of the A S terms, for ASymPO about 1 by construction.
 */
import type { GraphBuilder } from '../../native-models/graph/builder.ts';
import type { Value } from '../../native-models/graph/ops.ts';
import type { TokenLossInputs } from '../../native-models/policy/graphs.ts';

/** 1 where the advantage is below 0, else 0. [B,1] */
export function isWorse(b: GraphBuilder, advantages: Value): Value {
  return b.reshape(b.greater(b.scalar(0), advantages), ['B', 1]);
}

/** Tokens of each completion, at least 1, so that an empty one divides by something. [B] */
export function completionLengths(b: GraphBuilder, completionMask: Value): Value {
  return b.max(b.reduceSum(completionMask, [1]), b.scalar(1));
}

/** S: mean of -l over the completion's tokens; 0 for an empty one. [B,T] -> [B] */
export function surprise(b: GraphBuilder, l: Value, completionMask: Value): Value {
  const total = b.reduceSum(b.mul(l, completionMask), [1]);
  return b.div(b.neg(total), completionLengths(b, completionMask));
}

/** `slope`: |dL / d log p| of every token, row weight included. [B,T] */
export function contributions(
  b: GraphBuilder,
  { logprobs, completionMask, advantages }: TokenLossInputs,
  slope: Value,
): { tokens: Value; nll: Value; raised: Value; lowered: Value } {
  const nll = b.neg(b.mul(logprobs, completionMask)); // [B,T], 0 on padding however wild it is there
  const pull = b.mul(slope, nll);
  const worse = isWorse(b, advantages);
  const better = b.reshape(b.greater(advantages, b.scalar(0)), ['B', 1]);
  return {
    tokens: b.reduceSum(completionMask),
    nll: b.reduceSum(nll),
    raised: b.reduceSum(b.mul(pull, better)),
    lowered: b.reduceSum(b.mul(pull, worse)),
  };
}

/** [B] -> [B,1], to multiply tokens with. */
export function perRow(b: GraphBuilder, x: Value): Value {
  return b.reshape(x, ['B', 1]);
}

export function absolute(b: GraphBuilder, x: Value): Value {
  return b.max(x, b.neg(x));
}
