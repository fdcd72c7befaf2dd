/**
 * Finds peers and keeps finding them: one Hyperswarm over its own DHT node, joined to the swarm's topics, with bounded
 * connections, early refreshes, and a watchdog that heals a node which started, or was left, without a network.
 * Knows nothing of the protocol: it hands connections on. Never throws for want of a network.
 */
import type { DhtAddress, NoiseStream } from 'hyperdht';
import Hyperswarm from 'hyperswarm';
import type { PeerInfo } from 'hyperswarm';
import { describeError } from '../../base/errors.ts';
import type { PeerId } from '../../types.ts';
import { hash, mac, toHex } from '../identity/crypto.ts';
import type { KeyPair } from '../identity/crypto.ts';
import { placesKept } from '../limits.ts';
import type { SwarmLimits } from '../limits.ts';
import { assertLocalBootstrap, isConfined, isLoopback } from './confinement.ts';
import { DhtNode, OfferedRelays } from './dht-node.ts';
import type { Reach } from './dht-node.ts';
import { Lan } from './lan.ts';
import type { LanPeer } from './lan-records.ts';
import { isLanAddress, natKind, publicAddress, relayedAddress } from './paths.ts';
import type { NatKind, PeerPath } from './paths.ts';
import { RateLimit } from './rate.ts';
import { RelayService } from './relay-service.ts';
import type { ShardTopic } from './shards.ts';

/** Address of a DHT node. */
export type Bootstrap = DhtAddress;

export interface DiscoveryOptions {
  topics: readonly ShardTopic[];
  keyPair: KeyPair;
  /** Undefined: the public Holepunch DHT. */
  bootstrap: readonly Bootstrap[] | undefined;
  /** Address to bind; undefined: all. */
  host: string | undefined;
  limits: SwarmLimits;
  /** False refuses the connection (banned, quota); the peer is then not dialled again by this process. */
  accepts: (peer: PeerId, address: string | null) => boolean;
  /** `address` is null when unknown, and no internet address where the packets go through a relay. */
  onConnection: (connection: NoiseStream, address: string | null) => void;
  /** A wanted connection for which there is no place. Whoever is told ends it. */
  onNoPlace: (connection: NoiseStream, address: string | null) => void;
  /** Find members on the local network by mDNS. Never on loopback, nor in a process confined to it. */
  lanDiscovery: boolean;
  /** What LAN discovery hides behind, known to members only. */
  swarmTopic: Buffer;
  /** Carry packets between others that cannot reach each other, once this node turns out to be openly reachable. */
  carriesForOthers: boolean;
  reach: Reach;
  elapsed: () => number;
  random: () => number;
  /** True while a peer is connected and ready: then the watchdog has nothing to do. */
  isConnected: () => boolean;
  log: (level: 'debug' | 'info' | 'warn', message: string) => void;
}

export interface Outside {
  nat: NatKind;
  publicAddress: string | null;
  lanDiscovery: boolean;
  relaying: { sessions: number; bytes: number };
}

const DIAL_MS = 20_000;
/** For how long a peer that was rotated out is not dialled. */
const REST_MS = 5 * 60_000;
/** A peer that says it is full causes a lookup, which is a hundred packets; many that say so cause no more. */
const LOOKUPS_AFTER_REST = { perSecond: 1 / 30, burst: 2 };

