/**
 * Which peers and addresses are banned for now. Offences add points per peer (table in rejections.ts); keys are free, so each
 * banned peer also adds points to the address it came from. Points are forgotten `banMs` after the first of them, however many
 * came since, and a ban after as long: what honest nodes do now and then never adds up. Only the latest `maxBans` of each are
 * remembered. Hyperswarm's own firewall is not used: it bans for ever.
 */
import type { PeerId } from '../../types.ts';
import { RecentMap } from '../recent.ts';
import { BAN_POINTS, POINTS_OF_BANNED_PEER, REJECTIONS } from './rejections.ts';
import type { RejectionReason } from './rejections.ts';

interface Offender {
  points: number;
  /** Monotonic ms until which points, and a ban, last. */
  untilMs: number;
}

class Offenders {
  readonly #offenders: RecentMap<Offender>;
  readonly #banMs: number;

  constructor(max: number, banMs: number) {
    this.#offenders = new RecentMap(max);
    this.#banMs = banMs;
  }

  get size(): number {
    return this.#offenders.size;
  }

  add(key: string, points: number, nowMs: number): void {
    const before = this.points(key, nowMs);
    const isBanned = before + points >= BAN_POINTS;
    const untilMs = (before === 0 || isBanned ? undefined : this.#offenders.get(key)?.untilMs) ?? nowMs + this.#banMs;
    this.#offenders.set(key, { points: before + points, untilMs });
  }

  points(key: string, nowMs: number): number {
    const offender = this.#offenders.get(key);
    if (offender === undefined) return 0;
    if (offender.untilMs > nowMs) return offender.points;
    this.#offenders.delete(key);
    return 0;
  }
}

export class Bans {
  readonly #peers: Offenders;
  readonly #addresses: Offenders;

  constructor(maxBans: number, banMs: number) {
    this.#peers = new Offenders(maxBans, banMs);
    this.#addresses = new Offenders(maxBans, banMs);
  }

  /** Peers and addresses with points, for bounds and tests. */
  get size(): number {
    return this.#peers.size + this.#addresses.size;
  }

  /** Counts the offence; true when the peer is banned now. `address` is null where it says nothing (loopback). */
  note(peer: PeerId, reason: RejectionReason, nowMs: number, address: string | null): boolean {
    const { points } = REJECTIONS[reason];
    const before = this.#peers.points(peer, nowMs);
    if (points > 0) this.#peers.add(peer, points, nowMs);
    const becameBanned = before < BAN_POINTS && before + points >= BAN_POINTS;
    if (becameBanned && address !== null) this.#addresses.add(address, POINTS_OF_BANNED_PEER, nowMs);
    return this.isBanned(peer, nowMs, address);
  }

  isBanned(peer: PeerId, nowMs: number, address: string | null): boolean {
    if (this.#peers.points(peer, nowMs) >= BAN_POINTS) return true;
    return address !== null && this.#addresses.points(address, nowMs) >= BAN_POINTS;
  }
}
