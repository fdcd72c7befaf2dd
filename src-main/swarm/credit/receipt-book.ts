/**
 * Credit that can be checked. Counts, per origin and hour, the records with a reward spread that this node verified itself
 * (`checked`), and those it never saw but at least two distinct auditors it believes signed alike receipts for (`vouched`, by the
 * second largest weight). A score is checked + at most MAX_MULTIPLE x checked of vouched: whoever this node has never checked
 * has none, however many keys vouch for it. For this node's own records the roles turn: they count as checked once somebody
 * else's true receipt came; those of an earlier start, whose verdicts this node has forgotten, as vouched like anybody's. Nothing self-reported counts: receipts for oneself, or for a device of the same owner, are ignored.
 * Knows no network and no text.
 */
import type { PeerId } from '../../types.ts';
import { Auditors } from './auditors.ts';
import { NOTE } from '../codec/notes.ts';
import type { Outcome, Receipt } from '../codec/notes.ts';
import { HourlyCount } from './hours.ts';
import type { Window } from './hours.ts';
import { RecentIds } from '../recent-ids.ts';
import { RecentMap } from '../recent.ts';
import { ValuedMap } from '../valued.ts';

/** Records vouched for count at most so many times those checked here. */
export const MAX_MULTIPLE = 4;
/** What a quarter of an hour brings at the rate a node asks for, its own included; receipts about older records come no more. */
const MAX_VERDICTS = 4_096;
const MAX_CLAIMS = 4_096;
/** With more claims open, only believed auditors open others. */
const CLAIMS_OF_STRANGERS = 1_024;
const MAX_AUDITORS = 1_024;
const AUDITORS_OF_RECORD = 16;
/** Claims one auditor may have open, so that a few flooders do not push out the rest. */
const CLAIMS_OF_AUDITOR = 256;
const MAX_REFUSALS = 4_096;

interface Judged {
  origin: PeerId;
  right: number;
  of: number;
  round: number;
  at: number;
}
interface VerifiedRecord extends Judged {
  useful: boolean;
  /** A list: most have one or two, and there are many records. */
  auditors: PeerId[];
  credited: boolean;
}
interface Vote {
  auditor: PeerId;
  right: number;
  of: number;
}
interface Claim {
  origin: PeerId;
  round: number;
  at: number;
  /** One an auditor; a list, as above. */
  votes: Vote[];
  counted: number;
}
interface Counts {
  checked: HourlyCount;
  vouched: HourlyCount;
}

export interface Score {
  /** What the board sorts by: records. */
  score: number;
  checked: number;
  /** Before the bound by `checked`. */
  vouched: number;
}

/** One line under a row of the board. */
export interface ReceiptRow {
  /** First 16 bytes of the record's id, hex. */
  record: string;
  round: number;
  at: number;
  right: number;
  of: number;
  /** True when this node verified the record itself. */
  checkedHere: boolean;
  auditors: { peer: PeerId; weight: number }[];
}

export interface ReceiptBookOptions {
  ownKey: PeerId;
  /** ms since epoch. */
  now: () => number;
  maxPeers: number;
  /** The owner a device has proven; its own key without. */
  ownerOf: (peer: PeerId) => PeerId;
}

export class ReceiptBook {
  readonly auditors: Auditors;
  readonly #options: ReceiptBookOptions;
  /** One string for each peer, however many records, receipts and claims name it. */
  readonly #names: RecentMap<PeerId>;
  readonly #verified = new RecentMap<VerifiedRecord>(MAX_VERDICTS);
  readonly #claims = new RecentMap<Claim>(MAX_CLAIMS);
  readonly #openClaims = new RecentMap<number>(MAX_AUDITORS);
  readonly #counts: ValuedMap<Counts>;
  /** Records that counted before this start. */
  readonly #countedBefore = new RecentIds(MAX_VERDICTS);
  /** Who refused which record of this node, and why. */
  readonly #refusals = new RecentMap<Outcome>(MAX_REFUSALS);

