/**
 * The DHT node of a swarm: HyperDHT with three differences. Peers of the local network are dialled at the address they were
 * heard from. Connections to relays, which a stranger may name, are few and gated. And it can be told how reachable to be,
 * for tests on one machine, where nothing is really out of reach.
 */
import HyperDHT from 'hyperdht';
import type { ConnectOptions, DhtAddress, DhtOptions, DhtServer, NoiseStream, ServerOptions } from 'hyperdht';
import { equalBytes, toHex } from '../identity/crypto.ts';
import { RecentMap } from '../recent.ts';
import { RateLimit } from './rate.ts';
import { gateRelayTalk } from './relay-gate.ts';

/** `open`: as if reachable by anybody. `closed`: as if behind a translator through which no hole can be punched. */
export type Reach = 'unknown' | 'open' | 'closed';

/** `quickFirewall` asks others right at the start whether they get through, which on one machine they always do. */
const REACHED_BY: Record<Reach, Pick<DhtOptions, 'firewalled' | 'quickFirewall'>> = {
  unknown: {},
  open: { firewalled: false },
  closed: { quickFirewall: false },
};
/** Home routers forget where UDP goes after 30 s and more (RFC 4787 asks for two minutes); HyperDHT's own 5 s are for less patient ones. */
const KEEP_ALIVE_MS = 12_000;
const MAX_LAN_PEERS = 64;
/** Connections to relays at a time, and how fast strangers can cause new ones. */
const MAX_LEGS = 16;
const LEGS = { perSecond: 0.5, burst: 16 };

export class DhtNode extends HyperDHT {
  readonly #lan = new RecentMap<DhtAddress>(MAX_LAN_PEERS);
  /** Connections to relays, with the address of each that stands. */
  readonly #legs = new Map<NoiseStream, { host: string | null; port: number | null } | null>();
  readonly #newLegs: RateLimit;
  readonly #reach: Reach;
  readonly #elapsed: () => number;

  constructor(options: DhtOptions, reach: Reach, elapsed: () => number) {
    super({ connectionKeepAlive: KEEP_ALIVE_MS, ...options, ...REACHED_BY[reach] });
    this.#reach = reach;
    this.#elapsed = elapsed;
    this.#newLegs = new RateLimit(LEGS.perSecond, LEGS.burst, elapsed());
  }

  /** From now on this peer is asked at this address first. */
  noteLanAddress(publicKey: Buffer, address: DhtAddress): void {
    this.#lan.set(toHex(publicKey), address);
  }

  /** The relay that the packets of this connection go through now; null when they go straight. */
  relayOf({ rawStream }: NoiseStream): Buffer | null {
    for (const [leg, at] of this.#legs)
      if (at !== null && at.host === rawStream.remoteHost && at.port === rawStream.remotePort)
        return leg.remotePublicKey;
    return null;
  }

  override connect(publicKey: Buffer, options: ConnectOptions = {}): NoiseStream {
    // Only the node's own connections have its key; HyperDHT dials relays without one.
    if (options.keyPair === undefined) return this.#leg(super.connect(publicKey, options));
    const straight =
      this.#reach === 'closed' ? { localConnection: false, fastOpen: false, holepunch: () => false } : {};
    const near = this.#lan.get(toHex(publicKey));
    const relayAddresses = [...(near === undefined ? [] : [near]), ...(options.relayAddresses ?? [])];
    return super.connect(publicKey, {
      ...options,
      ...straight,
      ...(relayAddresses.length > 0 ? { relayAddresses } : {}),
    });
  }

  override createServer(options: ServerOptions, onConnection: (connection: NoiseStream) => void): DhtServer {
    const closed = this.#reach === 'closed' ? ({ holepunch: false, shareLocalAddress: false } as const) : {};
    return super.createServer({ ...options, ...closed }, onConnection);
  }

  #leg(leg: NoiseStream): NoiseStream {
    leg.on('error', () => undefined);
    gateRelayTalk(leg);
    const isTooMany = this.#legs.size >= MAX_LEGS || !this.#newLegs.take(1, this.#elapsed());
    this.#legs.set(leg, null);
    leg.on('open', () => this.#legs.set(leg, { host: leg.rawStream.remoteHost, port: leg.rawStream.remotePort }));
    leg.on('close', () => this.#legs.delete(leg));
    // Not at once: HyperDHT goes on to set it up.
    if (isTooMany) setImmediate(() => leg.destroy());
    return leg;
  }
}

/** Relays that neighbours offer, by neighbour. */
export class OfferedRelays {
  readonly #keys = new Map<string, Buffer>();

  set(peer: string, relayKey: Buffer | null): void {
    if (relayKey === null) this.#keys.delete(peer);
    else this.#keys.set(peer, relayKey);
  }

  /** One at random; null where nobody offers. `random` is uniform in [0, 1). */
  pick(random: () => number): Buffer | null {
    return [...this.#keys.values()][Math.floor(random() * this.#keys.size)] ?? null;
  }

  /** Whether this relay is that very peer's own. */
  isOf(peer: string, relayKey: Buffer): boolean {
    const own = this.#keys.get(peer);
    return own !== undefined && equalBytes(own, relayKey);
  }
}
