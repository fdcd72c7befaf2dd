/**
 * Records this node can give: its own, and those of others that it has verified and holds for relaying.
 * Answers a pull half with own and half with held records (the pull says the share), chosen at random among those the
 * asking peer cannot have had from here. Bounded in bytes and age, oldest first. Knows nothing of groups or rewards.
 */
import type { PeerId } from '../../types.ts';
import type { Pull } from '../codec/messages.ts';
import { WIRE } from '../limits.ts';
import type { SwarmLimits } from '../limits.ts';
import type { RoundClock } from './round-clock.ts';

export interface FeedRecord {
  id: string;
  origin: PeerId;
  /** Key of the round clock. */
  start: string;
  round: number;
  bytes: Buffer;
  /** Monotonic ms at which it was made or received here. */
  atMs: number;
}

/** Who asks, and what it has had over this connection. */
export interface Asker {
  peer: PeerId;
  hasHad(id: string): boolean;
}

class Shelf {
  readonly records = new Map<string, FeedRecord>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(record: FeedRecord): void {
    if (this.records.has(record.id)) return;
    this.records.set(record.id, record);
    this.#bytes += record.bytes.byteLength;
    for (const oldest of this.records.values()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.remove(oldest);
    }
  }

  remove(record: FeedRecord): void {
    if (this.records.delete(record.id)) this.#bytes -= record.bytes.byteLength;
  }
}

export class Feed {
  readonly #own: Shelf;
  readonly #held: Shelf;
  readonly #maxAgeMs: number;
  readonly #rounds: RoundClock;

  constructor(limits: Pick<SwarmLimits, 'ownRecordBytes' | 'heldRecordBytes' | 'maxAgeMs'>, rounds: RoundClock) {
    this.#own = new Shelf(limits.ownRecordBytes);
    this.#held = new Shelf(limits.heldRecordBytes);
    this.#maxAgeMs = limits.maxAgeMs;
    this.#rounds = rounds;
  }

  get counts(): { own: number; held: number; bytes: number } {
    return { own: this.#own.records.size, held: this.#held.records.size, bytes: this.#own.bytes + this.#held.bytes };
  }

  addOwn(record: FeedRecord): void {
    this.#own.add(record);
  }

  hold(record: FeedRecord): void {
    this.#held.add(record);
  }

  expire(nowMs: number): void {
    for (const shelf of [this.#own, this.#held])
      for (const record of [...shelf.records.values()])
        if (nowMs - record.atMs > this.#maxAgeMs || this.#rounds.isStale(record.start, record.round))
          shelf.remove(record);
  }

  /** At most `pull.count` records within `pull.maxBytes` and the bound of one message. */
  answer(pull: Pull, asker: Asker, nowMs: number, random: () => number): FeedRecord[] {
    const wanted = (record: FeedRecord) =>
      record.origin !== asker.peer &&
      nowMs - record.atMs <= Math.min(pull.maxAgeMs, this.#maxAgeMs) &&
      !this.#rounds.isStale(record.start, record.round) &&
      !asker.hasHad(record.id);
    const own = shuffled([...this.#own.records.values()].filter(wanted), random);
    const held = shuffled([...this.#held.records.values()].filter(wanted), random);
    const ownFirst = Math.round((pull.count * pull.ownPercent) / 100);
    const ordered = [
      ...own.slice(0, ownFirst),
      ...held.slice(0, pull.count - Math.min(ownFirst, own.length)),
      ...own.slice(ownFirst),
    ];
    return withinBytes(ordered.slice(0, pull.count), Math.min(pull.maxBytes, WIRE.maxAnswerBytes));
  }
}

function withinBytes(records: FeedRecord[], maxBytes: number): FeedRecord[] {
  let left = maxBytes;
  const chosen: FeedRecord[] = [];
  for (const record of records) {
    const bytes = record.bytes.byteLength + 2;
    if (bytes > left) continue;
    left -= bytes;
    chosen.push(record);
  }
  return chosen;
}

function shuffled<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const swap = items[i]!;
    items[i] = items[j]!;
    items[j] = swap;
  }
  return items;
}
