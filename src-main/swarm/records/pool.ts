/**
 * Admitted groups of other nodes, waiting to be sampled for training. Bounded in groups and bytes, in all and per origin.
 * When full, the oldest of the source that holds most make room: whoever floods it displaces itself. Knows nothing of the network; trusts that admission has recomputed every reward.
 */
import type { Group, PeerId } from '../../types.ts';
import type { SwarmLimits } from '../limits.ts';
import type { RoundClock, Start } from './round-clock.ts';

interface Entry {
  group: Group;
  /** Of its origin. */
  start: Start;
  /** Who delivered it: an address, or a key where the address says nothing. */
  source: string;
  bytes: number;
  atMs: number;
}

/** Picks from the groups it is offered; what it returns besides is ignored. */
export type GroupChoice = (offered: readonly Group[]) => readonly Group[];

/** Rewards differ within the group, so at least one advantage is not zero. */
export function hasSpread(rewards: readonly number[]): boolean {
  return rewards.some((reward) => reward !== rewards[0]);
}

/** Estimate of the heap a group takes: two bytes a character and the objects around them. */
export function groupBytes(group: Group): number {
  let characters = group.question.length + group.policyName.length + JSON.stringify(group.task).length;
  for (const completion of group.completions) characters += completion.text.length;
  return 512 + 96 * group.completions.length + 2 * characters;
}

export class Pool {
  readonly #entries = new Map<string, Entry>();
  readonly #byOrigin = new Map<PeerId, Map<string, Entry>>();
  readonly #limits: Pick<SwarmLimits, 'poolGroups' | 'poolBytes' | 'poolShareOfOrigin' | 'maxAgeMs'>;
  readonly #rounds: RoundClock;
  readonly #bySource = new Map<string, { entries: Map<string, Entry>; bytes: number }>();
  #bytes = 0;

  constructor(
    limits: Pick<SwarmLimits, 'poolGroups' | 'poolBytes' | 'poolShareOfOrigin' | 'maxAgeMs'>,
    rounds: RoundClock,
  ) {
    this.#limits = limits;
    this.#rounds = rounds;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `nowMs` is monotonic. The origin's oldest make room for its own newer ones, the largest source's oldest for the rest. */
  add(group: Group, start: Start, nowMs: number, source: string): void {
    if (this.#entries.has(group.id)) return;
    const entry: Entry = { group, start, source, bytes: groupBytes(group), atMs: nowMs };
    this.#entries.set(group.id, entry);
    const own = this.#byOrigin.get(group.origin) ?? new Map<string, Entry>();
    this.#byOrigin.set(group.origin, own.set(group.id, entry));
    this.#bytes += entry.bytes;
    const from = this.#bySource.get(source) ?? { entries: new Map<string, Entry>(), bytes: 0 };
    from.entries.set(group.id, entry);
    from.bytes += entry.bytes;
    this.#bySource.set(source, from);
    this.#trimOrigin(own);
    while (this.#entries.size > this.#limits.poolGroups || this.#bytes > this.#limits.poolBytes) {
      if (!this.#removeFirst(this.#largestSource())) break;
    }
  }

  /** Drops what is too old by receive time or by round; returns how many. */
  expire(nowMs: number): number {
    const before = this.#entries.size;
    for (const entry of this.#entries.values()) {
      const tooOld = nowMs - entry.atMs > this.#limits.maxAgeMs;
      if (tooOld || this.#rounds.isStale(entry.start, entry.group.round)) this.#remove(entry);
    }
    return before - this.#entries.size;
  }

  /**
   * Up to `count` groups, uniformly without replacement, from those with a reward spread. Groups without one are dropped
   * first (SAPO, arXiv 2509.08721, section 3); sampled groups leave the pool. `random` is uniform in [0, 1).
   */
  sample(count: number, random: () => number): Group[] {
    const useful = this.#useful();
    const taken = Math.max(0, Math.min(Math.floor(count), useful.length));
    for (let i = 0; i < taken; i++) {
      const j = i + Math.floor(random() * (useful.length - i));
      const chosen = useful[j]!;
      useful[j] = useful[i]!;
      useful[i] = chosen;
      this.#remove(chosen);
    }
    return useful.slice(0, taken).map((entry) => entry.group);
  }

  /** The same with the choice left to the caller: those of the groups with a spread that `choose` returns leave the pool. */
  take(choose: GroupChoice): Group[] {
    const useful = new Map(this.#useful().map((entry) => [entry.group.id, entry]));
    const offered = [...useful.values()].map((entry) => entry.group);
    return choose(offered).flatMap(({ id }) => {
      const entry = useful.get(id);
      if (!entry || !useful.delete(id)) return [];
      this.#remove(entry);
      return [entry.group];
    });
  }

  /** Drops the groups without a reward spread; returns the others. */
  #useful(): Entry[] {
    const useful: Entry[] = [];
    for (const entry of this.#entries.values()) {
      if (hasSpread(entry.group.completions.map((completion) => completion.reward))) useful.push(entry);
      else this.#remove(entry);
    }
    return useful;
  }

  #trimOrigin(own: Map<string, Entry>): void {
    const share = this.#limits.poolShareOfOrigin;
    const maxGroups = Math.max(1, Math.floor(this.#limits.poolGroups * share));
    const maxBytes = this.#limits.poolBytes * share;
    let bytes = 0;
    for (const entry of own.values()) bytes += entry.bytes;
    while (own.size > maxGroups || (bytes > maxBytes && own.size > 1)) {
      const oldest = own.values().next();
      if (oldest.done === true) return;
      bytes -= oldest.value.bytes;
      this.#remove(oldest.value);
    }
  }

  #largestSource(): Map<string, Entry> {
    const byGroups = this.#entries.size > this.#limits.poolGroups;
    let largest = { entries: new Map<string, Entry>(), bytes: 0 };
    for (const each of this.#bySource.values()) {
      const larger = byGroups ? each.entries.size > largest.entries.size : each.bytes > largest.bytes;
      if (larger) largest = each;
    }
    return largest.entries;
  }

  #removeFirst(entries: Map<string, Entry>): boolean {
    const first = entries.values().next();
    if (first.done === true) return false;
    this.#remove(first.value);
    return true;
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.group.id);
    this.#bytes -= entry.bytes;
    const own = this.#byOrigin.get(entry.group.origin);
    own?.delete(entry.group.id);
    if (own?.size === 0) this.#byOrigin.delete(entry.group.origin);
    const from = this.#bySource.get(entry.source);
    if (from?.entries.delete(entry.group.id) === true) from.bytes -= entry.bytes;
    if (from?.entries.size === 0) this.#bySource.delete(entry.source);
  }
}
