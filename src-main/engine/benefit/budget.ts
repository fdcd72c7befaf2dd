/**
 * What the benefit meter may spend: with every round it is given a share of what the round computed, and a comparison begins once
 * what it is likely to take has been saved up. Counted in tokens, generated and trained alike, not in time: so that the same rounds
 * give the same comparisons on every machine. Pure.
 *
 * Bound: what has been spent never exceeds the share of all rounds so far by more than the last comparison took above its estimate,
 * and that is saved up before the next one.
 */

export interface RoundTokens {
  generated: number;
  trained: number;
}

export interface ComparisonSize {
  /** Of each branch. */
  rounds: number;
  /** Held-out answers of each branch. */
  answers: number;
  /** Answers that a round generates. */
  answersPerRound: number;
}

/** Rounds generated in place of one while peers' groups are replaced by own ones: a guess that the next comparison pays for. */
const REFILL = 2;
/** More than this many comparisons are not saved up. */
const MOST_SAVED = 2;

/** Tokens that a comparison is likely to take, by the latest round: one branch trained again, both examined. */
export function likelyCost({ generated, trained }: RoundTokens, size: ComparisonSize): number {
  const exams = (2 * size.answers * generated) / Math.max(1, size.answersPerRound);
  return exams + size.rounds * (REFILL * generated + trained);
}

/** `saved` after a round; below 0 where a comparison took more than it was thought to. */
export function saveUp(saved: number, round: RoundTokens, percent: number, size: ComparisonSize): number {
  const most = Math.max(saved, MOST_SAVED * likelyCost(round, size));
  return Math.min(most, saved + (percent / 100) * (round.generated + round.trained));
}
