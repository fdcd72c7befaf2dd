/**
 * Everything about who deserves what: signs this node's receipt sheets and profile, admits those of others, keeps the book, and
 * makes the board. Notes are relayed only for auditors this node believes, so that a ring's sheets end at its first honest
 * neighbour. Knows no connection; `hold` puts a note among the records that are relayed.
 */
import type { Group, PeerId } from '../../types.ts';
import type { Refused } from '../records/admission.ts';
import { decodeNote, isNoteAuthentic, NOTE, OUTCOMES, signProfile, signSheet } from '../codec/notes.ts';
import type { Note, Outcome, Profile, Receipt } from '../codec/notes.ts';
import type { SignedRecord } from '../codec/record.ts';
import { toHex } from '../identity/crypto.ts';
import type { FeedRecord } from '../records/feed.ts';
import type { Window } from './hours.ts';
import type { Identity } from '../identity/identity.ts';
import type { SwarmLimits } from '../limits.ts';
import { PlausibilityWatch } from './plausibility.ts';
import type { Plausibility } from './plausibility.ts';
import { hasSpread } from '../records/pool.ts';
import { ReceiptBook, shortId } from './receipt-book.ts';
import type { ReceiptRow, Score } from './receipt-book.ts';
import { RecentIds } from '../recent-ids.ts';
import { RecentMap } from '../recent.ts';
import type { RejectionReason } from '../records/rejections.ts';
import type { RoundClock, Start } from '../records/round-clock.ts';

/** One owner, with all devices that have proven to be theirs. */
export interface BoardRow extends Score {
  /** Public key of the owner; of the device itself where it has shown no profile. */
  owner: PeerId;
  devices: PeerId[];
  own: boolean;
  displayName: string | null;
  team: string | null;
  /** Distinct believed auditors of its records, as far as remembered. */
  auditors: number;
  plausibility: Plausibility | null;
}

/** Where this node's own score comes from. */
export interface OwnScore extends Score {
  produced: number;
  shared: number;
  /** Own records that peers pulled from here, and how many peers did. */
  pulled: number;
  pulledByPeers: number;
  auditors: number;
  /** Own records that auditors say they refused, by reason. */
  refused: Record<string, number>;
}

export interface CreditOptions {
  identity: Identity;
  instanceId: Buffer;
  limits: Pick<SwarmLimits, 'maxPeerRows' | 'maxMembers'>;
  rounds: RoundClock;
  now: () => number;
  profile: () => { displayName: string; team: string };
  /** Own or relayed note, to be pulled by others. */
  hold: (note: Omit<FeedRecord, 'atMs'>, own: boolean) => void;
}

const MAX_PENDING = 256;
/** A sheet a round of each of hundreds of members, for as long as relays hold them. */
const MAX_SEEN_NOTES = 8_192;
/** Own records can be pulled for sixteen rounds. */
const MAX_PULLED = 2_048;
/** The age at which relayed notes end is a quarter of an hour; the profile is said again before. */
const PROFILE_EVERY_MS = 7 * 60_000;
const REFUSALS_PER_SHEET = 8;

export class Credit {
  readonly book: ReceiptBook;
  readonly #options: CreditOptions;
  readonly #plausibility: PlausibilityWatch;
  readonly #profiles: RecentMap<Pick<Profile, 'createdAt' | 'displayName' | 'team' | 'owner'>>;
  readonly #seen: RecentIds;
  readonly #adopted: Receipt[] = [];
  readonly #refused: Receipt[] = [];
  readonly #pulledIds: RecentIds;
  readonly #pulledBy: RecentMap<true>;
  #counters = { produced: 0, shared: 0, pulled: 0 };
  #profileAt = Number.NEGATIVE_INFINITY;
  /** What others were last told; null before the first profile. */
  #told: { displayName: string; team: string } | null = null;

