/**
 * How a peer's answers compare with everybody's on the same kind and level of task. A peer that knows the answers without a
 * policy cannot be refused, since its text is correct; but it stands out here: right nearly always, where others are not.
 * Shown, never acted on. Bounded per peer and in all.
 */
import type { PeerId, TaskRef } from '../../types.ts';
import { RecentMap } from '../recent.ts';

export interface Plausibility {
  /** Share of the peer's completions that were right, 0..1. */
  solveRate: number;
  /** What all other peers reach on the same mix of kinds and levels, 0..1; null where nobody else was seen on them. */
  expected: number | null;
  completions: number;
  /** Far above everybody else, over enough completions to mean something. */
  implausible: boolean;
}

interface Tally {
  right: number;
  of: number;
}

const KINDS_OF_PEER = 64;
const MAX_KINDS = 1_024;
const ENOUGH = 64;

export class PlausibilityWatch {
  readonly #peers: RecentMap<RecentMap<Tally>>;
  readonly #all = new RecentMap<Tally>(MAX_KINDS);

  constructor(maxPeers: number) {
    this.#peers = new RecentMap(maxPeers);
  }

  note(peer: PeerId, task: TaskRef, right: number, of: number): void {
    const kind = kindOf(task);
    const own = this.#peers.get(peer) ?? new RecentMap<Tally>(KINDS_OF_PEER);
    this.#peers.set(peer, own);
    for (const tallies of [own, this.#all]) {
      const tally = tallies.get(kind) ?? { right: 0, of: 0 };
      tallies.set(kind, { right: tally.right + right, of: tally.of + of });
    }
  }

  /** All devices of one owner together; null when nothing of them was verified. */
  of(devices: readonly PeerId[]): Plausibility | null {
    const own = this.#together(devices);
    if (own.size === 0) return null;
    let [right, completions, expectedRight, comparable, rightComparable] = [0, 0, 0, 0, 0];
    for (const [kind, tally] of own) {
      right += tally.right;
      completions += tally.of;
      const all = this.#all.get(kind);
      const others = { right: (all?.right ?? 0) - tally.right, of: (all?.of ?? 0) - tally.of };
      if (others.of < ENOUGH / 4) continue;
      comparable += tally.of;
      rightComparable += tally.right;
      expectedRight += (tally.of * others.right) / others.of;
    }
    const expected = comparable === 0 ? null : expectedRight / comparable;
    const rate = comparable === 0 ? 0 : rightComparable / comparable;
    const implausible = expected !== null && comparable >= ENOUGH && rate >= 0.95 && expected <= 0.6;
    return { solveRate: completions === 0 ? 0 : right / completions, expected, completions, implausible };
  }

  /** By kind. The owner's own devices are not "others" to each other. */
  #together(devices: readonly PeerId[]): Map<string, Tally> {
    const sums = new Map<string, Tally>();
    for (const device of new Set(devices))
      for (const [kind, { right, of }] of this.#peers.get(device)?.entries() ?? []) {
        const sum = sums.get(kind) ?? { right: 0, of: 0 };
        sums.set(kind, { right: sum.right + right, of: sum.of + of });
      }
    return sums;
  }
}

/** Generator and level: the level is the config, in whatever order its fields stand. */
function kindOf({ generator, config }: TaskRef): string {
  const fields = Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${generator} ${JSON.stringify(fields)}`.slice(0, 512);
}
