/**
 * Bounded reading and writing of bytes. Integers are little-endian and of fixed width.
 * A reader never throws: the first impossible read makes it fail for good, and the decoder asks `finished()` once at the
 * end. What it hands out are copies, texts or numbers; only `view` hands out a slice of its input, which whoever keeps it must copy.
 */

export type Decoded<T> = { ok: true; value: T } | { ok: false; reason: DecodeFault };
/** Why bytes were not a message. Closed union. */
export type DecodeFault =
  'malformed' | 'oversize' | 'unknownVersion' | 'unknownKind' | 'zipBomb' | 'badText' | 'badConfig';

export function fault(reason: DecodeFault): { ok: false; reason: DecodeFault } {
  return { ok: false, reason };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #fault: DecodeFault | null = null;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get at(): number {
    return this.#at;
  }

  get failed(): DecodeFault | null {
    return this.#fault;
  }

  fail(reason: DecodeFault): void {
    this.#fault ??= reason;
  }

  u8(): number {
    return this.#take(1, (at) => this.#view.getUint8(at));
  }

  u16(): number {
    return this.#take(2, (at) => this.#view.getUint16(at, true));
  }

  u32(): number {
    return this.#take(4, (at) => this.#view.getUint32(at, true));
  }

  /** 8 bytes; above 2^53 - 1 is malformed. */
  u53(): number {
    const value = this.#take(8, (at) => Number(this.#view.getBigUint64(at, true)));
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    this.fail('malformed');
    return 0;
  }

  /** A number with an inclusive upper bound. */
  bounded(value: number, max: number): number {
    if (value <= max) return value;
    this.fail('oversize');
    return 0;
  }

  /** Exactly `length` bytes, copied. */
  fixed(length: number): Buffer {
    return ownCopy(this.view(length));
  }

  /** Exactly `length` bytes of the input itself, which they keep in memory. */
  view(length: number): Uint8Array {
    const start = this.#at;
    if (!this.#has(length)) return new Uint8Array(0);
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  /** What has been read since `reader.at` was `from`: a view as well. */
  since(from: number): Uint8Array {
    return this.#bytes.subarray(from, this.#at);
  }

  /** u16 length, then at most `maxBytes` bytes of strict UTF-8. */
  text(maxBytes: number): string {
    const bytes = this.view(this.bounded(this.u16(), maxBytes));
    if (this.#fault !== null) return '';
    try {
      return utf8.decode(bytes);
    } catch {
      this.fail('badText');
      return '';
    }
  }

  skipRest(): void {
    if (this.#fault === null) this.#at = this.#bytes.byteLength;
  }

  /** True when nothing failed and every byte was read. */
  finished(): boolean {
    if (this.#fault === null && this.#at !== this.#bytes.byteLength) this.#fault = 'malformed';
    return this.#fault === null;
  }

  #has(length: number): boolean {
    if (this.#fault !== null) return false;
    if (this.#at + length <= this.#bytes.byteLength) return true;
    this.#fault = 'malformed';
    return false;
  }

  #take(length: number, read: (at: number) => number): number {
    if (!this.#has(length)) return 0;
    const value = read(this.#at);
    this.#at += length;
    return value;
  }
}

/**
 * A copy in memory of its own. `Buffer.from` and `Buffer.concat` put what is below 4 KB into slabs of 8 KB that stay as long as
 * anything in them is kept: for records, heads and notes that was several times their size.
 */
export function ownCopy(...parts: Uint8Array[]): Buffer {
  const copy = Buffer.alloc(parts.reduce((bytes, part) => bytes + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    copy.set(part, at);
    at += part.byteLength;
  }
  return copy;
}

const FIRST_BYTES = 256;

/** Grows as needed. Its input is this node's own, so a value out of range is a bug and throws a RangeError. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  /** `expectedBytes`: room to begin with; where the guess is right, nothing is moved. */
  constructor(expectedBytes = FIRST_BYTES) {
    this.#buffer = Buffer.allocUnsafe(expectedBytes);
  }

  u8(value: number): this {
    this.#length = this.#room(1).writeUInt8(value, this.#length);
    return this;
  }

  u16(value: number): this {
    this.#length = this.#room(2).writeUInt16LE(value, this.#length);
    return this;
  }

  u32(value: number): this {
    this.#length = this.#room(4).writeUInt32LE(value, this.#length);
    return this;
  }

  u53(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`not an integer in [0, 2^53): ${String(value)}`);
    this.#length = this.#room(8).writeBigUInt64LE(BigInt(value), this.#length);
    return this;
  }

  fixed(bytes: Uint8Array, length: number): this {
    if (bytes.byteLength !== length)
      throw new RangeError(`expected ${String(length)} bytes, got ${String(bytes.byteLength)}`);
    return this.raw(bytes);
  }

  text(value: string, maxBytes: number): this {
    const bytes = Buffer.from(value, 'utf8');
    if (bytes.byteLength > maxBytes)
      throw new RangeError(`text of ${String(bytes.byteLength)} bytes, at most ${String(maxBytes)}`);
    return this.u16(bytes.byteLength).raw(bytes);
  }

  raw(bytes: Uint8Array): this {
    this.#room(bytes.byteLength).set(bytes, this.#length);
    this.#length += bytes.byteLength;
    return this;
  }

  /** What was written so far: a view, to be sent or copied (`ownCopy`), not kept. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(bytes: number): Buffer {
    if (this.#length + bytes <= this.#buffer.byteLength) return this.#buffer;
    const larger = Buffer.allocUnsafe(Math.max(this.#length + bytes, this.#buffer.byteLength * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
    return larger;
  }
}
