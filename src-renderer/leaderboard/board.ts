/** The board of credit in words: windows, columns, who, how plausible. Pure. */
import type { BoardRow, BoardWindow, ReceiptRow } from '../../src-main/engine/api.ts';
import type { PeerId } from '../../src-main/types.ts';
import { formatCount, formatShare, plural } from '../ui/format.ts';

export const windows: readonly { value: BoardWindow; label: string; words: string }[] = [
  { value: 'day', label: 'Day', words: 'in the last 24 hours' },
  { value: 'week', label: 'Week', words: 'in the last 7 days' },
  { value: 'all', label: 'All', words: 'of all time' },
];

export const boardColumns = [
  {
    label: 'Score',
    meaning:
      'Records checked here, and of those vouched for at most four times as many. Whom this node has never checked has none.',
  },
  {
    label: 'Checked',
    meaning:
      'Records whose rewards this node has computed again itself. For its own row: confirmed by a true receipt of another.',
  },
  {
    label: 'Vouched',
    meaning:
      'Records never seen here, for which at least two auditors signed alike. Each counts by the weight of those auditors.',
  },
  {
    label: 'Auditors',
    meaning: 'How many nodes signed receipts for these records, counting those whose receipts prove true here.',
  },
  {
    label: 'Solve rate',
    meaning:
      'Share of right answers among those checked here, and what others reach on the same tasks. Far above them is marked implausible: perhaps no policy at all. It is shown, never acted on.',
  },
] as const;

/** Scores are whole but for the weights of auditors: one decimal while it can be told apart. */
export function formatScore(score: number): string {
  return Number.isInteger(score) || score >= 100 ? formatCount(Math.round(score)) : score.toFixed(1);
}

/** The parts of a score that count: `vouched` beyond four times `checked` does not. */
export function countedParts({ score, checked }: BoardRow): { checked: number; vouched: number } {
  return { checked, vouched: Math.max(0, score - checked) };
}

export function nameOf(row: BoardRow): string {
  return row.displayName ?? 'No name';
}

/** What a record counts by. Two believed auditors are needed where this node has not checked it itself. */
export type Basis = 'here' | 'vouched' | 'waiting';

export function basisOf({ checkedHere, auditors }: ReceiptRow): Basis {
  if (checkedHere) return 'here';
  return auditors.filter(({ weight }) => weight > 0).length >= 2 ? 'vouched' : 'waiting';
}

export interface RankedRow {
  rank: number;
  row: BoardRow;
}

/** Rows whose name, team or key has the text; the rank stays that of the whole board. */
export function findRows(rows: readonly BoardRow[], text: string): RankedRow[] {
  const wanted = text.trim().toLowerCase();
  const ranked = rows.map((row, i) => ({ rank: i + 1, row }));
  if (wanted === '') return ranked;
  return ranked.filter(({ row }) =>
    [row.displayName ?? '', row.team ?? '', row.owner, ...row.devices].some((part) =>
      part.toLowerCase().includes(wanted),
    ),
  );
}

/** Scores change while one reads: the open row stays, above or below the page that it has left. */
export function withOpenRow(page: RankedRow[], found: readonly RankedRow[], owner: PeerId | null): RankedRow[] {
  const open = owner === null ? undefined : found.find(({ row }) => row.owner === owner);
  if (open === undefined || page.includes(open)) return page;
  return [...page, open].sort((a, b) => a.rank - b.rank);
}

export function describeRows(rows: readonly BoardRow[], window: BoardWindow): string {
  const { words } = windows.find(({ value }) => value === window)!;
  const own = rows.findIndex((row) => row.own);
  const place = own === -1 ? '' : ` This node is number ${formatCount(own + 1)}.`;
  if (rows.length === 1 && own === 0) return `Only this node so far, useful records ${words}.`;
  return `${plural(rows.length, 'owner')}, useful records ${words}.${place}`;
}

export function describeExpected(plausibility: NonNullable<BoardRow['plausibility']>): string {
  return plausibility.expected === null ? 'nobody to compare' : `others ${formatShare(plausibility.expected)}`;
}
