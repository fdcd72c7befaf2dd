/**
 * The neighbourhood: all links, whom to pull from and when, answering pulls, gossiping heads, and feeding what arrives to
 * admission a few milliseconds at a time, so that a full answer never holds up the node. Knows nothing of how connections
 * are found, nor of what happens to an admitted group.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NoiseStream } from 'hyperdht';
import type { PeerId } from '../../types.ts';
import type { Admitted, Refused } from './admission.ts';
import type { Bans } from './bans.ts';
import { Bandwidth } from '../overlay/bandwidth.ts';
import type { KnownIds } from '../codec/known-ids.ts';
import { isNote } from '../codec/notes.ts';
import type { ByeReason, Pull } from '../codec/messages.ts';
import type { Head, SignedRecord } from '../codec/record.ts';
import { toHex } from '../identity/crypto.ts';
import { isLoopback } from '../overlay/confinement.ts';
import { isRelayedAddress } from '../overlay/paths.ts';
import type { Feed } from './feed.ts';
import { InstanceWatch } from '../identity/instance-watch.ts';
import { WIRE } from '../limits.ts';
import type { SwarmLimits } from '../limits.ts';
import { Link } from '../overlay/link.ts';
import type { LinkHandlers } from '../overlay/link.ts';
import type { Members } from './members.ts';
import { PeerQuotas } from '../overlay/quotas.ts';
import { RateLimit } from '../overlay/rate.ts';
import { RecentMap } from '../recent.ts';
import type { RejectionReason } from './rejections.ts';

export interface ExchangeOptions {
  ownKey: PeerId;
  instanceId: Buffer;
  topic: Buffer;
  secretKey: Buffer | null;
  limits: SwarmLimits;
  /** Bits of `CAPABILITY` that the handshake tells. */
  capabilities: number;
  elapsed: () => number;
  random: () => number;
  feed: Feed;
  /** What has come from anybody lately, to be left out of answers. */
  known: () => KnownIds;
  /** `{ok: true}` without a group is a note: nothing to count. `hadFromSender` as in Admission. */
  admit: (bytes: Uint8Array, hadFromSender: (id: string) => boolean) => Admitted | { ok: true } | Refused;
  /** Groups handed to a peer: ids of the own ones, and how many in all. */
  onGiven: (peer: PeerId, ownIds: string[], groups: number) => void;
  members: Members;
  bans: Bans;
  /** `source` is the address of who delivered it, or its key where the address says nothing (loopback). */
  onAdmitted: (admitted: Admitted, deliveredBy: PeerId, source: string) => void;
  /** `record` is there when it is authentic and was refused for what it holds. */
  onRefused: (peer: PeerId, reason: RejectionReason, detail: string, record?: SignedRecord) => void;
  /** A peer has no room for this node; it should not be dialled again at once. */
  onFull: (peer: PeerId) => void;
  /** Somebody busy says that this peer may have more. */
  onHint: (peer: Buffer) => void;
  /** Where this node carries packets of others now; null where it does not. */
  relayKey: () => Buffer | null;
  /** Where a neighbour carries packets of others; null when it does not, or is gone. */
  onRelayOffer: (peer: PeerId, relayKey: Buffer | null) => void;
  /** A peer says that this node's identity runs twice. */
  onDoubledClaim: (peer: PeerId) => void;
  onChange: () => void;
}

const OWN_PERCENT = 50;
/** Admission works this long before it lets the event loop turn. */
const SLICE_MS = 6;
/** Null where it says nothing about who is there: unknown, or this machine. */
function publicAddress(address: string | null): string | null {
  return address === null || isLoopback(address) ? null : address;
}

/** Where a ban may reach beyond a key: a relay's address is that of everybody behind it. */
function bannableAddress(address: string | null): string | null {
  return address === null || isRelayedAddress(address) ? null : publicAddress(address);
}

