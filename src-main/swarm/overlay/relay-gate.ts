/**
 * Stands between a connection to or from a relay and Protomux, and lets only through what blind-relay says in its one exchange:
 * open, pair once, unpair once, close. Needed because neither side of a relay is to be trusted (a stranger's handshake
 * names the relay to dial), and Protomux and blind-relay end the process on some frames (see frame-gate.ts). Layouts as in
 * blind-relay 1 and compact-encoding: pair is `flags token[32] uint(id) uint(seq)`, unpair `flags token[32]`.
 */
import { EventEmitter } from 'node:events';
import type { NoiseStream } from 'hyperdht';
import Protomux from 'protomux';
import type { MuxStream } from 'protomux';
import { boundPartialFrames } from './partial-frame.ts';

const CONTROL = { open: 1, reject: 2, close: 3 } as const;
const MESSAGE = { pair: 0, unpair: 1 } as const;
const CHANNEL = 1;
const MAX_CONTROL_FRAMES = 3;
const MAX_OPEN_BYTES = 64;
const TOKEN_BYTES = 32;
const UNPAIR_BYTES = 1 + TOKEN_BYTES; // flags, token
const MAX_PAIR_BYTES = UNPAIR_BYTES + 2 * 5;

/** What one connection may still say. Pure. */
export class RelayTalk {
  #controlFrames = 0;
  #paired = false;
  #unpaired = false;

  /** Whether this frame may follow those before it. */
  allows(frame: Uint8Array): boolean {
    const [channel, type, subject] = frame;
    if (channel === 0) return this.#allowsControl(type, subject, frame.byteLength);
    if (channel !== CHANNEL) return false;
    if (type === MESSAGE.pair && !this.#paired) {
      this.#paired = true;
      return readPair(frame.subarray(2)) !== null;
    }
    if (type === MESSAGE.unpair && !this.#unpaired) {
      this.#unpaired = true;
      return frame.byteLength === 2 + UNPAIR_BYTES && isFlags(frame[2]);
    }
    return false;
  }

  #allowsControl(type: number | undefined, channel: number | undefined, bytes: number): boolean {
    if (++this.#controlFrames > MAX_CONTROL_FRAMES || channel !== CHANNEL) return false;
    if (type === CONTROL.open) return bytes <= MAX_OPEN_BYTES;
    return (type === CONTROL.reject || type === CONTROL.close) && bytes === 3;
  }
}

/** Payload of a pair message, behind channel and type. */
export interface PairMessage {
  isInitiator: boolean;
  token: Buffer;
  /** Of the sender's raw stream. */
  streamId: number;
}

/** Null on anything else. */
export function readPair(payload: Uint8Array): PairMessage | null {
  if (payload.byteLength > MAX_PAIR_BYTES || !isFlags(payload[0])) return null;
  const id = readUint(payload, 1 + TOKEN_BYTES);
  const seq = id === null ? null : readUint(payload, id.end);
  if (id === null || seq?.end !== payload.byteLength) return null;
  const token = Buffer.from(payload.subarray(1, 1 + TOKEN_BYTES));
  return { isInitiator: (payload[0]! & 1) === 1, token, streamId: id.value };
}

/** Ids and sequence are written in their longest form but one, which every reader takes. */
export function writePair({ isInitiator, token, streamId }: PairMessage): Buffer {
  const id = Buffer.alloc(5, 0xfe);
  id.writeUInt32LE(streamId, 1);
  return Buffer.concat([Buffer.from([isInitiator ? 1 : 0]), token, id, Buffer.from([0])]);
}

/** A bit field of seven bits in one byte. */
function isFlags(byte: number | undefined): boolean {
  return byte !== undefined && byte < 0x80;
}

/** A variable-length integer of at most 32 bits; null where there is none. */
function readUint(bytes: Uint8Array, at: number): { value: number; end: number } | null {
  const first = bytes[at];
  if (first === undefined || first === 0xff) return null;
  if (first < 0xfd) return { value: first, end: at + 1 };
  const width = first === 0xfd ? 2 : 4;
  const end = at + 1 + width;
  if (end > bytes.byteLength) return null;
  return { value: Buffer.from(bytes.subarray(at + 1, end)).readUIntLE(0, width), end };
}

/** More than any frame that is let through. */
const MAX_FRAME_BYTES = 128;

class RelayGate extends EventEmitter implements MuxStream {
  userData: unknown = null;
  readonly #connection: NoiseStream;
  readonly #talk = new RelayTalk();

  constructor(connection: NoiseStream) {
    super();
    this.#connection = connection;
    const bound = () => boundPartialFrames(connection, MAX_FRAME_BYTES, () => this.destroy());
    if (isOpen(connection)) bound();
    else connection.once('open', bound);
    connection.on('data', (frame: Buffer) => this.#onFrame(frame));
    connection.on('drain', () => this.emit('drain'));
    connection.on('end', () => this.emit('end'));
    connection.on('error', () => undefined);
    connection.on('close', () => this.emit('close'));
  }

  get destroyed(): boolean {
    return this.#connection.destroyed;
  }

  write(frame: Buffer): boolean {
    return this.destroyed || this.#connection.write(frame);
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
    this.#connection.destroy();
  }

  #onFrame(frame: Buffer): void {
    if (this.destroyed || frame.byteLength === 0) return; // empty frames keep the connection alive
    if (this.#talk.allows(frame)) this.emit('data', frame);
    else this.destroy();
  }
}

/** What this node dials has no stream yet, which the type leaves out. */
function isOpen(connection: NoiseStream): boolean {
  return (connection.rawStream as NoiseStream['rawStream'] | null) !== null;
}

/** From here on blind-relay, which takes the multiplexer it finds on a stream, talks through the gate. */
export function gateRelayTalk(connection: NoiseStream): Protomux {
  const talk = new Protomux(new RelayGate(connection));
  connection.userData = talk;
  return talk;
}
