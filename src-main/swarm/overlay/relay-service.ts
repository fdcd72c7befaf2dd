/**
 * Carries packets between two nodes that cannot reach each other, for whoever holds this service's key: the server side of
 * blind-relay, spoken by hand so that everything is bounded. Two connections that name the same token get a raw stream each,
 * tied to the other's. What goes through is encrypted between the two and cannot be read here. Knows nothing of the swarm.
 */
import encodings from 'compact-encoding';
import type HyperDHT from 'hyperdht';
import type { DhtServer, NoiseStream, RawStream } from 'hyperdht';
import type { MuxMessage } from 'protomux';
import { randomBytes, keyPairFromSeed, toHex } from '../identity/crypto.ts';
import type { KeyPair } from '../identity/crypto.ts';
import type { SwarmLimits } from '../limits.ts';
import { isLoopback } from './confinement.ts';
import { gateRelayTalk, readPair, writePair } from './relay-gate.ts';
import type { PairMessage } from './relay-gate.ts';
import { RateLimit } from './rate.ts';

export type RelayLimits = Pick<
  SwarmLimits,
  'relayPairs' | 'relayPairBytes' | 'relayBytesPerHour' | 'relayPairingMs' | 'maxConnectionsPerAddress'
>;

export interface RelayServiceOptions {
  dht: HyperDHT;
  limits: RelayLimits;
  elapsed: () => number;
  log: (message: string) => void;
}

/** A connection, and where it stands: nothing asked yet, waiting for its other half, or paired. */
interface Guest {
  connection: NoiseStream;
  answer: MuxMessage;
  timer: NodeJS.Timeout;
  token: string | null;
}
interface Half {
  guest: Guest;
  asked: PairMessage;
}
interface Pair {
  guests: [Guest, Guest];
  streams: [RawStream, RawStream];
  /** Bytes counted so far, and when there were more than before. */
  counted: number;
  movedAtMs: number;
}

const COUNT_MS = 500;

export class RelayService {
  readonly #options: RelayServiceOptions;
  readonly #keyPair: KeyPair = keyPairFromSeed(randomBytes(32));
  readonly #server: DhtServer;
  readonly #guests = new Set<Guest>();
  readonly #waiting = new Map<string, Half>();
  readonly #pairs = new Set<Pair>();
  readonly #hourly: RateLimit;
  readonly #counting: NodeJS.Timeout;
  #bytes = 0;
  #closed = false;

