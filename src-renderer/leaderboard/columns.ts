/** The columns of the leaderboard: name, meaning, value. The order here is the order on the page. */
import type { LeaderboardRow } from '../../src-main/engine/api.ts';
import { formatCount } from '../ui/format.ts';

export type ColumnName = 'groupsVerified' | 'completionsVerified' | 'completionsRight' | 'groupsAdopted' | 'rejected';

export interface Column {
  name: ColumnName;
  label: string;
  meaning: string;
}

export const columns: readonly Column[] = [
  {
    name: 'completionsRight',
    label: 'Right answers',
    meaning: 'Answers of this peer that this node has checked itself and found right. The order of the board.',
  },
  {
    name: 'completionsVerified',
    label: 'Answers checked',
    meaning: 'Answers of this peer whose reward this node has computed again itself.',
  },
  {
    name: 'groupsVerified',
    label: 'Groups checked',
    meaning: 'Groups of answers to one task that passed every check here.',
  },
  { name: 'groupsAdopted', label: 'Groups adopted', meaning: 'Groups of this peer that this node has trained on.' },
  {
    name: 'rejected',
    label: 'Turned away',
    meaning: 'Records of this peer that failed a check: forged, too large, unknown task and the like.',
  },
];

export interface Sorting {
  column: ColumnName;
  descending: boolean;
}

/** A new list; equal rows keep the order of the board. */
export function sortRows(rows: readonly LeaderboardRow[], sorting: Sorting): LeaderboardRow[] {
  const sign = sorting.descending ? -1 : 1;
  return rows.toSorted(
    (a, b) =>
      sign * (a[sorting.column] - b[sorting.column]) ||
      b.completionsRight - a.completionsRight ||
      a.peer.localeCompare(b.peer),
  );
}

export interface RankedPeer {
  rank: number;
  row: LeaderboardRow;
}

/** Rows whose name, policy or key has the text; the rank stays that of the whole list. */
export function rankPeers(
  sorted: readonly LeaderboardRow[],
  text: string,
  nameOf: (row: LeaderboardRow) => string | null,
): readonly RankedPeer[] {
  const wanted = text.trim().toLowerCase();
  const ranked = sorted.map((row, i) => ({ rank: i + 1, row }));
  if (wanted === '') return ranked;
  return ranked.filter(({ row }) =>
    `${nameOf(row) ?? ''}\n${row.policyName}\n${row.peer}`.toLowerCase().includes(wanted),
  );
}

/** What of the swarm does not apply to this node itself is a dash: it neither adopts its own groups nor turns them away. */
export function cellText(row: LeaderboardRow, column: ColumnName): string {
  return row.own && (column === 'groupsAdopted' || column === 'rejected') ? '–' : formatCount(row[column]);
}

/** Share right among the answers checked, or null when none was. */
export function shareRight(row: LeaderboardRow): number | null {
  return row.completionsVerified === 0 ? null : row.completionsRight / row.completionsVerified;
}

export function describeBoard(rows: readonly LeaderboardRow[]): string {
  const others = rows.filter((row) => !row.own).length;
  const right = rows.reduce((sum, row) => sum + row.completionsRight, 0);
  const who =
    others === 0
      ? 'Only this node so far'
      : others === 1
        ? 'This node and 1 peer'
        : `This node and ${formatCount(others)} peers`;
  return `${who}; ${formatCount(right)} right answers verified here.`;
}
