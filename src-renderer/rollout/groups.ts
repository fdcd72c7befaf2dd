/** Rollouts of one task by one policy in one round, beside each other: what the policy is trained on is how they compare. Pure. */
import type { RolloutRow } from '../../src-main/engine/api.ts';
import { outcomeOf, type Outcome } from './outcome.ts';

export interface RolloutGroup {
  /** Stays the same while tries are added to the group at its older end. */
  key: string;
  /** At least one; in the order given. */
  tries: readonly [RolloutRow, ...RolloutRow[]];
  /** Of the whole group, whatever part of it is shown. */
  total: number;
  right: number;
}

function sameGroup(a: RolloutRow, b: RolloutRow): boolean {
  return (
    a.round === b.round &&
    a.origin === b.origin &&
    a.task.generator === b.task.generator &&
    a.task.seed === b.task.seed &&
    a.task.index === b.task.index &&
    a.question === b.question
  );
}

/** Without the last where rows older than these were left out: part of it may be among them, and its count would be wrong. */
export function wholeGroups(groups: readonly RolloutGroup[], reachedOldest: boolean): readonly RolloutGroup[] {
  return reachedOldest || groups.length < 2 ? groups : groups.slice(0, -1);
}

/** Neighbours that belong together become one group; the order stays. Then only tries of the wanted outcome are kept. */
export function groupRollouts(rows: readonly RolloutRow[], wanted: Outcome | 'any'): RolloutGroup[] {
  const groups: { key: string; tries: [RolloutRow, ...RolloutRow[]] }[] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last && sameGroup(last.tries[0], row)) last.tries.push(row);
    else groups.push({ key: String(row.id), tries: [row] });
  }
  return groups.flatMap(({ key, tries }) => {
    const outcomes = tries.map(outcomeOf);
    const [first, ...rest] = tries.filter((_, i) => wanted === 'any' || outcomes[i] === wanted);
    if (!first) return [];
    const right = outcomes.filter((outcome) => outcome === 'right').length;
    return [{ key, tries: [first, ...rest], total: tries.length, right }];
  });
}
