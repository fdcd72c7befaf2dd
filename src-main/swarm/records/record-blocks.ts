/**
 * Bytes of many small records in blocks of one size that are used again and again. With a buffer for each record, what was dropped
 * waited for a full garbage collection, megabytes of it, and left holes behind. Records are put side by side as they come; a block is
 * free again when all in it are dropped, so whoever drops the oldest first gets its memory back. Knows nothing of records.
 */
export const BLOCK_BYTES = 64 * 1024;
/** Kept for the next bytes rather than given back: a shelf that is full frees and fills one after the other. */
const MAX_FREE = 4;

interface Block {
  memory: Buffer;
  /** How many stored pieces it still holds. */
  pieces: number;
  used: number;
}
/** Where something lies. Valid until it is dropped. */
export interface Stored {
  readonly block: Block;
  readonly at: number;
  readonly byteLength: number;
}

export class RecordBlocks {
  readonly #free: Block[] = [];
  #filling: Block | null = null;
  #inUse = 0;

  /** Memory that stored bytes keep, holes included. */
  get bytes(): number {
    return this.#inUse * BLOCK_BYTES;
  }

  /** Copies. Throws a RangeError above `BLOCK_BYTES`: a bug of the caller. */
  store(bytes: Uint8Array): Stored {
    const block = this.#blockFor(bytes.byteLength);
    const at = block.used;
    block.memory.set(bytes, at);
    block.used += bytes.byteLength;
    block.pieces++;
    return { block, at, byteLength: bytes.byteLength };
  }

  /** Once for each stored piece. */
  drop({ block }: Stored): void {
    block.pieces--;
    if (block.pieces > 0) return;
    block.used = 0;
    if (block === this.#filling) return;
    this.#inUse--;
    if (this.#free.length < MAX_FREE) this.#free.push(block);
  }

  #blockFor(bytes: number): Block {
    if (bytes > BLOCK_BYTES) throw new RangeError(`${String(bytes)} bytes do not fit a block`);
    const filling = this.#filling;
    if (filling !== null && filling.used + bytes <= BLOCK_BYTES) return filling;
    this.#filling = this.#free.pop() ?? { memory: Buffer.allocUnsafeSlow(BLOCK_BYTES), pieces: 0, used: 0 };
    this.#inUse++;
    return this.#filling;
  }
}

/** A view, to be copied or written on at once: dropped bytes are overwritten. */
export function bytesOf({ block, at, byteLength }: Stored): Buffer {
  return block.memory.subarray(at, at + byteLength);
}
