/**
 * The only importer of onnxruntime-node. One `GraphSession` owns one inference session and runs it with named tensors;
 * typed arrays are handed over without a copy. Sessions know nothing of policies.
 *
 * Trap: `run()` blocks its thread whatever its promise says, so this lives in the compute process only.
 */
import './no-telemetry.ts'; // first: see there
import * as ort from 'onnxruntime-node';
import type { BesideBytes } from '../graph/builder.ts';
import { elementCount } from '../graph/shape.ts';
import { providerNames, type ProviderName } from './provider.ts';

export interface TensorView {
  data: Float32Array | Int32Array | BigInt64Array;
  dims: readonly number[];
}
export type TensorViews = Record<string, TensorView>;

/** The runtime's own handle; its typings speak of a browser's GPUBuffer. */
type DeviceBuffer = object;
const tensors = ort.Tensor as unknown as {
  fromGpuBuffer(buffer: DeviceBuffer, options: { dataType: string; dims: number[] }): ort.Tensor;
};

let alive = 0;
/** Tensors on the card that were not disposed. */
export function deviceTensorsAlive(): number {
  return alive;
}

/** Numbers that stay in the graphics card's memory. Its owner disposes it; views of it are not owned. */
export class DeviceTensor {
  readonly dims: readonly number[];
  /** For `GraphSession` alone. */
  readonly tensor: ort.Tensor;
  /** What the runtime gave; null in a view. */
  private readonly owned: ort.Tensor | null;

  constructor(tensor: ort.Tensor, owned: ort.Tensor | null = tensor) {
    this.tensor = tensor;
    this.dims = tensor.dims;
    this.owned = owned;
    if (owned === tensor) alive++;
  }

  get location(): ort.Tensor.DataLocation {
    return this.tensor.location;
  }

  /** The same memory under other dims: of as many elements, or of fewer from its start. */
  view(dims: readonly number[]): DeviceTensor {
    return new DeviceTensor(this.under(dims), null);
  }

  /** The same tensor under other dims, to be owned in its place. */
  reshape(dims: readonly number[]): DeviceTensor {
    return new DeviceTensor(this.under(dims), this.owned);
  }

  /** Idempotent. */
  dispose(): void {
    if (!this.owned || this.owned.location === 'none') return;
    this.owned.dispose();
    alive--;
  }

  private under(dims: readonly number[]): ort.Tensor {
    if (elementCount(dims) > elementCount(this.dims))
      throw new RangeError(`${dims.join('x')} of ${this.dims.join('x')}`);
    const { type, gpuBuffer } = this.tensor as ort.Tensor & { gpuBuffer: DeviceBuffer };
    return tensors.fromGpuBuffer(gpuBuffer, { dataType: type, dims: [...dims] });
  }
}
export type Feeds = Record<string, TensorView | DeviceTensor>;
/** Providers whose runtime keeps tensors between runs. onnxruntime-node 1.30 does it for WebGPU alone. */
export function keepsTensors(provider: ProviderName): boolean {
  return provider === 'webgpu';
}

export interface SessionOptions {
  provider: ProviderName;
  /** See ComputeTarget; left out, the first. */
  device?: number;
  /** CPU threads; 0 lets ONNX Runtime choose (one per core). */
  threads: number;
  /** Shapes that repeat let the runtime plan its memory once; leave off where they change every run. */
  shapesRepeat: boolean;
  /** Results that stay on the card, made anew in each run (`runKeeping`). Needs `keepsTensors`. */
  keep?: readonly string[];
  /** Constants whose bytes the model leaves out, by name; they are read while the session is made, and never again. */
  beside?: ReadonlyMap<string, BesideBytes>;
  /** Writes which provider runs each node to standard error. */
  verbosePlacement?: boolean;
}

/** Providers compiled into this platform's onnxruntime-node; whether each works is for the trial to find out. */
export function bundledProviders(): ProviderName[] {
  const listed = new Set(ort.listSupportedBackends().map((backend) => backend.name));
  return providerNames.filter((name) => listed.has(name));
}

export class GraphSession {
  private readonly session: ort.InferenceSession;
  private constructor(session: ort.InferenceSession) {
    this.session = session;
  }

