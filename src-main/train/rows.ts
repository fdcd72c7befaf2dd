/**
 * Groups -> rows of tokens with advantages and weights, ready for the compute process. Peers' text is tokenised with the own
 * tokenizer and given EOS where its writer ended it; completions that do not fit the context are cut, and advantages are computed
 * on exactly the rows that are left.
 */
import type { TrainRow } from '../../native-models/runtime/batch.ts';
import type { Objective } from '../objective/objective.ts';
import type { Tokenizer } from '../../native-models/text/tokenizer.ts';
import type { Completion } from '../types.ts';

/** A group in tokens of the own policy. */
export interface TokenGroup {
  promptTokens: readonly number[];
  completions: {
    tokens: readonly number[];
    reward: number;
    behaviorLogprobs: readonly number[] | null;
    referenceLogprobs?: readonly number[];
    /** Which completion of a peer's record it is: those that do not fit are missing here. */
    place?: number;
  }[];
}

/**
 * @returns null when fewer than two completions are left, or what is left earned the same: nothing to compare.
 */
export function peerTokenGroup(
  tokenizer: Tokenizer,
  promptTokens: readonly number[],
  completions: readonly Completion[],
  contextTokens: number,
): TokenGroup | null {
  const room = contextTokens - promptTokens.length;
  // A stranger's text of many kilobytes takes tens of milliseconds to tokenise: what cannot fit is not.
  const maxCharacters = Math.max(0, room) * tokenizer.maxTokenCharacters;
  const kept = completions
    .map(({ text, ended, reward }, place) => ({
      tokens: text.length > maxCharacters ? [] : [...tokenizer.encode(text), ...(ended ? [tokenizer.eosId] : [])],
      reward,
      behaviorLogprobs: null,
      place,
    }))
    .filter(({ tokens }) => tokens.length > 0 && tokens.length <= room);
  if (kept.length < 2 || kept.every(({ reward }) => reward === kept[0]!.reward)) return null;
  return { promptTokens, completions: kept };
}

/** `share`: part of the batch's loss that these groups make up, 0..1. Completions of weight 0 make no row. */
export function trainRows(groups: readonly TokenGroup[], objective: Objective, share: number): TrainRow[] {
  const weights = objective.rowWeights(
    groups.map((group) => ({
      rewards: group.completions.map(({ reward }) => reward),
      completionTokens: group.completions.map(({ tokens }) => tokens.length),
    })),
    share,
  );
  return groups.flatMap((group, g) => {
    const advantages = objective.advantages(group.completions.map(({ reward }) => reward));
    return group.completions
      .map(({ tokens, behaviorLogprobs, referenceLogprobs }, c) => ({
        tokens: [...group.promptTokens, ...tokens],
        promptLength: group.promptTokens.length,
        advantage: advantages[c]!,
        rowWeight: weights[g]![c]!,
        behaviorLogprobs,
        ...(referenceLogprobs ? { referenceLogprobs } : {}),
      }))
      .filter(({ rowWeight }) => rowWeight > 0);
  });
}
