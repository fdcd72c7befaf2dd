/**
 * Records this node can give: its own, and those of others that it has verified and holds for relaying.
 * Answers a pull half with own and half with held records (the pull says the share), chosen at random among those the
 * asking peer cannot have had from here and does not say to have. Bounded in memory and age, oldest first. Knows nothing of groups or rewards.
 */
import type { PeerId } from '../../types.ts';
import { claimsId, idWords } from '../codec/known-ids.ts';
import type { IdWords } from '../codec/known-ids.ts';
import type { Pull } from '../codec/messages.ts';
import { WIRE } from '../limits.ts';
import type { SwarmLimits } from '../limits.ts';
import { bytesOf, RecordBlocks } from './record-blocks.ts';
import type { Stored } from './record-blocks.ts';
import type { RoundClock, Start } from './round-clock.ts';

export interface FeedRecord {
  id: string;
  /** Of its origin. */
  start: Start;
  round: number;
  /** Copied by the feed. In an answer a view that is valid until something is added or expires. */
  bytes: Uint8Array;
  /** Monotonic ms at which it was made or received here. */
  atMs: number;
}

/** Who asks. */
export interface Asker {
  peer: PeerId;
  /** One bit of 31 that stands for this connection until `forget`; 0 for one of which nothing is remembered. */
  bit: number;
}

interface Kept extends Omit<FeedRecord, 'bytes'>, IdWords {
  stored: Stored;
  /** Where in the deck it is. */
  place: number;
  /** Bits of the connections over which it came or went. */
  hadBy: number;
}

class Shelf {
  /** In order of arrival. */
  readonly #records = new Map<string, Kept>();
  /** The same in any order: drawing shuffles it as far as it looks. */
  readonly #deck: Kept[] = [];
  readonly #blocks = new RecordBlocks();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#records.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Memory taken, holes included. */
  get blockBytes(): number {
    return this.#blocks.bytes;
  }

  add({ bytes, ...record }: FeedRecord): void {
    if (this.#records.has(record.id)) return;
    const stored = this.#blocks.store(bytes);
    const kept = { ...record, ...idWords(record.id), stored, place: this.#deck.length, hadBy: 0 };
    this.#records.set(record.id, kept);
    this.#deck.push(kept);
    this.#bytes += bytes.byteLength;
    for (const oldest of this.#records.values()) {
      if (this.#blocks.bytes <= this.#maxBytes || this.#records.size === 1) break;
      this.#remove(oldest);
    }
  }

  get(id: string): Kept | undefined {
    return this.#records.get(id);
  }

  values(): Iterable<Kept> {
    return this.#records.values();
  }

  removeWhere(isOver: (record: Kept) => boolean): void {
    for (const record of this.#records.values()) if (isOver(record)) this.#remove(record);
  }

  /** Up to `count` of those that are wanted, uniformly without replacement. `random` is uniform in [0, 1). */
  draw(count: number, isWanted: (record: Kept) => boolean, random: () => number): Kept[] {
    const deck = this.#deck;
    const drawn: Kept[] = [];
    for (let i = 0; i < deck.length && drawn.length < count; i++) {
      const record = this.#moveTo(i, i + Math.floor(random() * (deck.length - i)));
      if (isWanted(record)) drawn.push(record);
    }
    return drawn;
  }

  /** Lets the records at the two places change them; returns the one that is at the first now. */
  #moveTo(place: number, from: number): Kept {
    const moved = this.#deck[from]!;
    const displaced = this.#deck[place]!;
    this.#deck[from] = displaced;
    displaced.place = from;
    this.#deck[place] = moved;
    moved.place = place;
    return moved;
  }

  #remove(record: Kept): void {
    this.#records.delete(record.id);
    this.#moveTo(record.place, this.#deck.length - 1);
    this.#deck.pop();
    this.#bytes -= record.stored.byteLength;
    this.#blocks.drop(record.stored);
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

  /** `blockBytes`: memory taken for `bytes`. */
  get counts(): { own: number; held: number; bytes: number; blockBytes: number } {
    const [own, held] = [this.#own, this.#held];
    return {
      own: own.size,
      held: held.size,
      bytes: own.bytes + held.bytes,
      blockBytes: own.blockBytes + held.blockBytes,
    };
  }

  addOwn(record: FeedRecord): void {
    this.#own.add(record);
  }

  hold(record: FeedRecord): void {
    this.#held.add(record);
  }

  /** The connection has brought this record: it is not sent back. */
  noteHad(id: string, bit: number): void {
    const record = this.#held.get(id) ?? this.#own.get(id);
    if (record !== undefined) record.hadBy |= bit;
  }

  /** The connection is over, and its bit may stand for another. */
  forget(bit: number): void {
    for (const shelf of [this.#own, this.#held]) for (const record of shelf.values()) record.hadBy &= ~bit;
  }

  expire(nowMs: number): void {
    const isOver = ({ atMs, start, round }: Kept) =>
      nowMs - atMs > this.#maxAgeMs || this.#rounds.isStale(start, round);
    this.#own.removeWhere(isOver);
    this.#held.removeWhere(isOver);
  }

  /** At most `pull.count` records within `pull.maxBytes` and the bound of one message; none twice over one connection. */
  answer(pull: Pull, asker: Asker, nowMs: number, random: () => number): FeedRecord[] {
    const isWanted = (record: Kept) =>
      record.start.peer !== asker.peer &&
      nowMs - record.atMs <= Math.min(pull.maxAgeMs, this.#maxAgeMs) &&
      !this.#rounds.isStale(record.start, record.round) &&
      (record.hadBy & asker.bit) === 0 &&
      !claimsId(pull.known, record.first, record.second);
    const own = this.#own.draw(pull.count, isWanted, random);
    const ownFirst = Math.min(Math.round((pull.count * pull.ownPercent) / 100), own.length);
    const held = this.#held.draw(pull.count - ownFirst, isWanted, random);
    const ordered = [...own.slice(0, ownFirst), ...held, ...own.slice(ownFirst)].slice(0, pull.count);
    const given = withinBytes(ordered, Math.min(pull.maxBytes, WIRE.maxAnswerBytes));
    for (const record of given) record.hadBy |= asker.bit;
    return given.map(asGiven);
  }
}

/** Its bytes are a view into its block. */
function asGiven({ id, start, round, atMs, stored }: Kept): FeedRecord {
  return { id, start, round, atMs, bytes: bytesOf(stored) };
}

function withinBytes(records: Kept[], maxBytes: number): Kept[] {
  let left = maxBytes;
  const chosen: Kept[] = [];
  for (const record of records) {
    const bytes = record.stored.byteLength + 2;
    if (bytes > left) continue;
    left -= bytes;
    chosen.push(record);
  }
  return chosen;
}
