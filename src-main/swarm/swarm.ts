/**
 * The swarm as the engine sees it: share own groups, adopt other nodes' groups, see who is there. Wires identity, discovery,
 * exchange, admission, feed and pool together and owns their life. Receives `verify`, `now`, `random` and `log` as functions;
 * knows neither engine, store, policies nor tasks. Invariant: what `adopt` returns has been verified on this machine.
 */
import { safeLine } from '../base/sanitise-text.ts';
import type { Group, PeerId, TaskRef } from '../types.ts';
import { Admission } from './records/admission.ts';
import type { Admitted, VerifyTexts } from './records/admission.ts';
import { Bans } from './records/bans.ts';
import type { BodyCompletion, RecordBody } from './codec/body.ts';
import type { SwarmDescription } from './codec/description.ts';
import { addId, KNOWN_IDS, roomForIds } from './codec/known-ids.ts';
import type { KnownIds } from './codec/known-ids.ts';
import { CAPABILITY } from './codec/messages.ts';
import { isNote } from './codec/notes.ts';
import { INSTANCE_ID_BYTES, policyHash, signHead, signRecord } from './codec/record.ts';
import type { SignedRecord } from './codec/record.ts';
import { Credit } from './credit/credit.ts';
import type { BoardRow, OwnScore } from './credit/credit.ts';
import { randomBytes, toHex } from './identity/crypto.ts';
import { secretKeyOf } from './identity/secret-key.ts';
import type { Stretch } from './identity/secret-key.ts';
import type { Reach } from './overlay/dht-node.ts';
import { Discovery, swarmTopic } from './overlay/discovery.ts';
import type { Bootstrap } from './overlay/discovery.ts';
import { elapsedWithSleep } from './elapsed.ts';
import { Exchange } from './records/exchange.ts';
import { Feed } from './records/feed.ts';
import { fittingPart } from './records/fitting-part.ts';
import type { Window } from './credit/hours.ts';
import type { Identity } from './identity/identity.ts';
import { Ledger } from './records/ledger.ts';
import type { PeerEntry } from './records/ledger.ts';
import { DEFAULT_LIMITS, WIRE } from './limits.ts';
import type { SwarmLimits } from './limits.ts';
import { Members } from './records/members.ts';
import { hasSpread, Pool, type GroupChoice } from './records/pool.ts';
import type { NatKind, PeerPath } from './overlay/paths.ts';
import { presenceOf, presenceText } from './overlay/presence.ts';
import type { Presence } from './overlay/presence.ts';
import type { ReceiptRow } from './credit/receipt-book.ts';
import { RecentMap } from './recent.ts';
import type { RejectionReason } from './records/rejections.ts';
import { RoundClock } from './records/round-clock.ts';
import { shardTopics } from './overlay/shards.ts';

export interface SwarmOptions {
  /** Swarms of different names never meet. With a `description` it is only what is shown. */
  name: string;
  /** The signed terms of the swarm; its id decides where members meet. Without one it is the swarm of that name. */
  description?: SwarmDescription | undefined;
  /** Only nodes that know it can find and enter the swarm. */
  secret?: string | undefined;
  /** For tests: members of a swarm have the same. */
  stretch?: Stretch | undefined;
  /** DHT nodes to start from; undefined: the public Holepunch DHT; `[]`: none. */
  bootstrap?: readonly Bootstrap[] | undefined;
  /** Address to bind, for example `127.0.0.1`; undefined: all. */
  host?: string | undefined;
  /** Find members on the local network by mDNS; default false. Never on loopback. */
  lanDiscovery?: boolean | undefined;
  /** Carry packets between others, bounded, where this node is openly reachable; default true. Never with a bandwidth cap. */
  carriesForOthers?: boolean | undefined;
  /** For tests on one machine: how reachable to be. */
  reach?: Reach | undefined;
  identity: Identity;
  /** What this node does; the default is both. One that does not train checks and relays peers' groups, and pools none. */
  role?: SwarmRole | undefined;
  /** Asked at every `share`. */
  policyName: () => string;
  /** What others may see beside the key; bounded and sanitised on the way out and in. */
  profile?: (() => { displayName: string; team: string }) | undefined;
  /** Peers the owner wants nothing to do with; asked anew every few seconds. */
  isBlocked?: ((peer: PeerId) => boolean) | undefined;
  /** What `exportCredit` gave at an earlier start. */
  credit?: string | undefined;
  verify: VerifyTexts;
  /** Whether a task is of the stream that follows from this peer's key; none without. */
  isOwnTask?: ((origin: PeerId, task: TaskRef) => boolean) | undefined;
  /** ms since epoch. */
  now: () => number;
  /** Uniform in [0, 1). */
  random: () => number;
  log: (level: 'debug' | 'info' | 'warn', message: string) => void;
  limits?: Partial<SwarmLimits> | undefined;
  /** Monotonic ms, for ages and rates; by default the process's own clock and what the machine slept. */
  elapsed?: (() => number) | undefined;
  /** `deliveredBy` handed it over; `group.origin` made it. */
  onAdmitted?: ((group: Group, deliveredBy: PeerId) => void) | undefined;
  onRejected?: ((deliveredBy: PeerId, reason: RejectionReason) => void) | undefined;
  /** Something in `status()` or `peers()` changed; at most a few times a second. */
  onChange?: (() => void) | undefined;
}