  constructor(options: CreditOptions) {
    this.#options = options;
    const { limits, identity, now } = options;
    this.#profiles = new RecentMap(limits.maxMembers);
    this.#seen = new RecentIds(MAX_SEEN_NOTES);
    this.#pulledIds = new RecentIds(MAX_PULLED);
    this.#pulledBy = new RecentMap(limits.maxPeerRows);
    this.#plausibility = new PlausibilityWatch(limits.maxPeerRows);
    const ownerOf = (peer: PeerId) => (peer === identity.publicKey ? identity.owner.publicKey : this.#ownerOf(peer));
    this.book = new ReceiptBook({ ownKey: identity.publicKey, now, maxPeers: limits.maxPeerRows, ownerOf });
  }

  /** A note from a peer. Held for relaying when its signer is believed. */
  admit(bytes: Uint8Array, hadFromSender: (id: string) => boolean): { ok: true } | Refused {
    const decoded = decodeNote(bytes);
    if (!decoded.ok) return refuse(decoded.reason);
    const note = decoded.value;
    if (hadFromSender(note.id)) return refuse('replayed');
    if (this.#seen.has(note.id)) return refuse('duplicateRecord');
    if (!isNoteAuthentic(note)) return refuse('forgedSignature');
    this.#seen.add(note.id);
    const peer = toHex(note.peer);
    if (peer === this.#options.identity.publicKey) return refuse('duplicateRecord');
    return note.kind === 'sheet' ? this.#admitSheet(peer, note) : this.#admitProfile(peer, note);
  }

  /** Ids of the notes that came last. */
  get seenIds(): RecentIds {
    return this.#seen;
  }

  /** What this node verified and trained on: the next sheet says so. */
  noteAdopted(group: Group): void {
    push(this.#adopted, receiptOf(group, 'adopted'));
  }

  noteVerified(group: Group): void {
    const { right, of } = receiptOf(group, 'adopted');
    const useful = hasSpread(group.completions.map((completion) => completion.reward));
    const { origin, round } = group;
    this.book.noteVerified(group.id, { origin, right, of, round, useful });
    this.#plausibility.note(origin, group.task, right, of);
  }

  noteOwn(id: string, rewards: readonly number[], round: number): void {
    const right = rewards.filter((reward) => reward === 1).length;
    const origin = this.#options.identity.publicKey;
    this.#counters.shared++;
    this.book.noteVerified(id, { origin, right, of: rewards.length, round, useful: hasSpread(rewards) });
  }

  noteProduced(count: number): void {
    this.#counters.produced += count;
  }

  /** An authentic record that was refused: its origin may learn why. */
  noteRefused(record: SignedRecord, reason: RejectionReason): void {
    const origin = toHex(record.peer);
    if (origin === this.#options.identity.publicKey || reason === 'verifierFault') return;
    const outcome = (OUTCOMES as readonly string[]).includes(reason) ? (reason as Outcome) : 'badBody';
    push(this.#refused, { origin, record: shortId(record.id), outcome, right: 0, of: 0, round: record.round });
  }

  /** Own records that this peer pulled. */
  notePulled(by: PeerId, ids: readonly string[]): void {
    if (ids.length > 0) this.#pulledBy.set(by, true);
    for (const id of ids) if (this.#pulledIds.add(id)) this.#counters.pulled++;
  }

  /** Signs what has gathered; called with every round. */
  publish(round: number): void {
    const { identity, instanceId, now } = this.#options;
    // A clock that was set back by days must not silence it for as long.
    if (Math.abs(now() - this.#profileAt) >= PROFILE_EVERY_MS || this.#renamed()) this.#publishProfile();
    const refused = this.#refused.splice(0, REFUSALS_PER_SHEET);
    const receipts = [...refused, ...this.#adopted.splice(0, NOTE.maxReceipts - refused.length)];
    if (receipts.length === 0) return;
    const sheet = signSheet({ instanceId, round, createdAt: now(), receipts }, identity.keyPair);
    this.#hold(sheet, this.#options.rounds.note(identity.publicKey, toHex(instanceId), round), round, true);
  }

  board(window: Window): BoardRow[] {
    const { identity } = this.#options;
    const auditors = this.book.auditorCounts();
    const rows = new Map<PeerId, BoardRow>();
    for (const device of new Set([identity.publicKey, ...this.book.origins()])) {
      const own = device === identity.publicKey;
      const profile = own ? this.#options.profile() : this.#profiles.get(device);
      const owner = own ? identity.owner.publicKey : this.#ownerOf(device);
      const score = this.book.score(device, window);
      const row = rows.get(owner);
      if (row !== undefined) {
        row.devices.push(device);
        row.own ||= own;
        row.displayName ??= named(profile?.displayName);
        row.team ??= named(profile?.team);
        row.score += score.score;
        row.checked += score.checked;
        row.vouched += score.vouched;
        row.auditors = Math.max(row.auditors, auditors.get(device) ?? 0);
        continue;
      }
      rows.set(owner, {
        ...score,
        owner,
        devices: [device],
        own,
        displayName: named(profile?.displayName),
        team: named(profile?.team),
        auditors: auditors.get(device) ?? 0,
        plausibility: null,
      });
    }
    const others = this.#devicesByOwner();
    for (const row of rows.values())
      row.plausibility = this.#plausibility.of([...row.devices, ...(others.get(row.owner) ?? [])]);
    return [...rows.values()].sort((a, b) => b.score - a.score || (a.owner < b.owner ? -1 : 1));
  }

  ownScore(window: Window): OwnScore {
    const { publicKey } = this.#options.identity;
    return {
      ...this.book.score(publicKey, window),
      ...this.#counters,
      pulledByPeers: this.#pulledBy.size,
      auditors: this.book.auditorCounts().get(publicKey) ?? 0,
      refused: this.book.refusals(),
    };
  }

  receiptsOf(peer: PeerId, limit: number): ReceiptRow[] {
    return this.book.receiptsOf(peer, limit);
  }

  #admitSheet(peer: PeerId, sheet: Extract<Note, { kind: 'sheet' }>): { ok: true } | Refused {
    const start = this.#options.rounds.note(peer, toHex(sheet.instanceId), sheet.round);
    if (this.#options.rounds.isStale(start, sheet.round)) return refuse('expired');
    this.book.noteReceipts(peer, sheet.receipts);
    if (this.book.auditors.weight(peer) > 0) this.#hold(sheet, start, sheet.round, false);
    return { ok: true };
  }

  #admitProfile(peer: PeerId, profile: Profile): { ok: true } | Refused {
    const known = this.#profiles.get(peer);
    if (known !== undefined && known.createdAt >= profile.createdAt) return refuse('duplicateRecord');
    const { createdAt, displayName, team, owner } = profile;
    this.#profiles.set(peer, { createdAt, displayName, team, owner });
    if (this.book.score(peer, 'week').checked > 0) this.#hold(profile, this.#profileStart(peer), 0, false);
    return { ok: true };
  }

  /** A name that was changed is told with the next round; so is one that was taken back. */
  #renamed(): boolean {
    if (this.#told === null) return false;
    const { displayName, team } = this.#options.profile();
    return displayName !== this.#told.displayName || team !== this.#told.team;
  }

  #publishProfile(): void {
    const { identity, now, profile } = this.#options;
    const names = profile();
    const silent = names.displayName === '' && names.team === '' && identity.owner.signature === null;
    if (silent && this.#told === null) return;
    this.#told = { ...names };
    this.#profileAt = now();
    const signed = signProfile({ createdAt: now(), ...names }, identity.owner, identity.keyPair);
    this.#hold(signed, this.#profileStart(identity.publicKey), 0, true);
  }

  /** A profile belongs to no start and no round. */
  #profileStart(peer: PeerId): Start {
    return this.#options.rounds.note(peer, 'profile', 0);
  }

  #hold({ id, bytes }: Note, start: Start, round: number, own: boolean): void {
    this.#options.hold({ id, start, round, bytes }, own);
  }

  /** Those with a profile, also where nothing they made was worth counting. */
  #devicesByOwner(): Map<PeerId, PeerId[]> {
    const devices = new Map<PeerId, PeerId[]>();
    for (const [device, { owner }] of this.#profiles.entries())
      devices.set(owner, [...(devices.get(owner) ?? []), device]);
    return devices;
  }

  #ownerOf(peer: PeerId): PeerId {
    return this.#profiles.get(peer)?.owner ?? peer;
  }
}

function receiptOf(group: Group, outcome: Outcome): Receipt {
  const right = group.completions.filter((completion) => completion.reward === 1).length;
  const { origin, round } = group;
  return { origin, record: shortId(group.id), outcome, right, of: group.completions.length, round };
}

/** The newest are kept: older ones are of less use to anybody. */
function push(queue: Receipt[], receipt: Receipt): void {
  queue.push(receipt);
  if (queue.length > MAX_PENDING) queue.shift();
}

function named(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

function refuse(reason: RejectionReason): Refused {
  return { ok: false, reason, detail: 'note' };
}
