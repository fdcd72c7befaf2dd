/**
 * Keys and values of all layers for a number of rows, [rows,Hkv,capacity,Dh] each: in main memory, or on the card where the provider
 * keeps tensors there. The attention writes its new entries in place. Which row is what is generate.ts's business.
 */
import type { PolicyConfig } from '../policy/policy-config.ts';
import type { DeviceMath, RowSource } from './device-math.ts';
import type { DeviceTensor, Feeds, TensorView } from './ort-session.ts';

export interface KeyValueCache {
  readonly capacity: number;
  /** Row `from` of `source`, which may be this one, takes the place of row `to`. Seen by the next `fed`. */
  copyRow(to: number, source: KeyValueCache, from: number): void;
  /** The first `rows` rows, to be fed and, the same memory, to be written to. */
  fed(rows: number): Promise<{ past: Feeds; present: Feeds }>;
  /** Takes over what a provider returned in memory of its own. */
  store(results: Record<string, TensorView>): void;
  close(): void;
}

type Shape = Pick<PolicyConfig, 'layers' | 'kvHeads' | 'headDim'>;
const KINDS = ['Key', 'Value'] as const;

function named<T>(layers: number, at: (index: number) => T): { past: Record<string, T>; present: Record<string, T> } {
  const past: Record<string, T> = {};
  const present: Record<string, T> = {};
  for (let layer = 0; layer < layers; layer++) {
    for (const [i, kind] of KINDS.entries()) {
      const each = at(layer * 2 + i);
      past[`past${kind}.${layer}`] = each;
      present[`present${kind}.${layer}`] = each;
    }
  }
  return { past, present };
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

  fed(rows: number): Promise<{ past: Feeds; present: Feeds }> {
    const view = (index: number): TensorView => ({
      data: this.buffers[index]!.subarray(0, rows * this.rowLength),
      dims: [rows, ...this.dims],
    });
    return Promise.resolve(named(this.layers, view));
  }

  store(results: Record<string, TensorView>): void {
    for (let layer = 0; layer < this.layers; layer++)
      for (const [i, kind] of KINDS.entries())
        this.buffers[layer * 2 + i]!.set(results[`present${kind}.${layer}`]!.data as Float32Array);
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
    return named(this.shape.layers, (index) => this.tensors[index]!.view([rows, ...this.tail]));
  }

  store(): void {
    throw new Error('What stays on the card is written in place');
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