/** Structurally `NodeRole` of engine/api.ts. */
export type SwarmRole = 'both' | 'generates' | 'trains';

const CAPABILITIES: Readonly<Record<SwarmRole, number>> = {
  both: CAPABILITY.generates | CAPABILITY.trains | CAPABILITY.relays,
  generates: CAPABILITY.generates | CAPABILITY.relays,
  trains: CAPABILITY.trains | CAPABILITY.relays,
};

/** What `share` needs of a group. */
export interface ShareableGroup {
  task: TaskRef;
  completions: readonly BodyCompletion[];
}

/** Structurally that of engine/api.ts. */
export interface SwarmNetwork {
  nat: NatKind;
  publicAddress: string | null;
  lanDiscovery: boolean;
  /** Ready peers by path. */
  paths: Record<PeerPath, number>;
  maxBytesPerSecondIn: number;
  maxBytesPerSecondOut: number;
  relaying: { sessions: number; bytes: number };
}

/** Structurally `SwarmSummary` of engine/api.ts, and a little more. */
export interface SwarmStatus {
  presence: Presence;
  text: string;
  name: string;
  publicKey: PeerId;
  peers: number;
  groupsShared: number;
  groupsAdopted: number;
  groupsPooled: number;
  /** By reason; `duplicateRecord` is left out: relaying makes duplicates, and nobody is at fault. */
  rejected: Record<string, number>;
  duplicates: number;
  bytesIn: number;
  bytesOut: number;
  network: SwarmNetwork;
  /** Members heard of through signed heads. */
  membersKnown: number;
  /** Records of others held for relaying. */
  recordsHeld: number;
  /** ms since epoch at which this identity was last seen running elsewhere; null if never. */
  doubledIdentityAt: number | null;
}

export interface Swarm {
  /**
   * Record ids in the order of `groups`. Of a group that is larger than a record as many completions are shared as fit; null where not
   * even two do. Works offline too.
   */
  share(groups: readonly ShareableGroup[], round: number): (string | null)[];
  /** Asks neighbours now; resolves to the number of groups admitted. It also runs by itself. */
  pull(): Promise<number>;
  /** Up to `count` verified groups with a reward spread, or those that a function picks; they leave the pool. */
  adopt(want: number | GroupChoice): Group[];
  status(): SwarmStatus;
  /** Latest seen first. */
  peers(): PeerEntry[];
  /** Highest score first. Everything in it was verified here or vouched for by auditors whose receipts were re-checked here. */
  board(window: Window): BoardRow[];
  /** What a row of the board rests on, newest first. */
  receiptsOf(peer: PeerId, limit: number): ReceiptRow[];
  /** Why this node's own score is what it is. */
  ownScore(window: Window): OwnScore;
  /** The counts behind the board, to be handed back at the next start. */
  exportCredit(): string;
  suspend(): Promise<void>;
  resume(): Promise<void>;
  /** Idempotent, never rejects, bounded by `closeDeadlineMs` twice. */
  close(): Promise<void>;
}

/** Resolves at once, with a secret within a second, with or without a network. Rejects only on options that are wrong. */
export async function createSwarm(options: SwarmOptions): Promise<Swarm> {
  const { name, description, secret, stretch } = options;
  const node = new SwarmNode(options, await secretKeyOf(description?.id ?? name, secret, stretch));
  node.start();
  return node;
}

/** What is carried for others would count against it. */
function hasCap(limits: SwarmLimits): boolean {
  return limits.maxBytesPerSecondIn > 0 || limits.maxBytesPerSecondOut > 0;
}

