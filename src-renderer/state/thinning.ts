/** Keeps a growing list of rounds bounded. Pure. */
import type { RoundRow } from '../../src-main/engine/api.ts';

export const keepAtMost = 1200;
const keepWhole = 200;
const thinTo = 800;

/** Every n-th of the older rows so that `limit` remain; the first and the latest `keepWhole` always do. */
export function thinRounds(rows: readonly RoundRow[], limit: number, whole: number): RoundRow[] {
  if (rows.length <= limit) return [...rows];
  const older = rows.slice(0, rows.length - whole);
  const wanted = Math.max(1, limit - whole);
  const kept = Array.from({ length: wanted }, (_, i) => older[Math.floor((i * older.length) / wanted)]!);
  return [...kept, ...rows.slice(rows.length - whole)];
}

/** Appends a round, replacing a row of the same number (a round that was run again after a crash). */
export function addRound(rows: readonly RoundRow[], row: RoundRow): RoundRow[] {
  let end = rows.length;
  while (end > 0 && rows[end - 1]!.round >= row.round) end -= 1;
  const grown = [...rows.slice(0, end), row];
  return grown.length > keepAtMost ? thinRounds(grown, thinTo, keepWhole) : grown;
}
