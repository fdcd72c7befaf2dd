/**
 * Keys and values of all layers for a number of rows, [rows,Hkv,capacity,Dh] each: in main memory, where the entries of each run are
 * added by hand, or on the card where the provider keeps tensors there, where the attention writes them in place. Which row is what
 * is generate.ts's business.
 */
import type { PolicyConfig } from '../policy/policy-config.ts';
import type { DeviceMath, RowSource } from './device-math.ts';
import type { DeviceTensor, Feeds, TensorView } from './ort-session.ts';

export interface KeyValueCache {
  readonly capacity: number;
  /** Row `from` of `source`, which may be this one, takes the place of row `to`. Seen by the next `fed`. */
  copyRow(to: number, source: KeyValueCache, from: number): void;
  /** What a run is given for the first `rows` rows, and what it is to write into. `first[r]`: where its `count` new tokens begin. */
  fed(rows: number, first: readonly number[], count: number): Promise<{ past: Feeds; present: Feeds }>;
  /** Takes over the entries that the run returned, if it did not write them. Same arguments. */
  store(results: Record<string, TensorView>, first: readonly number[], count: number): void;
  close(): void;
}

type Shape = Pick<PolicyConfig, 'layers' | 'kvHeads' | 'headDim'>;
const KINDS = ['Key', 'Value'] as const;

function named<T>(prefix: 'past' | 'present', layers: number, at: (index: number) => T): Record<string, T> {
  const all: Record<string, T> = {};
  for (let layer = 0; layer < layers; layer++)
    for (const [i, kind] of KINDS.entries()) all[`${prefix}${kind}.${layer}`] = at(layer * 2 + i);
  return all;
}

/** A row is one stretch of memory. */
export class HostKeyValueCache implements KeyValueCache {
  readonly capacity: number;
  private readonly buffers: Float32Array[];
  private readonly rowLength: number;
  private readonly dims: readonly [number, number, number];
  private readonly layers: number;

  constructor({ layers, kvHeads, headDim }: Shape, rows: number, capacity: number) {
    this.capacity = capacity;
    this.layers = layers;
    this.dims = [kvHeads, capacity, headDim];
    this.rowLength = kvHeads * capacity * headDim;
    this.buffers = Array.from({ length: layers * 2 }, () => new Float32Array(rows * this.rowLength));
  }

  copyRow(to: number, source: HostKeyValueCache, from: number): void {
    this.buffers.forEach((buffer, i) => {
      buffer.set(source.buffers[i]!.subarray(from * this.rowLength, (from + 1) * this.rowLength), to * this.rowLength);
    });
  }

  fed(rows: number, first: readonly number[], count: number): Promise<{ past: Feeds; present: Feeds }> {
    const [heads, capacity] = this.dims;
    const past: Feeds = named('past', this.layers, (index) => ({
      data: this.buffers[index]!.subarray(0, rows * this.rowLength),
      dims: [rows, ...this.dims],
    }));
    const entries = new Int32Array(rows * heads * count);
    for (let i = 0; i < entries.length; i++) {
      const head = Math.floor(i / count);
      entries[i] = head * capacity + first[Math.floor(head / heads)]! + (i % count);
    }
    return Promise.resolve({ past: { ...past, entries: { data: entries, dims: [rows, heads, count] } }, present: {} });
  }

  store(results: Record<string, TensorView>, first: readonly number[], count: number): void {
    const [heads, capacity, headDim] = this.dims;
    for (let layer = 0; layer < this.layers; layer++) {
      for (const [i, kind] of KINDS.entries()) {
        const given = results[`new${kind}.${layer}`]!.data as Float32Array;
        const buffer = this.buffers[layer * 2 + i]!;
        for (let head = 0; head < first.length * heads; head++) {
          const from = head * count * headDim;
          const to = (head * capacity + first[Math.floor(head / heads)]!) * headDim;
          buffer.set(given.subarray(from, from + count * headDim), to);
        }
      }
    }
  }

  close(): void {
    this.buffers.length = 0;
  }
}

/** Rows are moved when the next run needs them, all of a step in one go. */
export class DeviceKeyValueCache implements KeyValueCache {
  readonly capacity: number;
  private readonly math: DeviceMath;
  private readonly shape: Shape;
  private readonly tail: readonly [number, number, number];
  private tensors: DeviceTensor[] = [];
  /** Where each row is to come from that is not where it was. */
  private moves = new Map<number, RowSource>();
  /** What rows of `moves` may come from beside this one. */
  private other: DeviceKeyValueCache | null = null;

  constructor(math: DeviceMath, shape: Shape, capacity: number) {
    this.math = math;
    this.shape = shape;
    this.capacity = capacity;
    this.tail = [shape.kvHeads, capacity, shape.headDim];
  }

  copyRow(to: number, source: DeviceKeyValueCache, from: number): void {
    if (source === this) this.moves.set(to, this.moves.get(from) ?? { from: 'first', row: from });
    else {
      this.other = source;
      this.moves.set(to, { from: 'second', row: from });
    }
  }

  async fed(rows: number): Promise<{ past: Feeds; present: Feeds }> {
    if (this.tensors.length === 0 && !this.other) await this.makeEmpty(rows);
    else if (this.moves.size > 0) await this.move(rows);
    const view = this.tensors.map((tensor) => tensor.view([rows, ...this.tail]));
    return {
      past: named('past', this.shape.layers, (index) => view[index]!),
      present: named('present', this.shape.layers, (index) => view[index]!),
    };
  }

  store(): void {
    // Written in place.
  }

  close(): void {
    for (const tensor of this.tensors) tensor.dispose();
    this.tensors = [];
  }

  /** What has not been written is never attended to, but must be a number. */
  private async makeEmpty(rows: number): Promise<void> {
    const [heads, capacity, headDim] = this.tail;
    const row = await this.math.put(new Float32Array(heads * capacity * headDim), [1, ...this.tail]);
    const sources = Array.from({ length: rows }, (): RowSource => ({ from: 'first', row: 0 }));
    const pairs = Array.from({ length: this.shape.layers * 2 }, () => ({ first: row, second: row }));
    this.tensors = await this.math.rows(pairs, sources);
    row.dispose();
  }

  private async move(rows: number): Promise<void> {
    const sources = Array.from({ length: rows }, (_, row): RowSource => this.moves.get(row) ?? { from: 'first', row });
    const others = this.other?.tensors ?? this.tensors;
    const own = this.tensors.length > 0 ? this.tensors : others;
    const moved = await this.math.rows(
      own.map((first, i) => ({ first, second: others[i]! })),
      sources,
    );
    this.close();
    this.tensors = moved;
    this.moves.clear();
    this.other = null;
  }
}