/** New connections from one public address: each brings a key that may be new, and with it a quota. */
const CONNECTIONS_OF_ADDRESS = { perSecond: 0.2, burst: 24 };
const PARALLEL_PULLS = 3;
const HINTS = 4;
/** Peers that are being told that there is no place, and how long one may take to greet. */
const TURNED_AWAY = { atOnce: 4, waitMs: 2_000 };
const HINT_EVERY_SECONDS = 30;
const ANNOUNCE_EVERY_MS = 1000;
/** Heads of others come unasked, whatever the other's bandwidth cap: with quick rounds they would take all of a small one. */
const GOSSIP_EVERY_MS = 10_000;

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #links = new Map<PeerId, Link>();
  readonly #turnedAway = new Set<Link>();
  readonly #instances: InstanceWatch;
  readonly #recordsWanted: RateLimit;
  readonly #bandwidth: Bandwidth;
  readonly #hintsTaken: RateLimit;
  readonly #bytesOfAddress: RecentMap<RateLimit>;
  readonly #quotas: RecentMap<PeerQuotas>;
  readonly #connectionsOfAddress: RecentMap<RateLimit>;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Bytes of connections that are over, in all and per peer. */
  #bytesOfClosed = { in: 0, out: 0 };
  readonly #bytesOfPeer: RecentMap<{ in: number; out: number }>;
  #announcing = false;
  #announcedAtMs = Number.NEGATIVE_INFINITY;
  #lastAsked: PeerId | null = null;
  #closed = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { limits } = options;
    this.#instances = new InstanceWatch(limits.maxPeerRows);
    this.#bytesOfPeer = new RecentMap(limits.maxPeerRows);
    this.#hintsTaken = new RateLimit(1 / HINT_EVERY_SECONDS, 1, options.elapsed());
    this.#bandwidth = new Bandwidth(limits, options.elapsed);
    this.#bytesOfAddress = new RecentMap(limits.maxPeerRows);
    this.#quotas = new RecentMap(limits.maxPeerRows);
    this.#connectionsOfAddress = new RecentMap(limits.maxPeerRows);
    this.#recordsWanted = new RateLimit(limits.recordsPerSecond, limits.recordBurst, options.elapsed());
  }

  /** From here on it pulls by itself, until `close`. */
  start(): void {
    this.#armPulls();
  }

  /** Whether a connection from this peer and address is wanted. */
  accepts(peer: PeerId, address: string | null): boolean {
    const { bans, limits, elapsed } = this.#options;
    if (this.#closed || bans.isBanned(peer, elapsed(), bannableAddress(address))) return false;
    if (publicAddress(address) === null) return true;
    const same = [...this.#links.values()].filter((link) => link.address === address && link.peer !== peer);
    return same.length < limits.maxConnectionsPerAddress;
  }

  connect(connection: NoiseStream, address: string | null): void {
    if (!this.#mayConnect(address)) {
      connection.destroy();
      return;
    }
    const link = this.#newLink(connection, address, {
      onReady: (ready) => this.#onReady(ready),
      onHeads: (from, heads) => this.#onHeads(from, heads),
      onPull: (from, pull) => this.#onPull(from, pull),
      hintsFor: (asker) => this.#hintsFor(asker),
      onHints: (_from, peers) => this.#onHints(peers),
      onBye: (from, reason) => this.#onBye(from, reason),
      onOffence: (from, reason, detail) => this.#refused(from, reason, detail),
      onClosed: (closed) => this.#onClosed(closed),
    });
    this.#links.get(link.peer)?.close(null); // Hyperswarm keeps one connection per peer: this is the newer one
    this.#links.set(link.peer, link);
    link.open();
  }

  /** Tells a member that there is no place here, so that it does not dial again at once; others, and too many, are told nothing. */
  turnAway(connection: NoiseStream, address: string | null): void {
    if (this.#closed || this.#turnedAway.size >= TURNED_AWAY.atOnce || !this.#mayConnect(address)) {
      connection.destroy();
      return;
    }
    const ignore = () => undefined;
    const link = this.#newLink(connection, address, {
      onReady: (ready) => ready.close('full'),
      onHeads: ignore,
      onPull: () => [],
      hintsFor: () => [],
      onHints: ignore,
      onBye: ignore,
      onOffence: (from, reason, detail) => this.#refused(from, reason, detail),
      onClosed: (closed) => {
        this.#turnedAway.delete(closed);
        this.#countBytes(closed);
      },
    });
    this.#turnedAway.add(link);
    this.#later(TURNED_AWAY.waitMs, () => link.close(null));
    link.open();
  }

  #newLink(connection: NoiseStream, address: string | null, handlers: LinkHandlers): Link {
    const { topic, secretKey, instanceId, limits, elapsed, capabilities } = this.#options;
    return new Link({
      connection,
      address,
      relayKey: this.#options.relayKey(),
      bandwidth: this.#bandwidth,
      halfOpenMs: limits.halfOpenMs * (0.6 + 0.8 * this.#options.random()),
      addressBytes: this.#addressBytes(address),
      quotas: this.#quotasOf(toHex(connection.remotePublicKey)),
      topic,
      secretKey,
      instanceId,
      limits,
      elapsed,
      capabilities,
      handlers,
    });
  }

  readyLinks(): Link[] {
    return [...this.#links.values()].filter((link) => link.state === 'ready');
  }

  get traffic(): { bytesIn: number; bytesOut: number } {
    let { in: bytesIn, out: bytesOut } = this.#bytesOfClosed;
    for (const link of this.#links.values()) {
      bytesIn += link.bytesIn;
      bytesOut += link.bytesOut;
    }
    return { bytesIn, bytesOut };
  }

  /** Bytes of one peer over all its connections so far. */
  trafficOf(link: Link): { bytesIn: number; bytesOut: number } {
    const before = this.#bytesOfPeer.get(link.peer) ?? { in: 0, out: 0 };
    return { bytesIn: before.in + link.bytesIn, bytesOut: before.out + link.bytesOut };
  }

  /** Sends the own head, and now and then a random choice of others, to every neighbour; rounds faster than that share one message. */
  announce(): void {
    if (this.#announcing) return;
    this.#announcing = true;
    const waitMs = Math.max(0, this.#announcedAtMs + ANNOUNCE_EVERY_MS - this.#options.elapsed());
    this.#later(waitMs, () => {
      this.#announcing = false;
      this.#announcedAtMs = this.#options.elapsed();
      for (const link of this.readyLinks()) this.#sendHeads(link);
    });
  }

  /** Asks the next few neighbours in turn; resolves to how many groups were admitted. Never rejects. */
  async pull(): Promise<number> {
    const counts = await Promise.all(this.#nextLinks(PARALLEL_PULLS).map((link) => this.#pullFrom(link)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /**
   * In a neighbourhood that is full: ends the connection that brought least since the last call, and returns its peer, so that
   * another one can take the place. One that was asked and brought nothing new goes however small the swarm looks, since those
   * who surround a node decide which members it hears of; another one only in a swarm of which the neighbourhood is a small
   * part. Null where nothing would be gained.
   */
  rotate(minAgeMs: number): PeerId | null {
    const { limits, members, elapsed, random } = this.#options;
    const links = this.readyLinks();
    const settled = links.filter((link) => elapsed() - (link.readyAtMs ?? elapsed()) >= minAgeMs);
    const fewest = Math.min(...settled.map((link) => link.groupsBrought));
    const least = settled.filter((link) => link.groupsBrought === fewest);
    const quiet = least.filter((link) => fewest === 0 && link.pullsPut > 0);
    for (const link of links) {
      link.groupsBrought = 0;
      link.pullsPut = 0;
    }
    const isSmallPart = members.size > 2 * links.length;
    const given = quiet.length > 0 ? quiet : isSmallPart ? least : [];
    const one = links.length >= limits.maxPeers ? given[Math.floor(random() * given.length)] : undefined;
    one?.close('full');
    return one?.peer ?? null;
  }

  disconnect(reason: ByeReason): void {
    for (const link of [...this.#links.values(), ...this.#turnedAway]) link.close(reason);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.disconnect('leaving');
  }

  #onReady(link: Link): void {
    const instanceId = link.handshake === null ? '' : toHex(link.handshake.instanceId);
    if (this.#instances.isDoubled(link.peer, instanceId)) {
      link.close('doubledIdentity');
      return;
    }
    link.bit = this.#freeBit();
    if (link.bit === 0) {
      link.close('full');
      return;
    }
    this.#options.onRelayOffer(link.peer, link.handshake?.relayKey ?? null);
    this.#sendHeads(link);
    this.#pullSoon(link);
    this.#options.onChange();
  }

  /** 0 when all are taken. */
  #freeBit(): number {
    let taken = 0;
    for (const link of this.#links.values()) taken |= link.bit;
    return ~taken & (taken + 1) & 0x7fff_ffff;
  }

  #onHeads(link: Link, heads: Head[]): void {
    for (const head of heads) {
      if (!link.mayCheckHead()) return;
      const noted = this.#options.members.note(head);
      if (noted === 'forged') {
        this.#refused(link, 'forgedSignature', 'head');
        return;
      }
      if (noted === 'news' && toHex(head.peer) === link.peer) this.#pullSoon(link);
    }
  }

  #onPull(link: Link, pull: Pull): Uint8Array[] {
    const { feed, elapsed, random } = this.#options;
    const records = feed.answer(pull, link, elapsed(), random);
    const groups = records.filter(({ bytes }) => !isNote(bytes));
    const own = groups.filter(({ start }) => start.peer === this.#options.ownKey);
    this.#options.onGiven(
      link.peer,
      own.map(({ id }) => id),
      groups.length,
    );
    return records.map((record) => record.bytes);
  }

  /** A few other neighbours at random. */
  #hintsFor(asker: Link): Buffer[] {
    const others = this.readyLinks().filter((link) => link !== asker);
    const first = Math.floor(this.#options.random() * others.length);
    const turned = [...others.slice(first), ...others.slice(0, first)];
    return turned.slice(0, HINTS).map((link) => Buffer.from(link.peer, 'hex'));
  }

  /** Followed one at a time, seldom, and only by a node with few neighbours: hints are a stranger's word. */
  #onHints(peers: readonly Buffer[]): void {
    const { limits, elapsed, bans, onHint } = this.#options;
    if (this.#links.size * 2 >= limits.maxPeers || !this.#hintsTaken.take(1, elapsed())) return;
    const known = (key: Buffer) => this.#links.has(toHex(key)) || bans.isBanned(toHex(key), elapsed(), null);
    const fresh = peers.find((key) => !known(key) && toHex(key) !== this.#options.ownKey);
    if (fresh !== undefined) onHint(fresh);
  }

  /** Before its handshake a stranger's word counts for nothing: it may not even be a member. */
  #onBye(link: Link, reason: ByeReason): void {
    if (link.state !== 'ready') return;
    if (reason === 'doubledIdentity') this.#options.onDoubledClaim(link.peer);
    if (reason === 'full') this.#options.onFull(link.peer);
  }

  #countBytes(link: Link): void {
    const { bytesIn, bytesOut } = this.trafficOf(link);
    this.#bytesOfPeer.set(link.peer, { in: bytesIn, out: bytesOut });
    this.#bytesOfClosed.in += link.bytesIn;
    this.#bytesOfClosed.out += link.bytesOut;
  }

  #onClosed(link: Link): void {
    this.#countBytes(link);
    if (this.#links.get(link.peer) === link) {
      this.#links.delete(link.peer);
      this.#options.onRelayOffer(link.peer, null);
    }
    this.#options.feed.forget(link.bit);
    link.bit = 0;
    this.#options.onChange();
  }

  #refused(link: Link, reason: RejectionReason, detail: string, record?: SignedRecord): void {
    const { bans, elapsed, onRefused } = this.#options;
    onRefused(link.peer, reason, detail, record);
    if (bans.note(link.peer, reason, elapsed(), bannableAddress(link.address))) link.close('banned');
  }

  #mayConnect(host: string | null): boolean {
    const address = publicAddress(host);
    if (address === null) return true;
    const { perSecond, burst } = CONNECTIONS_OF_ADDRESS;
    const nowMs = this.#options.elapsed();
    const known = this.#connectionsOfAddress.get(address) ?? new RateLimit(perSecond, burst, nowMs);
    this.#connectionsOfAddress.set(address, known);
    return known.take(1, nowMs);
  }

  /** A new connection is no new quota. */
  #quotasOf(peer: PeerId): PeerQuotas {
    const { limits, elapsed } = this.#options;
    const quotas = this.#quotas.get(peer) ?? new PeerQuotas(limits, elapsed());
    this.#quotas.set(peer, quotas);
    return quotas;
  }

  /** Connections from one address share one bucket, and a new connection is no new bucket. */
  #addressBytes(host: string | null): RateLimit | null {
    const address = publicAddress(host);
    if (address === null) return null;
    const { limits, elapsed } = this.#options;
    const bytes = limits.bytesPerMinutePerAddress;
    const known = this.#bytesOfAddress.get(address) ?? new RateLimit(bytes / 60, bytes, elapsed());
    this.#bytesOfAddress.set(address, known);
    return known;
  }

  #isBanned(link: Link): boolean {
    return this.#options.bans.isBanned(link.peer, this.#options.elapsed(), bannableAddress(link.address));
  }

  #sendHeads(link: Link): void {
    const { members, limits, ownKey, random, elapsed } = this.#options;
    const isGossipDue = elapsed() - link.gossipedAtMs >= GOSSIP_EVERY_MS;
    if (isGossipDue) link.gossipedAtMs = elapsed();
    link.sendHeads(members.gossip(isGossipDue ? limits.headsPerRound : 1, ownKey, random));
  }

  /** Neighbours that may be asked now, starting after the one asked last. */
  #nextLinks(count: number): Link[] {
    const links = this.readyLinks().sort((a, b) => (a.peer < b.peer ? -1 : 1));
    const after = links.findIndex((link) => this.#lastAsked === null || link.peer > this.#lastAsked);
    const turned = after <= 0 ? links : [...links.slice(after), ...links.slice(0, after)];
    return turned.filter((link) => link.canPull()).slice(0, count);
  }

  async #pullFrom(link: Link): Promise<number> {
    const { elapsed, limits } = this.#options;
    const count = Math.min(WIRE.maxPullRecords, Math.floor(this.#recordsWanted.available(elapsed())));
    if (this.#closed || count < 1 || !link.canPull()) return 0;
    this.#lastAsked = link.peer;
    this.#recordsWanted.spend(count, elapsed());
    const known = this.#options.known();
    const outcome = await link.pull({ count, ownPercent: OWN_PERCENT, maxAgeMs: limits.maxAgeMs, known });
    const records = outcome.kind === 'records' ? outcome.records : [];
    this.#recordsWanted.spend(records.length - count, elapsed()); // gives back what did not come
    if (outcome.kind === 'silent') this.#refused(link, 'mute', 'pull not answered');
    return this.#admitAll(link, records);
  }

  async #admitAll(link: Link, records: readonly Uint8Array[]): Promise<number> {
    let admittedCount = 0;
    let sliceStart = performance.now();
    for (const bytes of records) {
      if (this.#closed || (link.state === 'closed' && this.#isBanned(link))) break;
      let recordId = '';
      const result = this.#options.admit(bytes, (id) => {
        recordId = id;
        return !link.received.add(id);
      });
      this.#options.feed.noteHad(recordId, link.bit);
      if (result.ok && !('group' in result)) continue;
      if (result.ok) {
        admittedCount++;
        link.groupsBrought++;
        this.#options.onAdmitted(result, link.peer, publicAddress(link.address) ?? link.peer);
      } else this.#refused(link, result.reason, result.detail, result.record);
      if (performance.now() - sliceStart > SLICE_MS) {
        await nextTurn();
        sliceStart = performance.now();
      }
    }
    if (records.length > 0) this.#options.onChange();
    return admittedCount;
  }

  #pullSoon(link: Link): void {
    this.#later(50 + this.#options.random() * 250, () => void this.#pullFrom(link));
  }

  /** The interval is jittered so that nodes started together do not stay in step. */
  #armPulls(): void {
    const jitter = 0.8 + 0.4 * this.#options.random();
    this.#later(this.#options.limits.pullIntervalMs * jitter, () => {
      void this.pull();
      this.#armPulls();
    });
  }

  #later(delayMs: number, act: () => void): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }
}
