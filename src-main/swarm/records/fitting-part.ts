/**
 * As much of a group as a record holds: the whole of it, else some of its completions in their order, right and wrong ones in about
 * their proportion, so that a spread of rewards stays one. Which of equals are left out does not depend on their text, lest peers
 * learn from short answers alone; only where the first two are too long together are the shortest taken.
 * Knows neither signatures nor peers.
 */
import { packBody, type BodyCompletion, type PackedBody, type RecordBody } from '../codec/body.ts';
import { WIRE } from '../limits.ts';

export interface FittingPart {
  body: RecordBody;
  packed: PackedBody;
}

/** `rewardsOf` is asked only where the whole does not fit. Null where not even two completions do. */
export function fittingPart(
  whole: RecordBody,
  rewardsOf: (completions: readonly BodyCompletion[]) => readonly number[],
): FittingPart | null {
  const all = pack(whole, whole.completions);
  if (all !== null) return all;
  const short = whole.completions.filter(({ text }) => Buffer.byteLength(text) <= WIRE.maxCompletionBytes);
  const { best, others } = byReward(short, rewardsOf(short));
  const first = (count: number) => pack(whole, inOrder(short, mixed(best, others, count)));
  let fitting: FittingPart | null = null;
  let [low, high] = [2, Math.min(short.length, WIRE.maxCompletions)];
  while (low <= high) {
    const count = (low + high) >> 1;
    const part = first(count);
    fitting = part ?? fitting;
    if (part === null) high = count - 1;
    else low = count + 1;
  }
  return fitting ?? pack(whole, inOrder(short, mixed(shortestFirst(best), shortestFirst(others), 2)));
}

function pack(whole: RecordBody, completions: BodyCompletion[]): FittingPart | null {
  if (completions.length < Math.min(2, whole.completions.length)) return null;
  const body = { ...whole, completions };
  const packed = packBody(body);
  return packed.ok ? { body, packed: packed.value } : null;
}

/** Without rewards they are all alike. */
function byReward(completions: readonly BodyCompletion[], rewards: readonly number[]) {
  const highest = Math.max(...rewards);
  const isBest = (_: BodyCompletion, i: number) => rewards[i] === undefined || rewards[i] === highest;
  return {
    best: completions.filter(isBest),
    others: completions.filter((completion, i) => !isBest(completion, i)),
  };
}

/** Of both kinds, where there are both and `count` is at least 2. */
function mixed(best: readonly BodyCompletion[], others: readonly BodyCompletion[], count: number): BodyCompletion[] {
  const share = Math.round((count * best.length) / (best.length + others.length));
  const fromBest = others.length === 0 ? count : best.length === 0 ? 0 : Math.min(count - 1, Math.max(1, share));
  return [...best.slice(0, fromBest), ...others.slice(0, count - fromBest)];
}

function inOrder(completions: readonly BodyCompletion[], chosen: readonly BodyCompletion[]): BodyCompletion[] {
  const wanted = new Set(chosen);
  return completions.filter((completion) => wanted.has(completion));
}

function shortestFirst(completions: readonly BodyCompletion[]): BodyCompletion[] {
  return completions.toSorted((a, b) => Buffer.byteLength(a.text) - Buffer.byteLength(b.text));
}
