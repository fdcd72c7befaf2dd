/** The peers as a table: columns, order, search. Pure. */
import type { PeerRow } from '../../src-main/engine/api.ts';
import type { PeerId } from '../../src-main/types.ts';
import { formatBytes, formatCount } from '../ui/format.ts';
import { pathOrder } from './network-words.ts';
import { rejectedTotal } from './reject-reasons.ts';

export type PeerColumn =
  'path' | 'latencyMs' | 'bytesIn' | 'bytesOut' | 'groupsReceived' | 'groupsGiven' | 'rejected' | 'lastSeenAt';

export const peerColumns: readonly { name: PeerColumn; label: string; meaning: string }[] = [
  {
    name: 'path',
    label: 'Path',
    meaning: 'How packets get there: over the local network, directly, or carried by another member.',
  },
  { name: 'latencyMs', label: 'Latency', meaning: 'How long an answer of this peer takes.' },
  { name: 'bytesIn', label: 'Received', meaning: 'Bytes received from this peer.' },
  { name: 'bytesOut', label: 'Sent', meaning: 'Bytes sent to this peer.' },
  {
    name: 'groupsReceived',
    label: 'Groups',
    meaning: 'Groups that came over this link and passed every check, whoever made them.',
  },
  {
    name: 'groupsGiven',
    label: 'Given',
    meaning: 'Groups handed to this peer over this link, made here or passed on for others.',
  },
  { name: 'rejected', label: 'Turned away', meaning: 'Records over this link that failed a check, and why.' },
  { name: 'lastSeenAt', label: 'Last seen', meaning: 'When something last came from this peer.' },
];

export interface PeerSorting {
  column: PeerColumn;
  descending: boolean;
}

/** Without a choice: connected first, and within that by this. */
export const defaultSorting: PeerSorting = { column: 'groupsReceived', descending: true };

function valueOf(row: PeerRow, column: PeerColumn): number | null {
  if (column === 'path') return pathOrder(row);
  return column === 'rejected' ? rejectedTotal(row.rejected) : row[column];
}

/** Connected first, then by the column; without one, by groups received. What is not known comes last either way. */
export function sortPeers(rows: readonly PeerRow[], sorting: PeerSorting | null): PeerRow[] {
  const { column, descending } = sorting ?? defaultSorting;
  const sign = descending ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [left, right] = [valueOf(a, column), valueOf(b, column)];
    const byConnection = sorting === null ? Number(b.connected) - Number(a.connected) : 0;
    const byKnown = Number(left === null) - Number(right === null);
    return byConnection || byKnown || sign * ((left ?? 0) - (right ?? 0)) || a.peer.localeCompare(b.peer);
  });
}

/** Those whose name, policy or key has the text. */
export function findPeers(
  rows: readonly PeerRow[],
  text: string,
  nameOf: (peer: PeerId) => string | null,
): readonly PeerRow[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return rows;
  return rows.filter((row) =>
    `${nameOf(row.peer) ?? ''}\n${row.policyName ?? ''}\n${row.peer}`.toLowerCase().includes(wanted),
  );
}

/** Of a peer that is gone it says nothing any more. */
export function formatLatency({ connected, latencyMs }: PeerRow): string {
  return connected && latencyMs !== null ? `${latencyMs.toFixed(0)} ms` : '–';
}

export function describePeers(rows: readonly PeerRow[]): string {
  const connected = rows.filter((row) => row.connected).length;
  const bytes = rows.reduce((sum, row) => sum + row.bytesIn + row.bytesOut, 0);
  return `${formatCount(connected)} connected of ${formatCount(rows.length)} met since this start; ${formatBytes(bytes)} exchanged.`;
}
