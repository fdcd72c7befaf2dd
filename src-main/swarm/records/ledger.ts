/**
 * What each peer has given this node and what was refused from it: the rows behind the peer list and the leaderboard.
 * Counts only what this node has received and recomputed itself. Bounded: the peer not heard of for longest is forgotten.
 */
import type { Group, PeerId } from '../../types.ts';
import type { PeerPath } from '../overlay/paths.ts';
import { RecentMap } from '../recent.ts';
import { LastHour } from './last-hour.ts';
import type { RejectionReason } from './rejections.ts';

/** Structurally `PeerRow` of engine/api.ts, with the counters of verified work beside it. */
export interface PeerEntry {
  peer: PeerId;
  connected: boolean;
  /** As its own records state it, sanitised. */
  policyName: string | null;
  latencyMs: number | null;
  /** How packets get there; null when it is not connected. */
  path: PeerPath | null;
  bytesIn: number;
  bytesOut: number;
  /** Groups admitted that this peer handed over, its own or relayed. */
  groupsReceived: number;
  /** Groups handed to this peer when it pulled, own or relayed. */
  groupsGiven: number;
  /** What it said in its handshake that it does; null where that is unknown, or neither. */
  role: 'both' | 'generates' | 'trains' | null;
  /** Records refused that this peer handed over, and its offences, by reason. */
  rejected: Record<string, number>;
  /** Groups and completions this peer made, whoever handed them over, with rewards recomputed here. */
  groupsVerified: number;
  completionsVerified: number;
  completionsRight: number;
  /** Groups of this peer that were sampled for training. */
  groupsAdopted: number;
  /** Those of the last hour. */
  adoptedLastHour: number;
  firstSeenAt: number;
  lastSeenAt: number;
}

export class Ledger {
  readonly #rows: RecentMap<PeerEntry>;
  readonly #adopted: RecentMap<LastHour>;
  readonly #now: () => number;
  readonly #elapsed: () => number;

  /** `now` in ms since epoch, `elapsed` monotonic. */
  constructor(maxRows: number, now: () => number, elapsed: () => number) {
    this.#rows = new RecentMap(maxRows);
    this.#adopted = new RecentMap(maxRows);
    this.#now = now;
    this.#elapsed = elapsed;
  }

  /** The row of a peer, made when there is none; touching it makes it the newest. */
  touch(peer: PeerId): PeerEntry {
    const row = this.#rows.get(peer) ?? emptyRow(peer, this.#now());
    row.lastSeenAt = this.#now();
    this.#rows.set(peer, row);
    return row;
  }

  admitted(group: Group, deliveredBy: PeerId): void {
    this.touch(deliveredBy).groupsReceived++;
    const origin = this.touch(group.origin);
    origin.policyName = group.policyName;
    origin.groupsVerified++;
    origin.completionsVerified += group.completions.length;
    origin.completionsRight += group.completions.filter((completion) => completion.reward === 1).length;
  }

  given(peer: PeerId, groups: number): void {
    if (groups > 0) this.touch(peer).groupsGiven += groups;
  }

  adopted(origin: PeerId): void {
    this.touch(origin).groupsAdopted++;
    const lastHour = this.#adopted.get(origin) ?? new LastHour();
    lastHour.add(this.#elapsed());
    this.#adopted.set(origin, lastHour);
  }

  refused(peer: PeerId, reason: RejectionReason): void {
    const { rejected } = this.touch(peer);
    rejected[reason] = (rejected[reason] ?? 0) + 1;
  }

  /** Who has a finished handshake now. */
  setConnected(peers: ReadonlySet<PeerId>): void {
    for (const row of this.#rows.values()) {
      row.connected = peers.has(row.peer);
      if (!row.connected) row.path = null;
    }
  }

  /** Copies, latest first. */
  rows(): PeerEntry[] {
    return this.#rows
      .values()
      .map((row) => ({
        ...row,
        rejected: { ...row.rejected },
        adoptedLastHour: this.#adopted.get(row.peer)?.sum(this.#elapsed()) ?? 0,
      }))
      .reverse();
  }
}

function emptyRow(peer: PeerId, now: number): PeerEntry {
  return {
    peer,
    connected: false,
    policyName: null,
    latencyMs: null,
    path: null,
    bytesIn: 0,
    bytesOut: 0,
    groupsReceived: 0,
    groupsGiven: 0,
    role: null,
    rejected: {},
    groupsVerified: 0,
    completionsVerified: 0,
    completionsRight: 0,
    groupsAdopted: 0,
    adoptedLastHour: 0,
    firstSeenAt: now,
    lastSeenAt: now,
  };
}