  constructor(options: ReceiptBookOptions) {
    this.#options = options;
    this.auditors = new Auditors(MAX_AUDITORS, options.now);
    this.#counts = new ValuedMap(options.maxPeers, ({ checked, vouched }, origin) =>
      origin === options.ownKey ? Number.POSITIVE_INFINITY : checked.all + vouched.all,
    );
    this.#names = new RecentMap(options.maxPeers);
  }

  /** A record this node has verified, or one of its own. `useful`: its rewards differ. */
  noteVerified(
    id: string,
    record: { origin: PeerId; right: number; of: number; round: number; useful: boolean },
  ): void {
    const key = shortId(id);
    if (this.#verified.has(key)) return;
    const at = this.#options.now();
    const origin = this.#nameOf(record.origin);
    const verified: VerifiedRecord = { ...record, origin, at, auditors: [], credited: this.#hasCounted(key) };
    this.#verified.set(key, verified);
    if (record.origin !== this.#options.ownKey && record.useful && !verified.credited) {
      this.#countsOf(record.origin).checked.add(1, at, at);
      verified.credited = true;
    }
    const claim = this.#claims.get(key);
    if (claim === undefined) return;
    this.#claims.delete(key);
    this.#release(claim);
    this.#recount(claim, 0);
    for (const vote of claim.votes) this.#judge(vote.auditor, { ...vote, origin: claim.origin }, verified);
  }

  /** Receipts whose signature was checked. */
  noteReceipts(auditor: PeerId, receipts: readonly Receipt[]): void {
    if (auditor === this.#options.ownKey) return;
    for (const receipt of receipts) {
      if (this.#sameOwner(auditor, receipt.origin)) continue;
      if (receipt.outcome !== 'adopted') this.#noteRefusal(auditor, receipt);
      else {
        const verified = this.#verified.get(receipt.record);
        if (verified !== undefined) this.#judge(auditor, receipt, verified);
        else if (!this.#hasCounted(receipt.record)) this.#claim(auditor, receipt);
      }
    }
  }

  score(origin: PeerId, window: Window): Score {
    const counts = this.#counts.get(origin);
    const nowMs = this.#options.now();
    const checked = counts?.checked.sum(window, nowMs) ?? 0;
    const vouched = counts?.vouched.sum(window, nowMs) ?? 0;
    return { score: checked + Math.min(Math.max(0, vouched), MAX_MULTIPLE * checked), checked, vouched };
  }

  origins(): PeerId[] {
    return this.#counts.entries().map(([origin]) => origin);
  }

  /** Newest first. */
  receiptsOf(origin: PeerId, limit: number): ReceiptRow[] {
    const rows: ReceiptRow[] = [];
    for (const [record, { origin: of, ...each }] of this.#verified.entries())
      if (of === origin) rows.push(this.#row(record, each, true, each.auditors));
    for (const [record, claim] of this.#claims.entries()) {
      const [vote] = claim.votes;
      if (claim.origin === origin && vote !== undefined)
        rows.push(this.#row(record, { ...claim, ...vote }, false, auditorsOf(claim)));
    }
    return rows.sort((a, b) => b.at - a.at).slice(0, limit);
  }

  /** Distinct believed auditors per origin, over what is remembered. */
  auditorCounts(): Map<PeerId, number> {
    const sets = new Map<PeerId, Set<PeerId>>();
    const note = (origin: PeerId, auditors: Iterable<PeerId>) => {
      const set = sets.get(origin) ?? new Set<PeerId>();
      for (const auditor of auditors) if (this.auditors.weight(auditor) > 0) set.add(auditor);
      sets.set(origin, set);
    };
    for (const { origin, auditors } of this.#verified.values()) note(origin, auditors);
    for (const claim of this.#claims.values()) note(claim.origin, auditorsOf(claim));
    return new Map([...sets].map(([origin, set]) => [origin, set.size]));
  }

  /** Records of this node that others say they refused, by reason. */
  refusals(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const outcome of this.#refusals.values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }

  toJson(): string {
    const counts = this.#counts
      .entries()
      .map(([origin, { checked, vouched }]) => [origin, checked.toJson(), vouched.toJson()]);
    const counted = this.#verified.entries().flatMap(([record, { credited }]) => (credited ? [record] : []));
    return JSON.stringify({ version: 1, counts, auditors: this.auditors.toJson(), counted });
  }

  /** Takes up what `toJson` gave at an earlier start; anything else is ignored, and false. */
  restore(text: string): boolean {
    try {
      const value = JSON.parse(text) as Record<'version' | 'counts' | 'auditors' | 'counted', unknown>;
      if (value.version !== 1 || !Array.isArray(value.counts)) return false;
      for (const row of value.counts as unknown[]) {
        if (!Array.isArray(row) || typeof row[0] !== 'string' || !/^[0-9a-f]{64}$/.test(row[0])) continue;
        this.#counts.set(row[0], { checked: HourlyCount.fromJson(row[1]), vouched: HourlyCount.fromJson(row[2]) });
      }
      this.auditors.restore(value.auditors);
      for (const record of Array.isArray(value.counted) ? (value.counted as unknown[]) : [])
        if (typeof record === 'string' && /^[0-9a-f]{32}$/.test(record)) this.#countedBefore.add(record);
      return true;
    } catch {
      return false;
    }
  }

  #judge(auditor: PeerId, claim: { origin: PeerId; right: number; of: number }, verified: VerifiedRecord): void {
    const { right, of, origin, auditors } = verified;
    const matches = claim.origin === origin && claim.right === right && claim.of === of;
    if (matches && (auditors.includes(auditor) || auditors.length >= AUDITORS_OF_RECORD)) return; // said before
    if (matches) verified.auditors = [...auditors, this.#nameOf(auditor)]; // no longer than needed: there are thousands
    if (this.auditors.note(auditor, matches)) this.#reweigh(auditor);
    if (!matches || origin !== this.#options.ownKey || verified.credited || !verified.useful) return;
    if (this.auditors.weight(auditor) === 0) return;
    verified.credited = true;
    const nowMs = this.#options.now();
    this.#countsOf(origin).checked.add(1, nowMs, nowMs);
  }

  #hasCounted(record: string): boolean {
    return this.#countedBefore.size > 0 && this.#countedBefore.has(record);
  }

  #claim(auditor: PeerId, receipt: Receipt): void {
    const { record, right, of, round } = receipt;
    const origin = this.#nameOf(receipt.origin);
    // Who has nothing checked here has no score that a claim could add to.
    if (this.score(origin, 'week').checked === 0) return;
    if (right === 0 || right === of) return; // honest nodes adopt only what has a spread
    const open = this.#openClaims.get(auditor) ?? 0;
    if (open >= CLAIMS_OF_AUDITOR) return;
    const weight = this.auditors.weight(auditor);
    const said = this.#claims.get(record);
    // Whose receipts have proved true has a place before strangers, whatever they said first.
    const known =
      said !== undefined && said.origin !== origin && weight > 0 && !this.#isBelieved(said) ? undefined : said;
    if (known === undefined && weight === 0 && this.#claims.size >= CLAIMS_OF_STRANGERS) return;
    const claim = known ?? { origin, round, at: this.#options.now(), votes: [], counted: 0 };
    if (claim.origin !== origin || hasVoteOf(claim, auditor)) return;
    if (claim.votes.length >= AUDITORS_OF_RECORD && (weight === 0 || !this.#dropStranger(claim))) return;
    if (said !== known && said !== undefined) this.#release(said);
    claim.votes = [...claim.votes, { auditor: this.#nameOf(auditor), right, of }];
    this.#openClaims.set(auditor, open + 1);
    const forgotten = this.#claims.set(record, claim);
    if (forgotten !== undefined) this.#release(forgotten);
    this.#recount(claim, creditOf(claim, this.auditors));
  }

  #isBelieved(claim: Claim): boolean {
    return claim.votes.some(({ auditor }) => this.auditors.weight(auditor) > 0);
  }

  /** Takes back the vote of one who is not believed; false when all are. */
  #dropStranger(claim: Claim): boolean {
    const stranger = claim.votes.find(({ auditor }) => this.auditors.weight(auditor) === 0);
    if (stranger === undefined) return false;
    this.#closeClaimOf(stranger.auditor);
    claim.votes = claim.votes.filter((vote) => vote !== stranger);
    return true;
  }

  #closeClaimOf(auditor: PeerId): void {
    this.#openClaims.set(auditor, Math.max(0, (this.#openClaims.get(auditor) ?? 1) - 1));
  }

  /** A forgotten claim's credit stays where it was counted; only the room it took with its auditors is free again. */
  #release(claim: Claim): void {
    for (const { auditor } of claim.votes) this.#closeClaimOf(auditor);
  }

  #reweigh(auditor: PeerId): void {
    for (const claim of this.#claims.values())
      if (hasVoteOf(claim, auditor)) this.#recount(claim, creditOf(claim, this.auditors));
  }

  #recount(claim: Claim, credit: number): void {
    if (credit === claim.counted) return;
    this.#countsOf(claim.origin).vouched.add(credit - claim.counted, claim.at, this.#options.now());
    claim.counted = credit;
  }

  #noteRefusal(auditor: PeerId, { origin, record, outcome }: Receipt): void {
    if (origin !== this.#options.ownKey || !this.#verified.has(record)) return;
    this.#refusals.set(`${record}/${auditor}`, outcome);
  }

  #sameOwner(auditor: PeerId, origin: PeerId): boolean {
    return auditor === origin || this.#options.ownerOf(auditor) === this.#options.ownerOf(origin);
  }

  #nameOf(peer: PeerId): PeerId {
    const known = this.#names.get(peer);
    if (known !== undefined) return known;
    this.#names.set(peer, peer);
    return peer;
  }

  #countsOf(origin: PeerId): Counts {
    const counts = this.#counts.get(origin) ?? { checked: new HourlyCount(), vouched: new HourlyCount() };
    this.#counts.set(origin, counts);
    return counts;
  }

  #row(record: string, judged: Omit<Judged, 'origin'>, checkedHere: boolean, auditors: Iterable<PeerId>): ReceiptRow {
    const { right, of, round, at } = judged;
    const signers = [...auditors].map((peer) => ({ peer, weight: this.auditors.weight(peer) }));
    return { record, round, at, right, of, checkedHere, auditors: signers };
  }
}

/** A string of its own: a slice would keep the whole id in memory. */
export function shortId(id: string): string {
  return Buffer.from(id.slice(0, NOTE.idBytes * 2), 'latin1').toString('latin1');
}

function auditorsOf({ votes }: Claim): PeerId[] {
  return votes.map(({ auditor }) => auditor);
}

function hasVoteOf({ votes }: Claim, auditor: PeerId): boolean {
  return votes.some((vote) => vote.auditor === auditor);
}

/** The second largest weight among auditors that say the same: one alone, however believed, is not enough. */
function creditOf({ votes }: Claim, auditors: Auditors): number {
  const byVerdict = new Map<string, number[]>();
  for (const { auditor, right, of } of votes) {
    const key = `${String(right)}/${String(of)}`;
    byVerdict.set(key, [...(byVerdict.get(key) ?? []), auditors.weight(auditor)]);
  }
  let best = 0;
  for (const weights of byVerdict.values()) best = Math.max(best, weights.sort((a, b) => b - a)[1] ?? 0);
  return best;
}
