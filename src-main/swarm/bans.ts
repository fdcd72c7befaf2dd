/**
 * Which peers are banned for now. Offences add points per peer (table in rejections.ts); points and bans are forgotten
 * after `banMs`, and only the latest `maxBans` peers are remembered. Hyperswarm's own firewall is not used: it bans for ever.
 */
import type { PeerId } from '../types.ts';
import { RecentMap } from './recent.ts';
import { BAN_POINTS, REJECTIONS } from './rejections.ts';
import type { RejectionReason } from './rejections.ts';

interface Offender {
  points: number;
  /** Monotonic ms until which points, and a ban, last. */
  untilMs: number;
}

export class Bans {
  readonly #offenders: RecentMap<Offender>;
  readonly #banMs: number;

  constructor(maxBans: number, banMs: number) {
    this.#offenders = new RecentMap(maxBans);
    this.#banMs = banMs;
  }

  /** Counts the offence; true when the peer is banned now. */
  note(peer: PeerId, reason: RejectionReason, nowMs: number): boolean {
    const { points } = REJECTIONS[reason];
    if (points === 0) return this.isBanned(peer, nowMs);
    const before = this.#current(peer, nowMs)?.points ?? 0;
    this.#offenders.set(peer, { points: before + points, untilMs: nowMs + this.#banMs });
    return before + points >= BAN_POINTS;
  }

  isBanned(peer: PeerId, nowMs: number): boolean {
    return (this.#current(peer, nowMs)?.points ?? 0) >= BAN_POINTS;
  }

  #current(peer: PeerId, nowMs: number): Offender | undefined {
    const offender = this.#offenders.get(peer);
    if (offender === undefined || offender.untilMs > nowMs) return offender;
    this.#offenders.delete(peer);
    return undefined;
  }
}