  constructor(options: RelayServiceOptions) {
    this.#options = options;
    const { dht, limits, elapsed } = options;
    this.#hourly = new RateLimit(limits.relayBytesPerHour / 3_600, limits.relayBytesPerHour, elapsed());
    this.#server = dht.createServer({ firewall: () => !this.#hasRoom(), shareLocalAddress: false }, (connection) =>
      this.#onConnection(connection),
    );
    this.#counting = setInterval(() => this.#count(), COUNT_MS);
  }

  /** Resolves once others can find it; rejects where there is no network. */
  async open(): Promise<void> {
    await this.#server.listen(this.#keyPair);
  }

  /** What others need to know to be carried. */
  get publicKey(): Buffer {
    return this.#keyPair.publicKey;
  }

  /** Pairs now, bytes since the start. */
  get carried(): { sessions: number; bytes: number } {
    return { sessions: this.#pairs.size, bytes: this.#bytes };
  }

  /** Idempotent; never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#counting);
    for (const guest of this.#guests) guest.connection.destroy();
    await this.#server.close().catch(() => undefined);
  }

  #hasRoom(): boolean {
    const { limits, elapsed } = this.#options;
    return !this.#closed && this.#guests.size < limits.relayPairs * 2 && this.#hourly.available(elapsed()) > 0;
  }

  /** Keys are free; one address must not take all places. */
  #isCrowd({ rawStream: { remoteHost } }: NoiseStream): boolean {
    if (remoteHost === null || isLoopback(remoteHost)) return false;
    const same = [...this.#guests].filter((guest) => guest.connection.rawStream.remoteHost === remoteHost);
    return same.length >= this.#options.limits.maxConnectionsPerAddress;
  }

  #onConnection(connection: NoiseStream): void {
    connection.on('error', () => undefined); // the close that follows is what counts
    if (!this.#hasRoom() || this.#isCrowd(connection)) {
      connection.destroy();
      return;
    }
    let guest: Guest | null = null;
    const channel = gateRelayTalk(connection).createChannel({
      protocol: 'blind-relay',
      id: connection.remotePublicKey,
      onopen: () => undefined,
      onclose: () => connection.destroy(),
      ondrain: () => undefined,
    });
    const onPair = (payload: Buffer) => {
      const asked = readPair(payload);
      if (guest !== null && asked !== null) this.#onPair(guest, asked);
    };
    const raw = { encoding: encodings.raw, autoBatch: false };
    const answer = channel?.addMessage({ ...raw, onmessage: onPair });
    channel?.addMessage({ ...raw, onmessage: () => connection.destroy() }); // unpair: it has no further use
    if (channel === null || answer === undefined) {
      connection.destroy();
      return;
    }
    const timer = setTimeout(() => connection.destroy(), this.#options.limits.relayPairingMs);
    const made: Guest = { connection, answer, timer, token: null };
    guest = made;
    this.#guests.add(made);
    connection.on('close', () => this.#onGone(made));
    channel.open();
  }

  #onPair(guest: Guest, asked: PairMessage): void {
    if (guest.token !== null) return;
    const token = toHex(asked.token);
    guest.token = token;
    const other = this.#waiting.get(token);
    if (other === undefined) {
      this.#waiting.set(token, { guest, asked });
      return;
    }
    if (other.asked.isInitiator === asked.isInitiator) {
      guest.connection.destroy(); // the same half twice
      return;
    }
    this.#waiting.delete(token);
    this.#join(other, { guest, asked });
  }

  #join(a: Half, b: Half): void {
    const streams: [RawStream, RawStream] = [this.#streamTo(a), this.#streamTo(b)];
    const movedAtMs = this.#options.elapsed();
    const pair: Pair = { guests: [a.guest, b.guest], streams, counted: 0, movedAtMs };
    this.#pairs.add(pair);
    streams[0].relayTo(streams[1]);
    streams[1].relayTo(streams[0]);
    for (const [i, { guest, asked }] of [a, b].entries()) {
      clearTimeout(guest.timer);
      streams[i]!.on('error', () => undefined);
      streams[i]!.on('close', () => this.#end(pair));
      guest.answer.send(writePair({ ...asked, streamId: streams[i]!.id }));
    }
  }

  /** Goes to wherever the first packet for it comes from. */
  #streamTo({ asked }: Half): RawStream {
    const stream: RawStream = this.#options.dht.createRawStream({
      framed: true,
      firewall: (socket, port, host) => {
        stream.connect(socket, asked.streamId, port, host);
        return false;
      },
    });
    return stream;
  }

  #end(pair: Pair): void {
    if (!this.#pairs.has(pair)) return;
    this.#countPair(pair);
    this.#pairs.delete(pair);
    for (const stream of pair.streams) stream.destroy();
    for (const { connection } of pair.guests) connection.destroy();
  }

  #onGone(guest: Guest): void {
    clearTimeout(guest.timer);
    this.#guests.delete(guest);
    if (guest.token !== null && this.#waiting.get(guest.token)?.guest === guest) this.#waiting.delete(guest.token);
    for (const pair of this.#pairs) if (pair.guests.includes(guest)) this.#end(pair);
  }

  #count(): void {
    const { limits, elapsed, log } = this.#options;
    for (const pair of this.#pairs) {
      this.#countPair(pair);
      // Two ends that have found each other keep their connection alive, which takes a few bytes.
      if (elapsed() - pair.movedAtMs > limits.relayPairingMs) {
        this.#end(pair);
        continue;
      }
      const isSpent = this.#hourly.available(elapsed()) <= 0;
      if (pair.counted <= limits.relayPairBytes && !isSpent) continue;
      log(`carried ${String(pair.counted)} bytes between two others, which is the bound; they find another way`);
      this.#end(pair);
    }
  }

  #countPair(pair: Pair): void {
    const total = pair.streams[0].bytesReceived + pair.streams[1].bytesReceived;
    const fresh = Math.max(0, total - pair.counted);
    pair.counted = total;
    if (fresh > 0) pair.movedAtMs = this.#options.elapsed();
    this.#bytes += fresh;
    this.#hourly.spend(fresh, this.#options.elapsed());
  }
}
