/**
 * The multicast socket, with bounds around it. What is built on top of it (multicast-dns, bonjour-service) answers every question
 * of every packet, keeps every name it hears and lets socket errors end the process. So: packets in and out are bounded in size
 * and rate, and errors are told to one function and go no further. Knows nothing of DNS.
 */
import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { RateLimit } from './rate.ts';

const MDNS_PORT = 5353;
const MAX_PACKET_BYTES = 1_500;
const PACKETS_IN = { perSecond: 20, burst: 100 };
const PACKETS_OUT = { perSecond: 5, burst: 30 };

export class LanSocket extends EventEmitter {
  readonly #socket: Socket = createSocket({ type: 'udp4', reuseAddr: true });
  readonly #in: RateLimit;
  readonly #out: RateLimit;
  readonly #elapsed: () => number;
  readonly #onError: (error: unknown) => void;
  #closed = false;

  constructor(elapsed: () => number, onError: (error: unknown) => void) {
    super();
    this.#elapsed = elapsed;
    this.#onError = onError;
    this.#in = new RateLimit(PACKETS_IN.perSecond, PACKETS_IN.burst, elapsed());
    this.#out = new RateLimit(PACKETS_OUT.perSecond, PACKETS_OUT.burst, elapsed());
    this.#socket.on('error', onError);
    this.#socket.on('message', (packet, from) => this.#onPacket(packet, from));
    this.#socket.on('listening', () => this.#guarded(() => this.emit('listening')));
  }

  /** Binds; `listening` follows, or the error function is called. */
  open(): void {
    this.#guarded(() => this.#socket.bind(MDNS_PORT));
  }

  /** As that of node:dgram, in the one form that multicast-dns uses. */
  send(
    packet: Buffer,
    offset: number,
    length: number,
    port: number,
    host: string,
    done: (error: Error | null) => void,
  ): void {
    if (this.#closed || !this.#out.take(1, this.#elapsed())) {
      setImmediate(done, null);
      return;
    }
    try {
      this.#socket.send(packet, offset, length, port, host, (error) => {
        if (error !== null) this.#onError(error);
        done(null);
      });
    } catch (error) {
      this.#onError(error);
      setImmediate(done, null);
    }
  }

  address(): { address: string; port: number } {
    return this.#socket.address();
  }

  addMembership(group: string, onInterface: string): void {
    this.#socket.addMembership(group, onInterface);
  }

  dropMembership(group: string, onInterface: string): void {
    this.#socket.dropMembership(group, onInterface);
  }

  setMulticastInterface(address: string): void {
    this.#socket.setMulticastInterface(address);
  }

  setMulticastLoopback(on: boolean): void {
    this.#socket.setMulticastLoopback(on);
  }

  setMulticastTTL(hops: number): void {
    this.#socket.setMulticastTTL(hops);
  }

  close(done?: () => void): void {
    if (!this.#closed) {
      this.#closed = true;
      this.#guarded(() => this.#socket.close());
    }
    if (done !== undefined) setImmediate(done);
  }

  #onPacket(packet: Buffer, from: RemoteInfo): void {
    if (packet.byteLength > MAX_PACKET_BYTES || !this.#in.take(1, this.#elapsed())) return;
    this.#guarded(() => this.emit('message', packet, from));
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#onError(error);
    }
  }
}