/** Topic of a swarm; with a secret it cannot be computed from the name. */
export function swarmTopic(name: string, secretKey: Buffer | null): Buffer {
  return secretKey === null ? hash('topic', name) : mac('topic', secretKey, name);
}

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #swarm: Hyperswarm;
  readonly #dht: DhtNode;
  readonly #mayLan: boolean;
  #lan: Lan | null = null;
  readonly #offered = new OfferedRelays();
  #relay: RelayService | null = null;
  #relayIsOpen = false;
  readonly #sessions: { refresh(): Promise<boolean> }[] = [];
  /** Not dialled for a while. Bounded by how often a connection ends so. */
  readonly #resting = new Set<PeerId>();
  /** Of those, the ones that may not come by themselves either. */
  readonly #givenUp = new Set<PeerId>();
  readonly #lookupsAfterRest: RateLimit;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #infos = new Map<PeerId, PeerInfo>();
  readonly #connections = new Map<PeerId, NoiseStream>();
  /** Connections that others opened, refused ones included until they are gone: Hyperswarm counts those too. */
  #incoming = 0;
  /** Suspending, resuming and healing never overlap. */
  #queue: Promise<void> = Promise.resolve();
  #suspended = false;
  #closing: Promise<void> | null = null;
  #watchdogRuns = 0;

  constructor(options: DiscoveryOptions) {
    const { bootstrap, host, keyPair, limits } = options;
    if (isConfined()) assertLocalBootstrap(bootstrap);
    this.#options = options;
    this.#lookupsAfterRest = new RateLimit(LOOKUPS_AFTER_REST.perSecond, LOOKUPS_AFTER_REST.burst, options.elapsed());
    const onLoopback = host !== undefined && isLoopback(host);
    this.#mayLan = options.lanDiscovery && !onLoopback && !isConfined();
    const node = {
      ...(bootstrap === undefined ? {} : { bootstrap: [...bootstrap] }),
      ...(host === undefined ? {} : { host }),
    };
    this.#dht = new DhtNode(node, options.reach, options.elapsed);
    const relayThrough = (force: boolean | undefined) => this.#relayFor(force === true);
    const firewall = (peer: Buffer, payload: unknown) => payload === null && this.#resting.has(toHex(peer));
    this.#swarm = new Hyperswarm({ keyPair, dht: this.#dht, maxPeers: limits.maxPeers, relayThrough, firewall });
    // Whom the firewall refuses is banned for ever: a rest is shorter.
    this.#swarm.on('ban', (info) => info.ban(false));
    this.#swarm.on('connection', (connection, info) => this.#onConnection(connection, info));
  }

  /** Joins the topics; returns at once, with or without a network. */
  start(): void {
    for (const { topic, announce } of this.#options.topics)
      this.#sessions.push(this.#swarm.join(topic, { server: announce, client: true }));
    for (const delayMs of this.#options.limits.refreshAtMs) this.#later(delayMs, () => this.refresh());
    this.#armWatchdog();
    void this.#openLan();
    if (this.#options.carriesForOthers)
      void this.#dht.fullyBootstrapped().then(
        () => this.#offerRelay(),
        () => undefined,
      );
  }

  /** False when no DHT node answers: no network, or the bootstrap is gone. */
  get hasNetwork(): boolean {
    return !this.#suspended && this.#swarm.dht.online && this.#swarm.dht.nodes.length > 0;
  }

  /** How this node looks from outside, and what it does for others. */
  get outside(): Outside {
    const dht = this.#dht;
    const seen = { firewalled: dht.firewalled, host: dht.host, port: dht.port };
    return {
      nat: natKind(seen),
      publicAddress: publicAddress(seen),
      lanDiscovery: this.#lan !== null,
      relaying: this.#relay?.carried ?? { sessions: 0, bytes: 0 },
    };
  }

  /** Where this node carries packets of others; null where it does not. */
  get relayKey(): Buffer | null {
    return this.#relayIsOpen ? (this.#relay?.publicKey ?? null) : null;
  }

  /** A neighbour carries packets of others under this key; null: no longer. */
  noteRelay(peer: PeerId, relayKey: Buffer | null): void {
    this.#offered.set(peer, relayKey);
  }

  /** How packets get to a connected peer. */
  pathOf(peer: PeerId): PeerPath {
    const connection = this.#connections.get(peer);
    if (connection !== undefined && this.#isRelayed(peer, connection)) return 'relayed';
    return isLanAddress(connection?.rawStream.remoteHost ?? '') ? 'lan' : 'direct';
  }

  /** Looks the topics up again, and announces again. */
  refresh(): void {
    if (this.#suspended || this.#closing !== null) return;
    this.#swarm.server.refresh();
    for (const session of this.#sessions)
      session.refresh().catch((error: unknown) => this.#options.log('debug', `topic refresh: ${describeError(error)}`));
  }

  /** Dials a peer by its key, and forgets it again when that does not work. */
  dial(peer: Buffer): void {
    if (this.#suspended || this.#closing !== null) return;
    this.#swarm.joinPeer(peer);
    this.#later(DIAL_MS, () => this.#swarm.leavePeer(peer));
  }

  /** The connection to this peer was given up for another one: it is not dialled for a while, and others are looked for. */
  rest(peer: PeerId): void {
    const info = this.#infos.get(peer);
    if (!this.#resting.has(peer)) {
      info?.reconnect(false);
      this.#resting.add(peer);
      this.#later(REST_MS, () => {
        this.#resting.delete(peer);
        this.#givenUp.delete(peer);
        info?.reconnect(true);
        this.#swarm.leavePeer(Buffer.from(peer, 'hex')); // which forgets it
      });
    }
    if (this.#lookupsAfterRest.take(1, this.#options.elapsed())) this.refresh();
  }

  /** As `rest`; and it is not let in either. */
  giveUp(peer: PeerId): void {
    this.#givenUp.add(peer);
    this.rest(peer);
  }

  suspend(): Promise<void> {
    this.#suspended = true;
    this.#closeLan();
    return this.#enqueue('suspend', () => this.#swarm.suspend());
  }

  resume(): Promise<void> {
    this.#suspended = false;
    return this.#enqueue('resume', async () => {
      await this.#swarm.resume();
      await this.#openLan();
    });
  }

  /** Leaves politely within the deadline, or without a word after it. Idempotent, never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#closeLan();
    void this.#relay?.close();
    const { closeDeadlineMs } = this.#options.limits;
    const left = await within(
      closeDeadlineMs,
      this.#quietly('leave', () => this.#swarm.destroy()),
    );
    if (left) return;
    this.#options.log('debug', `did not leave the swarm within ${String(closeDeadlineMs)} ms; leaving without a word`);
    await within(
      closeDeadlineMs,
      this.#quietly('force', () => this.#swarm.destroy({ force: true })),
    );
  }

  #isRelayed(peer: PeerId, connection: NoiseStream): boolean {
    const relayKey = this.#dht.relayOf(connection);
    return relayKey !== null && !this.#offered.isOf(peer, relayKey);
  }

  /** A relay where a hole cannot be punched, or has failed to be. */
  #relayFor(force: boolean): Buffer | null {
    const isNeeded = force || this.#dht.randomized || this.#options.reach === 'closed';
    return isNeeded ? this.#offered.pick(this.#options.random) : null;
  }

  async #offerRelay(): Promise<void> {
    if (this.#closing !== null || this.#relay !== null || this.outside.nat !== 'open') return;
    const { limits, elapsed, log } = this.#options;
    const relay = new RelayService({ dht: this.#dht, limits, elapsed, log: (message) => log('debug', message) });
    this.#relay = relay;
    try {
      await relay.open();
      this.#relayIsOpen = true;
    } catch (error) {
      log('debug', `relay: ${describeError(error)}`);
      this.#relay = null;
      await relay.close();
    }
  }

  async #openLan(): Promise<void> {
    if (!this.#mayLan) return;
    await this.#quietly('bind', () => this.#dht.bind());
    const port = this.#dht.localAddress()?.port;
    if (port === undefined || this.#suspended || this.#closing !== null || this.#lan !== null) return;
    const { swarmTopic, keyPair, elapsed, random, log } = this.#options;
    this.#lan = new Lan({
      topic: swarmTopic,
      publicKey: keyPair.publicKey,
      port,
      elapsed,
      random,
      onPeer: (peer) => this.#onLanPeer(peer),
      log: (message) => log('debug', message),
    });
  }

  #closeLan(): void {
    this.#lan?.close();
    this.#lan = null;
  }

  /** Dialled like any other, within the same caps and bans. */
  #onLanPeer({ publicKey, host, port }: LanPeer): void {
    const peer = toHex(publicKey);
    const isFull = this.#connections.size >= this.#swarm.maxPeers;
    if (isFull || this.#connections.has(peer) || this.#resting.has(peer) || !this.#options.accepts(peer, host)) return;
    this.#dht.noteLanAddress(publicKey, { host, port });
    this.dial(publicKey);
  }

  #onConnection(connection: NoiseStream, info: PeerInfo): void {
    connection.on('error', () => undefined); // the close that follows is what counts
    const { accepts, onConnection, onNoPlace, log } = this.#options;
    if (!connection.isInitiator) this.#countIncoming(connection);
    const peer = toHex(connection.remotePublicKey);
    const { remoteHost } = connection.rawStream;
    // The relay's address says nothing of the peer: what the peer does must not be held against it.
    const address = this.#isRelayed(peer, connection) ? relayedAddress(String(remoteHost)) : remoteHost;
    if (this.#closing !== null || this.#givenUp.has(peer) || !accepts(peer, address)) {
      info.reconnect(false);
      connection.destroy();
      return;
    }
    if (!this.#hasPlaceFor(connection)) {
      info.reconnect(false);
      log('debug', `no place for ${peer.slice(0, 8)}`);
      onNoPlace(connection, address);
      return;
    }
    this.#infos.set(peer, info);
    this.#connections.set(peer, connection);
    connection.on('close', () => {
      if (this.#infos.get(peer) === info) this.#infos.delete(peer);
      if (this.#connections.get(peer) === connection) this.#connections.delete(peer);
    });
    try {
      onConnection(connection, address);
    } catch (error) {
      log('warn', `connection handler: ${describeError(error)}`);
      connection.destroy();
    }
  }

  /**
   * Hyperswarm dials while it has fewer connections than `maxPeers`, incoming ones counted: those of strangers would end the
   * search. With as many more as are kept for dialled ones, it dials while it has fewer than `maxPeers` or dialled too few.
   */
  #countIncoming(connection: NoiseStream): void {
    const { limits } = this.#options;
    const count = (change: number) => {
      this.#incoming += change;
      this.#swarm.maxPeers = Math.max(limits.maxPeers, this.#incoming + placesKept(limits));
    };
    count(1);
    connection.prependListener('close', () => count(-1)); // before Hyperswarm, which dials the next one then
  }

  #hasPlaceFor({ isInitiator, remotePublicKey }: NoiseStream): boolean {
    const { limits } = this.#options;
    const others = [...this.#connections].filter(([peer]) => peer !== toHex(remotePublicKey));
    if (others.length >= limits.maxConnections) return false;
    const incoming = others.filter(([, connection]) => !connection.isInitiator);
    return isInitiator || incoming.length < limits.maxConnections - placesKept(limits);
  }

  /** Jittered: two nodes that lost each other when both dialled would go on to dial at the same moment. */
  #armWatchdog(): void {
    const jitter = 0.8 + 0.4 * this.#options.random();
    this.#later(this.#options.limits.watchdogMs * jitter, () => {
      this.#watch();
      this.#armWatchdog();
    });
  }

  /** Without a peer: another lookup; without a DHT as well: start the network part afresh, which is what heals it. */
  #watch(): void {
    if (this.#options.carriesForOthers && !this.#suspended) void this.#offerRelay();
    if (this.#suspended || this.#options.isConnected()) {
      this.#watchdogRuns = 0;
      return;
    }
    this.#watchdogRuns++;
    const turn = this.#watchdogRuns;
    if (this.hasNetwork && turn % 4 !== 0) {
      this.refresh();
      return;
    }
    this.#options.log(
      'debug',
      `no peer and ${this.hasNetwork ? 'a' : 'no'} network: restarting discovery (${String(turn)})`,
    );
    void this.#enqueue('heal', async () => {
      await this.#swarm.suspend();
      await this.#swarm.resume();
      if (this.#lan !== null && this.#lan.port !== this.#dht.localAddress()?.port) this.#closeLan();
      await this.#openLan();
    });
  }

  #enqueue(what: string, act: () => Promise<void>): Promise<void> {
    const next = this.#queue.then(async () => {
      if (this.#closing === null) await this.#quietly(what, act);
    });
    this.#queue = next;
    return next;
  }

  async #quietly(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#options.log('debug', `${what}: ${describeError(error)}`);
    }
  }

  #later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }
}

/** True when it settled in time. */
async function within(deadlineMs: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), deadlineMs);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
