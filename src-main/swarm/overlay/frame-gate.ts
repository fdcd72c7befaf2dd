/**
 * Stands between the encrypted connection and Protomux and lets only frames through that this protocol can produce.
 * Needed because Protomux 3.12 has no bounds of its own and some frames end the whole process: nested batches overflow its
 * stack, and it rethrows range and type errors outside any handler. So: frame size, no batches, one-byte ids, a handful of
 * control frames for the life of the connection, message and byte rates. Knows nothing of what messages mean.
 */
import { EventEmitter } from 'node:events';
import type { NoiseStream } from 'hyperdht';
import type { MuxStream } from 'protomux';
import type { Bandwidth } from './bandwidth.ts';
import { WIRE } from '../limits.ts';
import { boundPartialFrames } from './partial-frame.ts';
import type { PeerQuotas } from './quotas.ts';
import type { RejectionReason } from '../records/rejections.ts';

/** Protomux: session 0 is control; its kinds of frame. */
const CONTROL = { batch: 0, open: 1, reject: 2, close: 3 } as const;
const MAX_CONTROL_FRAMES = 8;
const MAX_CHANNEL_ID = 4;
const MAX_OPEN_BYTES = 128;

export interface GateOptions {
  quotas: Pick<PeerQuotas, 'messages' | 'bytes'>;
  /** Counts what goes over the wire. */
  bandwidth: Bandwidth;
  /** Monotonic ms. */
  elapsed: () => number;
  /** Frames that go on to Protomux now that this one came, or an offence: others may be held back until then. */
  admit: (frame: Buffer) => readonly Buffer[] | RejectionReason;
  /** Called once, with the first offence; the connection is being destroyed. */
  onOffence: (reason: RejectionReason) => void;
}

export class FrameGate extends EventEmitter implements MuxStream {
  userData: unknown = null;
  bytesIn = 0;
  bytesOut = 0;
  readonly #connection: NoiseStream;
  readonly #options: GateOptions;
  #controlFrames = 0;
  #closed = false;

  constructor(connection: NoiseStream, options: GateOptions) {
    super();
    this.#connection = connection;
    this.#options = options;
    boundPartialFrames(connection, WIRE.maxFrameBytes, (bytes) => this.#onTooLong(bytes));
    connection.on('data', (frame: Buffer) => this.#onFrame(frame));
    connection.on('drain', () => this.emit('drain'));
    connection.on('end', () => this.emit('end'));
    // The close that follows says the same; without a listener an error would end the process.
    connection.on('error', () => undefined);
    connection.on('close', () => {
      this.#closed = true;
      this.emit('close');
    });
  }

  get destroyed(): boolean {
    return this.#closed || this.#connection.destroyed;
  }

  /** Bytes the peer may send now without breaking its limit. */
  ingressLeft(): number {
    return Math.max(0, Math.floor(this.#options.quotas.bytes.available(this.#options.elapsed())));
  }

  write(frame: Buffer): boolean {
    if (this.destroyed) return false;
    this.bytesOut += frame.byteLength;
    this.#options.bandwidth.sent(frame.byteLength);
    return this.#connection.write(frame);
  }

  end(): void {
    this.#connection.end();
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  destroy(): void {
    this.#closed = true;
    this.#connection.destroy();
  }

  #onTooLong(bytes: number): void {
    if (this.#closed) return;
    this.bytesIn += bytes;
    this.#options.bandwidth.received(bytes);
    this.destroy();
    this.#options.onOffence('oversize');
  }

  #onFrame(frame: Buffer): void {
    if (this.#closed || frame.byteLength === 0) return; // empty frames keep the connection alive
    this.bytesIn += frame.byteLength;
    this.#options.bandwidth.received(frame.byteLength);
    const admitted = this.#offenceOf(frame) ?? this.#options.admit(frame);
    if (typeof admitted !== 'string') {
      for (const each of admitted) this.emit('data', each);
      return;
    }
    this.destroy();
    this.#options.onOffence(admitted);
  }

  #offenceOf(frame: Buffer): RejectionReason | null {
    const nowMs = this.#options.elapsed();
    if (frame.byteLength > WIRE.maxFrameBytes) return 'oversize';
    if (!this.#options.quotas.bytes.take(frame.byteLength, nowMs)) return 'tooManyBytes';
    if (!this.#options.quotas.messages.take(1, nowMs)) return 'tooManyMessages';
    const [session, kind, channel] = frame;
    if (session === undefined || kind === undefined || session > MAX_CHANNEL_ID) return 'malformed';
    // This protocol has one message type per channel, 0.
    if (session > 0) return kind === 0 ? null : 'malformed';
    if (++this.#controlFrames > MAX_CONTROL_FRAMES) return 'tooManyChannels';
    if (kind !== CONTROL.open && kind !== CONTROL.reject && kind !== CONTROL.close) return 'malformed';
    if (channel === undefined || channel === 0 || channel > MAX_CHANNEL_ID) return 'tooManyChannels';
    if (kind !== CONTROL.open) return frame.byteLength === 3 ? null : 'malformed';
    return frame.byteLength <= MAX_OPEN_BYTES ? null : 'oversize';
  }
}
