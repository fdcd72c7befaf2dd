/**
 * Finds peers and keeps finding them: one Hyperswarm over its own DHT node, joined to the swarm's topics, with bounded
 * connections, early refreshes, and a watchdog that heals a node which started, or was left, without a network.
 * Knows nothing of the protocol: it hands connections on. Never throws for want of a network.
 */
import HyperDHT from 'hyperdht';
import type { DhtAddress, NoiseStream } from 'hyperdht';
import Hyperswarm from 'hyperswarm';
import type { PeerInfo } from 'hyperswarm';
import { describeError, WaggleError } from '../../base/errors.ts';
import type { PeerId } from '../../types.ts';
import { hash, mac, toHex } from '../identity/crypto.ts';
import type { KeyPair } from '../identity/crypto.ts';
import type { SwarmLimits } from '../limits.ts';
import { natKind, publicAddress } from './paths.ts';
import type { NatKind, PeerPath } from './paths.ts';
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
  onConnection: (connection: NoiseStream) => void;
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

/** Environment variable that confines every swarm of the process to loopback; tests set it. */
export const LOCAL_ONLY_VARIABLE = 'WAGGLE_LOCAL_NETWORK_ONLY';

/** Topic of a swarm; with a secret it cannot be computed from the name. */
export function swarmTopic(name: string, secretKey: Buffer | null): Buffer {
  const bytes = Buffer.from(name, 'utf8');
  return secretKey === null ? hash('topic', bytes) : mac('topic', secretKey, bytes);
}

/**
 * Throws `publicNetworkInTest` unless bootstrap addresses are given and all are loopback (none at all, `[]`, is an isolated
 * node, and fine). Called by tests on what they pass, and by
 * `openDiscovery` itself under the test runner or with `WAGGLE_LOCAL_NETWORK_ONLY=1`.
 */
export function assertLocalBootstrap(bootstrap: readonly Bootstrap[] | undefined): void {
  const local = bootstrap !== undefined && bootstrap.every((node) => isLoopback(node.host));
  if (local) return;
  throw new WaggleError({
    code: 'publicNetworkInTest',
    message: 'A swarm confined to loopback was opened without loopback bootstrap addresses.',
    fix: 'Pass the bootstrap addresses of a DHT on 127.0.0.1 (createTestnet of hyperdht/testnet).',
  });
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address === 'localhost' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}

function isConfined(): boolean {
  return process.env['NODE_TEST_CONTEXT'] !== undefined || process.env[LOCAL_ONLY_VARIABLE] === '1';
}

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #swarm: Hyperswarm;
  readonly #sessions: { refresh(): Promise<boolean> }[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #infos = new Map<PeerId, PeerInfo>();
  /** Suspending, resuming and healing never overlap. */
  #queue: Promise<void> = Promise.resolve();
  #suspended = false;
  #closing: Promise<void> | null = null;
  #watchdogRuns = 0;

  constructor(options: DiscoveryOptions) {
    const { bootstrap, host, keyPair, limits } = options;
    if (isConfined()) assertLocalBootstrap(bootstrap);
    this.#options = options;
    const dht = new HyperDHT({
      ...(bootstrap === undefined ? {} : { bootstrap: [...bootstrap] }),
      ...(host === undefined ? {} : { host }),
    });
    this.#swarm = new Hyperswarm({ keyPair, dht, maxPeers: limits.maxPeers });
    this.#swarm.on('connection', (connection, info) => this.#onConnection(connection, info));
  }

  /** Joins the topics; returns at once, with or without a network. */
  start(): void {
    for (const { topic, announce } of this.#options.topics)
      this.#sessions.push(this.#swarm.join(topic, { server: announce, client: true }));
    for (const delayMs of this.#options.limits.refreshAtMs) this.#later(delayMs, () => this.refresh());
    this.#armWatchdog();
  }

  /** False when no DHT node answers: no network, or the bootstrap is gone. */
  get hasNetwork(): boolean {
    return !this.#suspended && this.#swarm.dht.online && this.#swarm.dht.nodes.length > 0;
  }

  /** How this node looks from outside, and what it does for others. */
  get outside(): Outside {
    const { dht } = this.#swarm;
    const seen = { firewalled: dht.firewalled, host: dht.host, port: dht.port };
    return {
      nat: natKind(seen),
      publicAddress: publicAddress(seen),
      lanDiscovery: false,
      relaying: { sessions: 0, bytes: 0 },
    };
  }

  /** How packets get to a connected peer. */
  pathOf(_peer: PeerId): PeerPath {
    return 'direct';
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
    info?.reconnect(false);
    if (info !== undefined) this.#later(REST_MS, () => info.reconnect(true));
    this.refresh();
  }

  suspend(): Promise<void> {
    this.#suspended = true;
    return this.#enqueue('suspend', () => this.#swarm.suspend());
  }

  resume(): Promise<void> {
    this.#suspended = false;
    return this.#enqueue('resume', () => this.#swarm.resume());
  }

  /** Leaves politely within the deadline, or without a word after it. Idempotent, never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
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

  #onConnection(connection: NoiseStream, info: PeerInfo): void {
    connection.on('error', () => undefined); // the close that follows is what counts
    const { limits, accepts, onConnection, log } = this.#options;
    const full = this.#swarm.connections.size > limits.maxConnections;
    const refused = this.#closing !== null || full;
    if (refused || !accepts(toHex(connection.remotePublicKey), connection.rawStream.remoteHost)) {
      info.reconnect(false);
      connection.destroy();
      return;
    }
    const peer = toHex(connection.remotePublicKey);
    this.#infos.set(peer, info);
    connection.on('close', () => {
      if (this.#infos.get(peer) === info) this.#infos.delete(peer);
    });
    try {
      onConnection(connection);
    } catch (error) {
      log('warn', `connection handler: ${describeError(error)}`);
      connection.destroy();
    }
  }

  #armWatchdog(): void {
    this.#later(this.#options.limits.watchdogMs, () => {
      this.#watch();
      this.#armWatchdog();
    });
  }

  /** Without a peer: another lookup; without a DHT as well: start the network part afresh, which is what heals it. */
  #watch(): void {
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
