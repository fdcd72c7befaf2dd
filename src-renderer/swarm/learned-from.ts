/** From whom this node's training came: this hour or over all starts by the author of a group, or by the link it came over. Pure. */
import type { LeaderboardRow, PeerRow } from '../../src-main/engine/api.ts';
import type { PeerId } from '../../src-main/types.ts';
import { formatShare, plural } from '../ui/format.ts';

export type LearnedBy = 'hour' | 'author' | 'link';

export interface Source {
  /** Null for the rest, taken together. */
  peer: PeerId | null;
  groups: number;
  /** Of all groups, 0..1. */
  share: number;
}

/** As many as the map of the hour has places. */
const shownAtMost = 12;

export function authors(rows: readonly LeaderboardRow[]): Source[] {
  return largest(rows.filter((row) => !row.own).map((row) => ({ peer: row.peer, groups: row.groupsAdopted })));
}

export function thisHour(rows: readonly PeerRow[]): Source[] {
  return largest(rows.map((row) => ({ peer: row.peer, groups: row.adoptedLastHour })));
}

export function links(rows: readonly PeerRow[]): Source[] {
  return largest(rows.map((row) => ({ peer: row.peer, groups: row.groupsReceived })));
}

/** The largest few, and the rest as one. */
function largest(counts: { peer: PeerId; groups: number }[]): Source[] {
  const all = counts
    .filter(({ groups }) => groups > 0)
    .sort((a, b) => b.groups - a.groups || a.peer.localeCompare(b.peer));
  const total = all.reduce((sum, { groups }) => sum + groups, 0);
  const withShare = (peer: PeerId | null, groups: number): Source => ({ peer, groups, share: groups / total });
  const shown = all.slice(0, shownAtMost).map(({ peer, groups }) => withShare(peer, groups));
  const rest = all.slice(shownAtMost).reduce((sum, { groups }) => sum + groups, 0);
  return rest > 0 ? [...shown, withShare(null, rest)] : shown;
}

/** One sentence that says what the bars show. */
export function describeSources(found: readonly Source[], by: LearnedBy): string {
  const total = found.reduce((sum, { groups }) => sum + groups, 0);
  const what = by === 'link' ? 'received and checked' : 'trained on';
  const most = found.filter(({ peer }) => peer !== null).slice(0, 3);
  const share = most.reduce((sum, source) => sum + source.share, 0);
  const spread = found.length > 3 ? `, ${formatShare(share)} from the largest three` : '';
  return `${plural(total, 'group')} ${what}${spread}.`;
}
