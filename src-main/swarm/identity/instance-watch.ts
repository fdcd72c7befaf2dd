/**
 * Notices one identity running twice. Every start of a node draws an instance id; a peer that comes back with an id it had
 * given up before is two processes taking turns, because a restart never returns to an old id. Bounded.
 */
import type { PeerId } from '../../types.ts';
import { RecentMap } from '../recent.ts';

const REMEMBERED_STARTS = 4;

export class InstanceWatch {
  readonly #starts: RecentMap<string[]>;

  constructor(maxPeers: number) {
    this.#starts = new RecentMap(maxPeers);
  }

  /** True when this peer's identity runs twice. */
  isDoubled(peer: PeerId, instanceId: string): boolean {
    const starts = this.#starts.get(peer) ?? [];
    const latest = starts.at(-1);
    if (latest === instanceId) return false;
    const doubled = starts.includes(instanceId);
    this.#starts.set(peer, [...starts.filter((start) => start !== instanceId), instanceId].slice(-REMEMBERED_STARTS));
    return doubled;
  }
}
