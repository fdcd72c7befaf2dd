/**
 * GRPO (arXiv 2402.03300) with the asymmetric clipping of DAPO (arXiv 2503.14476).
 *
 *     A_g = (r_g - mean r) / (std r + 1e-8)                    std unbiased (n - 1); without the division: Dr.GRPO (2503.20783)
 *     rho = pi_theta(token) / pi_behaviour(token)
 *     L   = - N[ min(rho A, clip(rho, 1 - low, 1 + high) A) ] + beta N[ k3 ]
 *     k3  = pi_ref / pi_theta - log(pi_ref / pi_theta) - 1     per token, at least 0 (beta > 0 only)
 *
 * Normaliser N, over the trained groups: `tokens` mean over all completion tokens, so long completions weigh more (DAPO);
 * `answers` mean over groups of the mean over completions of their token mean (the original); `constant` the same with the
 * token limit in place of each completion's length (Dr.GRPO). Minimised.
 * rho is computed in the graph from the weights of the moment: it is 1 in the first epoch but for rounding, moves from the second on,
 * and then clipping acts. Answers sampled from compressed weights (runtime/precision.ts) come from another policy: there it is not 1
 * from the start. The reference is the policy that training started from.
 * Degenerate: equal rewards give A = 0 (such groups are dropped before); one-token completions are ordinary; an empty one gives
 * nothing. Decision: log rho is held within +-30, so that exp cannot overflow on text of quite another policy.
 */
import type { GraphBuilder } from '../../native-models/graph/builder.ts';
import type { Value } from '../../native-models/graph/ops.ts';
import type { TokenLossInputs } from '../../native-models/policy/graphs.ts';
import { absolute, contributions, perRow } from './contributions.ts';
import { centred, type Objective, type ObjectiveOptions, type ScoredGroup } from './objective.ts';

const STD_EPSILON = 1e-8;
const MAX_LOG_RATIO = 30;

export function grpo(options: ObjectiveOptions): Objective {
  const { clipLow, clipHigh, klWeight } = options;
  return {
    name: 'grpo',
    summary: 'Compares the answers to one task with each other and moves towards the better ones, in bounded steps.',
    needsBehaviorLogprobs: true,
    needsReferenceLogprobs: klWeight > 0,
    advantages: options.grpoScaleByStd ? standardised : centred,
    rowWeights: (groups, share) => normalisers[options.grpoNormaliser](groups, share, options.maxNewTokens),
    loss(b, inputs) {
      const { logprobs, behaviorLogprobs, completionMask, rowWeights } = inputs;
      const advantage = perRow(b, inputs.advantages);
      const ratio = b.exp(bounded(b, b.mul(b.sub(logprobs, behaviorLogprobs), completionMask)));
      const clipped = b.min(b.max(ratio, b.scalar(1 - clipLow)), b.scalar(1 + clipHigh));
      const surrogate = b.mul(ratio, advantage);
      const clippedSurrogate = b.mul(clipped, advantage);
      const isClipped = b.mul(b.greater(surrogate, clippedSurrogate), completionMask);
      const kept = b.mul(b.min(surrogate, clippedSurrogate), completionMask);
      const slope = b.mul(absolute(b, surrogate), b.mul(b.sub(completionMask, isClipped), perRow(b, rowWeights)));
      const rowSum = (x: Value): Value => b.reduceSum(b.mul(b.reduceSum(x, [1]), rowWeights));
      const gain = b.neg(rowSum(kept));
      const metrics = {
        ...contributions(b, inputs, slope),
        clippedTokens: b.reduceSum(isClipped),
        ratio: b.reduceSum(b.mul(ratio, completionMask)),
      };
      if (klWeight === 0) return { loss: gain, metrics };
      const k3 = klEstimate(b, inputs);
      return { loss: b.add(gain, b.scale(rowSum(k3), klWeight)), metrics: { ...metrics, kl: b.reduceSum(k3) } };
    },
  };
}

/** Padding has behaviour 0 and an arbitrary log-prob: what comes here is masked, and held before exp. */
function bounded(b: GraphBuilder, logRatio: Value): Value {
  return b.min(b.max(logRatio, b.scalar(-MAX_LOG_RATIO)), b.scalar(MAX_LOG_RATIO));
}

function klEstimate(b: GraphBuilder, { logprobs, referenceLogprobs, completionMask }: TokenLossInputs): Value {
  const d = bounded(b, b.mul(b.sub(referenceLogprobs, logprobs), completionMask));
  return b.mul(b.sub(b.sub(b.exp(d), d), b.scalar(1)), completionMask);
}

function standardised(rewards: readonly number[]): number[] {
  const distances = centred(rewards);
  const squares = distances.reduce((sum, distance) => sum + distance ** 2, 0);
  const std = rewards.length > 1 ? Math.sqrt(squares / (rewards.length - 1)) : 0;
  return distances.map((distance) => distance / (std + STD_EPSILON));
}

type Normaliser = (groups: readonly ScoredGroup[], share: number, maxTokens: number) => number[][];
const eachAnswer = (groups: readonly ScoredGroup[], share: number, divisor: (tokens: number) => number): number[][] =>
  groups.map(({ completionTokens }) =>
    completionTokens.map((tokens) => share / (groups.length * completionTokens.length * divisor(tokens))),
  );
const normalisers: Record<ObjectiveOptions['grpoNormaliser'], Normaliser> = {
  tokens(groups, share) {
    const tokens = groups.reduce((sum, group) => sum + group.completionTokens.reduce((a, b) => a + b, 0), 0);
    return groups.map((group) => group.completionTokens.map(() => share / Math.max(1, tokens)));
  },
  answers: (groups, share) => eachAnswer(groups, share, (tokens) => Math.max(1, tokens)),
  constant: (groups, share, maxTokens) => eachAnswer(groups, share, () => maxTokens),
};
