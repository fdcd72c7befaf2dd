/**
 * Where everybody stands on the map of this hour: this node in the middle, those it learned from around it, the largest at the top
 * and on clockwise, then neighbours that gave nothing, then all others as one. Pure; units are those of the picture's view box.
 */
import type { PeerPath, PeerRow } from '../../src-main/engine/api.ts';
import type { PeerId } from '../../src-main/types.ts';
import { formatCount, plural } from '../ui/format.ts';

export interface MapShape {
  width: number;
  height: number;
  centre: { x: number; y: number };
  /** Half axes of the ellipse on which the peers stand. */
  ring: { x: number; y: number };
}

/** A wide one with room for names, and a narrow one that a small window shrinks so little that its numbers can be read. */
export const mapShapes = {
  wide: { width: 480, height: 300, centre: { x: 240, y: 150 }, ring: { x: 186, y: 108 } },
  narrow: { width: 320, height: 290, centre: { x: 160, y: 145 }, ring: { x: 136, y: 121 } },
} as const satisfies Record<string, MapShape>;

const widest = 11;
const thinnest = 1.5;
const largestRadius = 19;
const smallestRadius = 11;
const dotRadius = 5;

/** How this node is linked to a peer now: on that path, or not any more (or never: others handed over what it made). `several`: all kinds. */
export type MapLine = PeerPath | 'gone' | 'several';

export interface MapNode {
  /** Null for all that have no place of their own. */
  peer: PeerId | null;
  /** From 1, the largest; null where nothing was adopted, and for the others. */
  rank: number | null;
  /** Adopted within the hour. */
  groups: number;
  /** How many are meant: 1, or the number of others. */
  count: number;
  line: MapLine;
  x: number;
  y: number;
  radius: number;
  /** Of the line; what is adopted makes it thick. */
  width: number;
}

/** At most `most` with a place of their own. */
export function hourMap(rows: readonly PeerRow[], shape: MapShape = mapShapes.wide, most = 12): MapNode[] {
  const { centre, ring } = shape;
  const gave = rows.filter(({ adoptedLastHour }) => adoptedLastHour > 0).sort(byGroups);
  const idle = rows.filter(({ adoptedLastHour, connected }) => adoptedLastHour === 0 && connected);
  const placed = [...gave, ...idle].slice(0, most);
  const left = [...gave, ...idle].slice(most);
  const leftGroups = left.reduce((sum, { adoptedLastHour }) => sum + adoptedLastHour, 0);
  const largest = Math.max(1, gave[0]?.adoptedLastHour ?? 0);
  const places = placed.length + Number(left.length > 0);
  const at = (place: number) => {
    const angle = (2 * Math.PI * place) / places - Math.PI / 2;
    return { x: centre.x + ring.x * Math.cos(angle), y: centre.y + ring.y * Math.sin(angle) };
  };
  // The others together may outweigh the largest: they are drawn as thick as it, no thicker.
  const looks = (groups: number) => {
    const size = Math.min(1, groups / largest);
    return {
      groups,
      width: groups === 0 ? 1 : thinnest + (widest - thinnest) * size,
      radius: groups === 0 ? dotRadius : smallestRadius + (largestRadius - smallestRadius) * Math.sqrt(size),
    };
  };
  const nodes = placed.map((row, i): MapNode => {
    const { peer, adoptedLastHour, connected, path } = row;
    const rank = adoptedLastHour > 0 ? i + 1 : null;
    const line = connected ? (path ?? 'direct') : 'gone';
    return { peer, rank, count: 1, line, ...looks(adoptedLastHour), ...at(i) };
  });
  if (left.length === 0) return nodes;
  const others = { ...looks(leftGroups), radius: largestRadius };
  return [...nodes, { peer: null, rank: null, count: left.length, line: 'several', ...others, ...at(places - 1) }];
}

function byGroups(a: PeerRow, b: PeerRow): number {
  return b.adoptedLastHour - a.adoptedLastHour || a.peer.localeCompare(b.peer);
}

/** The picture in one sentence. */
export function describeHour(rows: readonly PeerRow[]): string {
  const gave = rows.filter(({ adoptedLastHour }) => adoptedLastHour > 0);
  const connected = rows.filter((row) => row.connected).length;
  if (gave.length === 0) return `Nothing adopted within the last hour; ${plural(connected, 'peer')} connected.`;
  const groups = gave.reduce((sum, { adoptedLastHour }) => sum + adoptedLastHour, 0);
  const gone = gave.filter((row) => !row.connected).length;
  const aside =
    gone === 0 ? '' : `, ${gone === gave.length ? 'none' : `${formatCount(gone)} of them not`} connected now`;
  return `${plural(groups, 'group')} of ${plural(gave.length, 'peer')} within the last hour${aside}.`;
}
