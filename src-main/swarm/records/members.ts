/**
 * The latest signed head of every member heard of: who is in the swarm, how far each is, and what to gossip.
 * Bounded; only authentic heads get in; an older head never replaces a newer one of the same policy and peer.
 */
import type { PeerId } from '../../types.ts';
import { isHeadAuthentic, keptHead } from '../codec/record.ts';
import type { Head } from '../codec/record.ts';
import { toHex } from '../identity/crypto.ts';
import { RecentMap } from '../recent.ts';

export class Members {
  readonly #heads: RecentMap<Head>;

  constructor(maxMembers: number) {
    this.#heads = new RecentMap(maxMembers);
  }

  get size(): number {
    return this.#heads.size;
  }

  get(peer: PeerId): Head | undefined {
    return this.#heads.get(peer);
  }

  /** `news`: later than what was known. `old`: nothing to do. */
  note(head: Head): 'news' | 'old' | 'forged' {
    const peer = toHex(head.peer);
    const known = this.#heads.get(peer);
    if (known !== undefined && known.createdAt >= head.createdAt) return 'old';
    if (!isHeadAuthentic(head)) return 'forged';
    this.#heads.set(peer, keptHead(head));
    return 'news';
  }

  /** `first` (where there is one) and up to `count - 1` others at random. */
  gossip(count: number, first: PeerId, random: () => number): Head[] {
    const own = this.#heads.get(first);
    const others = this.#heads.entries().filter(([peer]) => peer !== first);
    const chosen: Head[] = own === undefined ? [] : [own];
    while (chosen.length < count && others.length > 0) {
      const [picked] = others.splice(Math.floor(random() * others.length), 1);
      if (picked !== undefined) chosen.push(picked[1]);
    }
    return chosen;
  }
}