/** As the other says itself: nothing here depends on it. */
function roleOf(capabilities: number): SwarmRole | null {
  const generates = (capabilities & CAPABILITY.generates) !== 0;
  const trains = (capabilities & CAPABILITY.trains) !== 0;
  if (generates) return trains ? 'both' : 'generates';
  return trains ? 'trains' : null;
}

const DOUBLED_FIX =
  'Stop the other one, or give each node a data folder, and with it an identity, of its own: `waggle identity restore --another-device` makes a second device of the same owner.';
const NEWER_TEXT = 'The other nodes speak a newer version of the protocol: update Waggle to trade with them';
/** For so long after its last sign the status says what is wrong. */
const NOTICE_SHOWN_MS = 10 * 60_000;
/** Records and notes: what comes in sixteen rounds of 64 records with a sheet now and then. */
const KNOWN_IDS_SENT = [KNOWN_IDS.maxBytes - 128, 128] as const;
const HOUSEKEEPING_MS = 2_000;
const EXPIRE_EVERY_MS = 10_000;
const CHANGE_MS = 200;
const LOG_AGAIN_MS = 60_000;

class SwarmNode implements Swarm {
  readonly #options: SwarmOptions;
  readonly #elapsed: () => number;
  readonly #limits: SwarmLimits;
  readonly #instanceId = randomBytes(INSTANCE_ID_BYTES);
  readonly #startedAt: number;
  readonly #rounds: RoundClock;
  readonly #pool: Pool;
  readonly #feed: Feed;
  readonly #admission: Admission;
  readonly #members: Members;
  readonly #ledger: Ledger;
  readonly #credit: Credit;
  readonly #exchange: Exchange;
  readonly #discovery: Discovery;
  readonly #loggedAtMs = new RecentMap<number>(512);
  #rejected: Partial<Record<RejectionReason, number>> = {};
  #counters = { shared: 0, adopted: 0, seq: 0, duplicates: 0 };
  #doubledIdentityAt: number | null = null;
  /** When a peer last spoke only versions that this node does not know yet. */
  #newerSeenAt: number | null = null;
  #warnedTooLarge = false;
  #suspended = false;
  #joiningSinceMs: number;
  #rotatedAtMs: number;
  #expiredAtMs = Number.NEGATIVE_INFINITY;
  #lastPresence: Presence = 'joining';
  #housekeeping: NodeJS.Timeout | null = null;
  #changeTimer: NodeJS.Timeout | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: SwarmOptions, secretKey: Buffer | null) {
    this.#options = options;
    this.#elapsed = options.elapsed ?? elapsedWithSleep(options.now);
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#startedAt = options.now();
    this.#joiningSinceMs = this.#elapsed();
    this.#rotatedAtMs = this.#elapsed();
    const { identity } = options;
    const { description } = options;
    const topic = swarmTopic(description?.id ?? options.name, secretKey);
    if (description !== undefined) this.#limits.maxRoundAge = description.maxRoundAge;
    this.#rounds = new RoundClock(this.#limits.maxMembers * 2, this.#limits.maxRoundAge);
    this.#pool = new Pool(this.#limits, this.#rounds);
    this.#feed = new Feed(this.#limits, this.#rounds);
    this.#members = new Members(this.#limits.maxMembers);
    this.#ledger = new Ledger(this.#limits.maxPeerRows, options.now, this.#elapsed);
    this.#admission = new Admission({
      ownKey: identity.publicKey,
      verify: options.verify,
      isOwnTask: options.isOwnTask ?? (() => false),
      rounds: this.#rounds,
      seenRecords: this.#limits.seenRecords,
      now: options.now,
      onOwnRecord: (record) => this.#onOwnRecord(record),
    });
    this.#credit = new Credit({
      identity,
      instanceId: this.#instanceId,
      limits: this.#limits,
      rounds: this.#rounds,
      now: options.now,
      profile: () => options.profile?.() ?? { displayName: '', team: '' },
      hold: (note, own) => this.#feed[own ? 'addOwn' : 'hold']({ ...note, atMs: this.#elapsed() }),
    });
    if (options.credit !== undefined) this.#credit.book.restore(options.credit);
    this.#exchange = new Exchange({
      ownKey: identity.publicKey,
      instanceId: this.#instanceId,
      topic,
      secretKey,
      limits: this.#limits,
      capabilities: CAPABILITIES[options.role ?? 'both'],
      elapsed: this.#elapsed,
      random: options.random,
      feed: this.#feed,
      known: () => this.#knownIds(),
      admit: (bytes, hadFromSender) => (isNote(bytes) ? this.#credit : this.#admission).admit(bytes, hadFromSender),
      onGiven: (peer, ownIds, groups) => {
        this.#credit.notePulled(peer, ownIds);
        this.#ledger.given(peer, groups);
      },
      members: this.#members,
      bans: new Bans(this.#limits.maxBans, this.#limits.banMs),
      onAdmitted: (admitted, from, source) => this.#onAdmitted(admitted, from, source),
      onRefused: (peer, reason, detail, record) => this.#onRefused(peer, reason, detail, record),
      onFull: (peer) => this.#discovery.rest(peer),
      relayKey: () => this.#discovery.relayKey,
      onRelayOffer: (peer, relayKey) => this.#discovery.noteRelay(peer, relayKey),
      onHint: (peer) => this.#discovery.dial(peer),
      onDoubledClaim: (peer) => this.#onDoubled(`peer ${peer.slice(0, 8)} says so`),
      onChange: () => this.#changed(),
    });
    this.#discovery = new Discovery({
      topics: shardTopics(topic, identity.keyPair.publicKey, description?.shardCount ?? 1, options.random),
      keyPair: identity.keyPair,
      bootstrap: options.bootstrap,
      host: options.host,
      limits: this.#limits,
      accepts: (peer, address) => options.isBlocked?.(peer) !== true && this.#exchange.accepts(peer, address),
      onConnection: (connection, address) => this.#exchange.connect(connection, address),
      onNoPlace: (connection, address) => this.#exchange.turnAway(connection, address),
      lanDiscovery: options.lanDiscovery ?? false,
      swarmTopic: topic,
      carriesForOthers: (options.carriesForOthers ?? true) && !hasCap(this.#limits),
      reach: options.reach ?? 'unknown',
      elapsed: this.#elapsed,
      random: options.random,
      isConnected: () => this.#exchange.readyLinks().length > 0,
      log: options.log,
    });
  }

  start(): void {
    this.#discovery.start();
    this.#exchange.start();
    this.#housekeeping = setInterval(() => this.#tidy(), HOUSEKEEPING_MS);
  }

  share(groups: readonly ShareableGroup[], round: number): (string | null)[] {
    const ids = groups.map((group) => this.#shareOne(group, round));
    const count = ids.filter((id) => id !== null).length;
    this.#counters.shared += count;
    this.#credit.noteProduced(groups.length);
    this.#credit.publish(round);
    const createdAt = this.#options.now();
    const policy = policyHash(this.#policyName());
    this.#members.note(signHead({ round, count, createdAt, policyHash: policy }, this.#options.identity.keyPair));
    if (!this.#suspended) this.#exchange.announce();
    this.#changed();
    return ids;
  }

  pull(): Promise<number> {
    return this.#suspended || this.#closing !== null ? Promise.resolve(0) : this.#exchange.pull();
  }

  adopt(want: number | GroupChoice): Group[] {
    this.#pool.expire(this.#elapsed());
    const groups = typeof want === 'number' ? this.#pool.sample(want, this.#options.random) : this.#pool.take(want);
    this.#counters.adopted += groups.length;
    for (const group of groups) {
      this.#ledger.adopted(group.origin);
      this.#credit.noteAdopted(group);
    }
    if (groups.length > 0) this.#changed();
    return groups;
  }

  status(): SwarmStatus {
    const peers = this.#exchange.readyLinks().length;
    const presence = this.#presence();
    return {
      presence,
      text: this.#statusText(presence, peers),
      name: this.#options.name,
      publicKey: this.#options.identity.publicKey,
      peers,
      groupsShared: this.#counters.shared,
      groupsAdopted: this.#counters.adopted,
      groupsPooled: this.#pool.size,
      rejected: { ...this.#rejected },
      duplicates: this.#counters.duplicates,
      ...this.#exchange.traffic,
      network: this.#network(),
      membersKnown: this.#members.size,
      recordsHeld: this.#feed.counts.held,
      doubledIdentityAt: this.#doubledIdentityAt,
    };
  }

  peers(): PeerEntry[] {
    this.#updateRows();
    return this.#ledger.rows();
  }

  board(window: Window): BoardRow[] {
    return this.#credit.board(window);
  }

  receiptsOf(peer: PeerId, limit: number): ReceiptRow[] {
    return this.#credit.receiptsOf(peer, limit);
  }

  ownScore(window: Window): OwnScore {
    return this.#credit.ownScore(window);
  }

  exportCredit(): string {
    return this.#credit.book.toJson();
  }

  async suspend(): Promise<void> {
    if (this.#suspended) return;
    this.#suspended = true;
    this.#exchange.disconnect('leaving');
    this.#changed();
    await this.#discovery.suspend();
  }

  async resume(): Promise<void> {
    if (!this.#suspended) return;
    this.#suspended = false;
    this.#joiningSinceMs = this.#elapsed();
    this.#changed();
    await this.#discovery.resume();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#housekeeping !== null) clearInterval(this.#housekeeping);
    this.#updateRows();
    this.#exchange.close();
    await this.#discovery.close();
    if (this.#changeTimer !== null) clearTimeout(this.#changeTimer);
    this.#changeTimer = null;
  }

  /** Of records that others may still hold: those that are older than sixteen rounds nobody gives. */
  #knownIds(): KnownIds {
    const tables = [this.#admission.seenIds, this.#credit.seenIds];
    const counts = tables.map(({ size }, i) => Math.min(size, KNOWN_IDS_SENT[i]!));
    const known = roomForIds(counts[0]! + counts[1]!, Math.floor(this.#options.random() * 2 ** 32));
    tables.forEach((table, i) => table.forNewest(counts[i]!, (first, second) => addId(known, first, second)));
    return known;
  }

  #policyName(): string {
    const name = Buffer.from(safeLine(this.#options.policyName(), 48), 'utf8');
    return name.byteLength <= WIRE.maxPolicyNameBytes ? name.toString('utf8') : name.toString('utf8').slice(0, 20);
  }

  #shareOne(group: ShareableGroup, round: number): string | null {
    const { task } = group;
    const whole = { task, policyName: this.#policyName(), completions: [...group.completions] };
    const part = fittingPart(whole, (completions) => this.#rewardsOf({ ...whole, completions: [...completions] }));
    if (part === null) {
      this.#warnTooLarge(task);
      return null;
    }
    const { body, packed } = part;
    const { identity, now } = this.#options;
    const fields = {
      instanceId: this.#instanceId,
      seq: this.#counters.seq++,
      round,
      createdAt: now(),
      body: packed,
    };
    const record = signRecord(fields, identity.keyPair);
    const start = this.#rounds.note(identity.publicKey, toHex(this.#instanceId), round);
    this.#admission.noteOwn(body);
    const { id, bytes } = record;
    this.#feed.addOwn({ id, start, round, bytes, atMs: this.#elapsed() });
    this.#credit.noteOwn(id, this.#rewardsOf(body), round);
    return id;
  }

  /** Once: with a policy that answers at such length it would be said every round. */
  #warnTooLarge({ generator }: TaskRef): void {
    this.#options.log(
      this.#warnedTooLarge ? 'debug' : 'warn',
      `Answers to ${generator} are too long to be shared with peers: not even two of them fit into one record of ${String(WIRE.maxBodyBytes / 1024)} KB compressed. This node still trains on them; a lower maxNewTokens makes them shareable.`,
    );
    this.#warnedTooLarge = true;
  }

  /** What auditors must find too; none where this node cannot verify its own. */
  #rewardsOf(body: RecordBody): number[] {
    try {
      const texts = body.completions.map((completion) => completion.text);
      const verdict = this.#options.verify(body.task, texts);
      return verdict.ok ? verdict.rewards : [];
    } catch {
      return [];
    }
  }

  #onAdmitted({ group, record, start }: Admitted, deliveredBy: PeerId, source: string): void {
    const atMs = this.#elapsed();
    if (this.#options.role !== 'generates') this.#pool.add(group, start, atMs, source);
    // A group without a spread teaches nobody anything: not worth another node's bytes.
    if (hasSpread(group.completions.map((completion) => completion.reward)))
      this.#feed.hold({ id: group.id, start, round: group.round, bytes: record.bytes, atMs });
    this.#ledger.admitted(group, deliveredBy);
    this.#credit.noteVerified(group);
    this.#options.onAdmitted?.(group, deliveredBy);
  }

  #onRefused(peer: PeerId, reason: RejectionReason, detail: string, record?: SignedRecord): void {
    if (record !== undefined) this.#credit.noteRefused(record, reason);
    if (reason === 'duplicateRecord') {
      this.#counters.duplicates++;
      return;
    }
    this.#rejected[reason] = (this.#rejected[reason] ?? 0) + 1;
    if (reason === 'incompatibleVersion' && detail.startsWith('newer')) this.#newerSeenAt = this.#options.now();
    this.#ledger.refused(peer, reason);
    this.#options.onRejected?.(peer, reason);
    this.#changed();
    const key = `${peer}/${reason}`;
    const lastMs = this.#loggedAtMs.get(key);
    if (lastMs !== undefined && this.#elapsed() - lastMs < LOG_AGAIN_MS) return;
    this.#loggedAtMs.set(key, this.#elapsed());
    this.#options.log(
      'debug',
      `refused from ${peer.slice(0, 8)}: ${reason}${detail === '' ? '' : ` (${safeLine(detail, 160)})`}`,
    );
  }

  /** Own records come back; one of another start made after this start was made by another process with this key. */
  #onOwnRecord(record: SignedRecord): void {
    const elsewhere = toHex(record.instanceId) !== toHex(this.#instanceId);
    if (elsewhere && record.createdAt > this.#startedAt)
      this.#onDoubled('a record signed with this key came from elsewhere');
  }

  #onDoubled(how: string): void {
    const first = this.#doubledIdentityAt === null;
    this.#doubledIdentityAt = this.#options.now();
    if (!first) return;
    this.#options.log('warn', `This node’s identity is running twice (${how}). ${DOUBLED_FIX}`);
    this.#changed();
  }

  #statusText(presence: Presence, peers: number): string {
    const isRecent = (at: number | null) => at !== null && this.#options.now() - at < NOTICE_SHOWN_MS;
    if (isRecent(this.#doubledIdentityAt)) return `This identity is running twice. ${DOUBLED_FIX}`;
    if (peers === 0 && isRecent(this.#newerSeenAt)) return NEWER_TEXT;
    return presenceText(presence, peers, (this.#options.role ?? 'both') === 'both');
  }

  #presence(): Presence {
    return presenceOf({
      suspended: this.#suspended || this.#closing !== null,
      peers: this.#exchange.readyLinks().length,
      hasNetwork: this.#discovery.hasNetwork,
      joiningMs: this.#elapsed() - this.#joiningSinceMs,
    });
  }

  #network(): SwarmNetwork {
    const paths = { direct: 0, relayed: 0, lan: 0 };
    for (const { peer } of this.#exchange.readyLinks()) paths[this.#discovery.pathOf(peer)]++;
    const { maxBytesPerSecondIn, maxBytesPerSecondOut } = this.#limits;
    return { ...this.#discovery.outside, paths, maxBytesPerSecondIn, maxBytesPerSecondOut };
  }

  #updateRows(): void {
    const ready = new Set<PeerId>();
    for (const link of this.#exchange.readyLinks()) {
      ready.add(link.peer);
      const row = this.#ledger.touch(link.peer);
      row.latencyMs = link.latencyMs;
      row.path = this.#discovery.pathOf(link.peer);
      row.role = roleOf(link.handshake?.capabilities ?? 0);
      Object.assign(row, this.#exchange.trafficOf(link));
    }
    this.#ledger.setConnected(ready);
  }

  #tidy(): void {
    const nowMs = this.#elapsed();
    const expired = this.#expire(nowMs);
    this.#rotate(nowMs);
    for (const link of this.#exchange.readyLinks())
      if (this.#options.isBlocked?.(link.peer) === true) link.close('leaving');
    const presence = this.#presence();
    if (presence !== this.#lastPresence || expired > 0) this.#changed();
    this.#lastPresence = presence;
  }

  /** Frees memory only: what is too old is neither given nor adopted, whenever it goes. Returns how many groups went. */
  #expire(nowMs: number): number {
    if (nowMs - this.#expiredAtMs < EXPIRE_EVERY_MS) return 0;
    this.#expiredAtMs = nowMs;
    this.#feed.expire(nowMs);
    return this.#pool.expire(nowMs);
  }

  /** Give up one neighbour now and then: a fixed neighbourhood learns from few, and can be surrounded. */
  #rotate(nowMs: number): void {
    const { rotateEveryMs } = this.#limits;
    if (this.#suspended || nowMs - this.#rotatedAtMs < rotateEveryMs) return;
    this.#rotatedAtMs = nowMs;
    const peer = this.#exchange.rotate(rotateEveryMs / 2);
    if (peer === null) return;
    this.#discovery.giveUp(peer);
    this.#options.log('debug', `gave up ${peer.slice(0, 8)} to make room for another peer`);
  }

  #changed(): void {
    if (this.#changeTimer !== null || this.#closing !== null || this.#options.onChange === undefined) return;
    this.#changeTimer = setTimeout(() => {
      this.#changeTimer = null;
      this.#options.onChange?.();
    }, CHANGE_MS);
  }
}
