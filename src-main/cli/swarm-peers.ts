/** `swarm peers`: whom the running node trades with, how packets get there, and what came of it. Pure: knows no connection. */
import type { PeerPath, PeerRow } from '../engine/api.ts';
import { countOf, formatBytes, formatCount } from './quantities.ts';
import { alignTable, harmless, type Terminal } from './terminal.ts';

const pathWords: Readonly<Record<PeerPath, string>> = { direct: 'direct', relayed: 'relayed', lan: 'local network' };
const HEADINGS = ['peer', 'path', 'latency', 'in', 'out', 'groups', 'given', 'last hour', 'refused', 'does', 'policy'];

/** Connected ones first, as the node orders them. `last hour` counts what of theirs was trained on. */
export function renderPeers(terminal: Pick<Terminal, 'colours'>, rows: readonly PeerRow[]): string {
  if (rows.length === 0) return 'No peers yet. The node looks for them all the time and trains alone meanwhile.';
  const ordered = rows.toSorted((a, b) => Number(b.connected) - Number(a.connected));
  const connected = rows.filter((row) => row.connected).length;
  const cells = ordered.map((row) => [
    row.peer.slice(0, 12),
    row.path === null ? 'gone' : pathWords[row.path],
    row.connected && row.latencyMs !== null ? `${row.latencyMs.toFixed(0)} ms` : '-',
    formatBytes(row.bytesIn),
    formatBytes(row.bytesOut),
    formatCount(row.groupsReceived),
    formatCount(row.groupsGiven),
    formatCount(row.adoptedLastHour),
    formatCount(Object.values(row.rejected).reduce((sum, count) => sum + count, 0)),
    row.role === null || row.role === 'both' ? (row.role ?? '-') : `only ${row.role}`,
    row.policyName === null ? '' : harmless(row.policyName),
  ]);
  return `${countOf(connected, 'peer')} connected of ${formatCount(rows.length)} met\n${alignTable(terminal, HEADINGS, cells)}`;
}
