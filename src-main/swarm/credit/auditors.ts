/**
 * How far this node believes each signer of receipts: by its own re-checks only. A receipt about a record that this node has
 * verified itself either matches or is false; one false receipt costs all weight for a week. Bounded; who proved least is forgotten first.
 */
import type { PeerId } from '../../types.ts';
import { ValuedMap } from '../valued.ts';

/** Matching receipts for full weight; before that it grows evenly. */
const FULL_WEIGHT_AT = 8;
const DISTRUST_MS = 7 * 24 * 3_600_000;
/** A liar is remembered before those who have said one thing right. */
const WORTH_OF_LIAR = 1.5;

export interface AuditorRecord {
  matched: number;
  wrong: number;
  /** ms since epoch of the latest false receipt; null for none. */
  wrongAt: number | null;
}

export class Auditors {
  readonly #auditors: ValuedMap<AuditorRecord>;
  readonly #now: () => number;

  constructor(max: number, now: () => number) {
    this.#auditors = new ValuedMap(max, ({ matched, wrongAt }) => (wrongAt === null ? matched : WORTH_OF_LIAR));
    this.#now = now;
  }

  /** 0 (unknown, or caught lying) to 1. */
  weight(peer: PeerId): number {
    const known = this.#auditors.get(peer);
    if (known === undefined) return 0;
    const nowMs = this.#now();
    // A clock that was ahead must not make it more than a week.
    if (known.wrongAt !== null && known.wrongAt > nowMs) known.wrongAt = nowMs;
    if (known.wrongAt !== null && nowMs - known.wrongAt < DISTRUST_MS) return 0;
    return Math.min(1, known.matched / FULL_WEIGHT_AT);
  }

  get(peer: PeerId): AuditorRecord | undefined {
    return this.#auditors.get(peer);
  }

  /** True when the weight is another one now. */
  note(peer: PeerId, matches: boolean): boolean {
    const before = this.weight(peer);
    const known = this.#auditors.get(peer) ?? { matched: 0, wrong: 0, wrongAt: null };
    if (matches) known.matched++;
    else {
      known.wrong++;
      known.wrongAt = this.#now();
    }
    this.#auditors.set(peer, known);
    return this.weight(peer) !== before;
  }

  toJson(): [PeerId, AuditorRecord][] {
    return this.#auditors.entries();
  }

  /** `value` is what `toJson` gave; what is not is left out. */
  restore(value: unknown): void {
    if (!Array.isArray(value)) return;
    for (const entry of value as unknown[]) {
      if (!Array.isArray(entry) || typeof entry[0] !== 'string') continue;
      const { matched, wrong, wrongAt } = (entry[1] ?? {}) as Partial<Record<keyof AuditorRecord, unknown>>;
      if (!Number.isSafeInteger(matched) || !Number.isSafeInteger(wrong)) continue;
      const at = typeof wrongAt === 'number' ? wrongAt : null;
      this.#auditors.set(entry[0], { matched: Number(matched), wrong: Number(wrong), wrongAt: at });
    }
  }
}