  /** @throws Error of the runtime when the provider or the model is refused; `noSuchDevice`. */
  static async open(model: Uint8Array, options: SessionOptions): Promise<GraphSession> {
    // The package would drop an unknown provider with a warning and compute on the CPU under its name.
    if (!bundledProviders().includes(options.provider)) {
      throw new Error(
        `${options.provider} is not part of this platform's ONNX Runtime (it has ${bundledProviders().join(', ')})`,
      );
    }
    const keep = options.keep?.map((name) => [name, 'gpu-buffer'] as const);
    const session = await ort.InferenceSession.create(model, {
      ...(keep ? { preferredOutputLocation: Object.fromEntries(keep) } : {}),
      executionProviders: executionProviders(options),
      ...(options.threads > 0 ? { intraOpNumThreads: options.threads } : {}),
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      enableMemPattern: options.shapesRepeat && options.provider !== 'dml',
      enableCpuMemArena: true,
      ...(options.beside?.size
        ? { externalData: [...options.beside].map(([path, view]) => ({ path, data: bytesOf(view) })) }
        : {}),
      // Threads that spin for long take the cores from everything else on the machine; those that sleep at once wake too late
      // for the next of many small operators.
      extra: { session: { intra_op: { allow_spinning: '1', spin_duration_us: '50' } } },
      logSeverityLevel: options.verbosePlacement ? 0 : 3,
      ...(options.verbosePlacement ? { logVerbosityLevel: 1 } : {}),
    });
    return new GraphSession(session);
  }

  get inputNames(): readonly string[] {
    return this.session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames;
  }

  /**
   * Runs once. Results named in `into` are written to those arrays or tensors, which may be fed at the same time where the
   * operator allows it; a session that keeps results takes none. The others are allocated by the runtime.
   * @returns every output in main memory by name
   */
  async run(
    feeds: Feeds,
    into: Feeds = {},
    wanted: readonly string[] = this.session.outputNames,
  ): Promise<Record<string, TensorView>> {
    return (await this.runKeeping(feeds, into, wanted)).results;
  }

  /** The same; `kept`: what stays on the card, now the caller's to dispose. */
  async runKeeping(
    feeds: Feeds,
    into: Feeds = {},
    wanted: readonly string[] = this.session.outputNames,
  ): Promise<{ results: Record<string, TensorView>; kept: Record<string, DeviceTensor> }> {
    const fetches: Record<string, ort.Tensor | null> = {};
    const shared = new Map<TensorView, ort.Tensor>();
    const tensor = (view: TensorView | DeviceTensor): ort.Tensor => {
      if (view instanceof DeviceTensor) return view.tensor;
      const known = shared.get(view);
      if (known) return known;
      const made = toTensor(view);
      shared.set(view, made);
      return made;
    };
    for (const name of wanted) fetches[name] = into[name] ? tensor(into[name]) : null;
    const fed = Object.fromEntries(Object.entries(feeds).map(([name, view]) => [name, tensor(view)]));
    const results: Record<string, TensorView> = {};
    const kept: Record<string, DeviceTensor> = {};
    for (const [name, value] of Object.entries(await this.session.run(fed, fetches))) {
      if (value.location === 'cpu') results[name] = { data: value.data as Float32Array, dims: value.dims };
      else if (!into[name]) kept[name] = new DeviceTensor(value);
    }
    return { results, kept };
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}

function executionProviders({
  provider,
  device = 0,
}: SessionOptions): (ort.InferenceSession.ExecutionProviderConfig | string)[] {
  if (device !== 0 && provider !== 'cuda' && provider !== 'dml')
    throw Object.assign(new Error(`${provider} cannot be told which card to take`), {
      code: 'noSuchDevice',
      fix: 'Set providerDevice back to 0, or choose cuda or dml as provider.',
    });
  if (provider === 'cpu') return ['cpu'];
  return [device === 0 ? provider : { name: provider, deviceId: device }, 'cpu'];
}

function bytesOf({ buffer, byteOffset, byteLength }: BesideBytes): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function toTensor({ data, dims }: TensorView): ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor('float32', data, dims);
  if (data instanceof Int32Array) return new ort.Tensor('int32', data, dims);
  return new ort.Tensor('int64', data, dims);
}
