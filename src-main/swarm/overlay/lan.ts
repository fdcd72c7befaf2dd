/**
 * Members of the same swarm on the same local network find each other by mDNS, with or without a DHT: each says its port and,
 * readable for members only, its key (`lan-records.ts`). Whom to dial, and whether, is up to the owner. What is heard is bounded
 * in rate (`lan-socket.ts`) and in number; nothing here can fail the node: without multicast there is no LAN discovery.
 */
import { Bonjour } from 'bonjour-service';
import type { Browser, Service } from 'bonjour-service';
import { describeError } from '../../base/errors.ts';
import { randomBytes, toHex } from '../identity/crypto.ts';
import { RecentMap } from '../recent.ts';
import { lanText, readLanRecord } from './lan-records.ts';
import type { LanPeer } from './lan-records.ts';
import { LanSocket } from './lan-socket.ts';

export interface LanOptions {
  topic: Buffer;
  publicKey: Buffer;
  /** Port that takes connections. */
  port: number;
  elapsed: () => number;
  random: () => number;
  /** A member was heard of; again every now and then while it is around. */
  onPeer: (peer: LanPeer) => void;
  log: (message: string) => void;
}

const SERVICE = { type: 'waggle', protocol: 'udp' } as const;
/** Of one listening; beyond it the listening starts afresh. */
const MAX_SERVICES = 256;
const MAX_PEERS = 64;
/** The listening starts afresh so often: everybody answers again, and who is gone is forgotten. */
const LISTEN_MS = 5 * 60_000;
const OFFER_AGAIN_MS = 10_000;
/** Of two that hear each other, the one with the smaller key dials at once, the other after this. */
const SECOND_DIAL_MS = 2_000;

export class Lan {
  readonly #options: LanOptions;
  readonly #name = toHex(randomBytes(8));
  readonly #socket: LanSocket;
  readonly #bonjour: Bonjour;
  readonly #peers = new RecentMap<LanPeer>(MAX_PEERS);
  readonly #timers = new Set<NodeJS.Timeout>();
  #browser: Browser | null = null;
  #closed = false;

  constructor(options: LanOptions) {
    this.#options = options;
    this.#socket = new LanSocket(options.elapsed, (error) => this.#trouble(error));
    // The types of the package name only what a service has; what is given here goes on to multicast-dns.
    const given: object = { socket: this.#socket, bind: false };
    this.#bonjour = new Bonjour(given, (error: unknown) => this.#trouble(error));
    this.#socket.once('listening', () => this.#start());
    this.#socket.open();
    this.#every(LISTEN_MS, () => this.#listen());
    this.#every(OFFER_AGAIN_MS, () => {
      for (const peer of this.#peers.values()) options.onPeer(peer);
    });
  }

  /** What others are told. */
  get port(): number {
    return this.#options.port;
  }

  /** Idempotent, at once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#browser?.stop();
    // Says goodbye where that can be said; the socket goes with it.
    this.#bonjour.unpublishAll(() => this.#bonjour.destroy());
  }

  #start(): void {
    if (this.#closed) return;
    const { topic, publicKey, port } = this.#options;
    const name = this.#name;
    const text = { ...lanText(topic, name, publicKey) };
    const host = `waggle-${name}.local`;
    this.#bonjour.publish({ ...SERVICE, name, host, port, txt: text, probe: false, disableIPv6: true });
    this.#listen();
  }

  /** Asks who is there, forgetting what was heard before. */
  #listen(): void {
    if (this.#closed) return;
    this.#browser?.stop();
    this.#browser?.removeAllListeners();
    const browser = this.#bonjour.find(SERVICE);
    browser.on('up', (service) => this.#onService(browser, service));
    browser.on('srv-update', (service) => this.#onService(browser, service));
    this.#browser = browser;
  }

  #onService(browser: Browser, service: Service): void {
    if (this.#closed || browser !== this.#browser) return;
    if (browser.services.length > MAX_SERVICES) setImmediate(() => this.#listen());
    const { topic, publicKey, onPeer } = this.#options;
    const said = {
      name: service.name,
      text: service.txt as unknown,
      host: service.referer?.address,
      port: service.port,
    };
    const read = readLanRecord(topic, publicKey, said);
    if (!read.ok) return;
    const { peer } = read;
    this.#peers.set(toHex(peer.publicKey), peer);
    const waitMs = Buffer.compare(publicKey, peer.publicKey) < 0 ? 0 : SECOND_DIAL_MS * (1 + this.#options.random());
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      onPeer(peer);
    }, waitMs);
    this.#timers.add(timer);
  }

  #trouble(error: unknown): void {
    if (!this.#closed) this.#options.log(`local network: ${describeError(error)}`);
  }

  #every(periodMs: number, act: () => void): void {
    this.#timers.add(setInterval(act, periodMs));
  }
}
