/**
 * The node's own bandwidth cap, one for each direction, over all connections. Sending is asked first (`sendable`), receiving
 * is bounded by asking for no more than fits (`reserve` with the pull, `release` with its answer). What arrives unasked goes into
 * debt and delays the next pull, so the average holds. Counts what the wire carries: payload, cipher, packet headers.
 * Knows nothing of messages.
 */
import { WIRE } from '../limits.ts';
import { RateLimit } from './rate.ts';

/** A packet carries so much, and costs so much around it (UDX, UDP, IP). */
const PACKET_PAYLOAD_BYTES = 1_160;
const PACKET_HEADER_BYTES = 48;
/** Length and cipher of a Noise frame. */
const FRAME_BYTES = 20;

/** Estimate of what a frame takes on the wire, its share of acknowledgements left out. */
export function wireBytes(frameBytes: number): number {
  const bytes = frameBytes + FRAME_BYTES;
  return bytes + Math.ceil(bytes / PACKET_PAYLOAD_BYTES) * PACKET_HEADER_BYTES;
}

/** Acknowledgements of a frame, in the other direction. */
function ackBytes(frameBytes: number): number {
  return Math.ceil((frameBytes + FRAME_BYTES) / PACKET_PAYLOAD_BYTES / 2) * PACKET_HEADER_BYTES;
}

export interface BandwidthCap {
  /** Bytes a second; 0 is no cap. */
  maxBytesPerSecondIn: number;
  maxBytesPerSecondOut: number;
}

/** Smallest burst that lets an answer with one record of any size through. */
const MIN_BURST_BYTES = 3 * WIRE.maxBodyBytes;

export class Bandwidth {
  readonly #in: RateLimit | null;
  readonly #out: RateLimit | null;
  readonly #elapsed: () => number;

  constructor(cap: BandwidthCap, elapsed: () => number) {
    this.#elapsed = elapsed;
    this.#in = bucket(cap.maxBytesPerSecondIn, elapsed());
    this.#out = bucket(cap.maxBytesPerSecondOut, elapsed());
  }

  /** Payload bytes that may be sent now; infinite without a cap. */
  get sendable(): number {
    return payloadOf(this.#out?.available(this.#elapsed()) ?? Number.POSITIVE_INFINITY);
  }

  /** Payload bytes that may be asked for now. */
  get receivable(): number {
    return payloadOf(this.#in?.available(this.#elapsed()) ?? Number.POSITIVE_INFINITY);
  }

  /** How long until an answer of one record of any size may be sent. */
  get sendWaitMs(): number {
    return this.#out?.waitMs(wireBytes(WIRE.maxBodyBytes * 2), this.#elapsed()) ?? 1;
  }

  sent(frameBytes: number): void {
    this.#out?.spend(wireBytes(frameBytes), this.#elapsed());
    this.#in?.spend(ackBytes(frameBytes), this.#elapsed());
  }

  received(frameBytes: number): void {
    this.#in?.spend(wireBytes(frameBytes), this.#elapsed());
    this.#out?.spend(ackBytes(frameBytes), this.#elapsed());
  }

  /** Keeps room for an answer of so many bytes. */
  reserve(bytes: number): void {
    this.#in?.spend(wireBytes(bytes), this.#elapsed());
  }

  release(bytes: number): void {
    this.#in?.spend(-wireBytes(bytes), this.#elapsed());
  }
}

/** Starts empty: a restart is no way around the cap. */
function bucket(bytesPerSecond: number, nowMs: number): RateLimit | null {
  if (bytesPerSecond <= 0) return null;
  const burst = Math.max(bytesPerSecond, MIN_BURST_BYTES);
  const rate = new RateLimit(bytesPerSecond, burst, nowMs);
  rate.spend(burst, nowMs);
  return rate;
}

function payloadOf(bytes: number): number {
  return bytes === Number.POSITIVE_INFINITY
    ? bytes
    : Math.max(0, Math.floor((bytes * PACKET_PAYLOAD_BYTES) / (PACKET_PAYLOAD_BYTES + PACKET_HEADER_BYTES)) - 100);
}
