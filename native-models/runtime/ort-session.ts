/**
 * The only importer of onnxruntime-node. One `GraphSession` owns one inference session and runs it with named tensors;
 * typed arrays are handed over without a copy. Sessions know nothing of policies.
 *
 * Trap: `run()` blocks its thread whatever its promise says, so this lives in the compute process only.
 */
import './no-telemetry.ts'; // first: see there
import * as ort from 'onnxruntime-node';
import { providerNames, type ProviderName } from './provider.ts';

export interface TensorView {
  data: Float32Array | Int32Array | BigInt64Array;
  dims: readonly number[];
}
export type TensorViews = Record<string, TensorView>;

export interface SessionOptions {
  provider: ProviderName;
  /** See ComputeTarget; left out, the first. */
  device?: number;
  /** CPU threads; 0 lets ONNX Runtime choose (one per core). */
  threads: number;
  /** Shapes that repeat let the runtime plan its memory once; leave off where they change every run. */
  shapesRepeat: boolean;
  /** Constants whose bytes the model leaves out, by name; they are read while the session is made, and never again. */
  beside?: ReadonlyMap<string, Float32Array | Uint8Array>;
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

  /** @throws Error of the runtime when the provider or the model is refused. */
  static async open(model: Uint8Array, options: SessionOptions): Promise<GraphSession> {
    // The package would drop an unknown provider with a warning and compute on the CPU under its name.
    if (!bundledProviders().includes(options.provider)) {
      throw new Error(
        `${options.provider} is not part of this platform's ONNX Runtime (it has ${bundledProviders().join(', ')})`,
      );
    }
    const session = await ort.InferenceSession.create(model, {
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
      // Threads that spin while they wait take the cores from everything else on the machine, other nodes included.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
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
   * Runs once. Results named in `into` are written to those arrays; the others are allocated by the runtime.
   * @returns every output by name
   */
  async run(
    feeds: TensorViews,
    into: TensorViews = {},
    wanted: readonly string[] = this.session.outputNames,
  ): Promise<Record<string, TensorView>> {
    const fetches: Record<string, ort.Tensor | null> = {};
    const shared = new Map<TensorView, ort.Tensor>();
    const tensor = (view: TensorView): ort.Tensor => {
      const known = shared.get(view);
      if (known) return known;
      const made = toTensor(view);
      shared.set(view, made);
      return made;
    };
    for (const name of wanted) fetches[name] = into[name] ? tensor(into[name]) : null;
    const fed = Object.fromEntries(Object.entries(feeds).map(([name, view]) => [name, tensor(view)]));
    const results = await this.session.run(fed, fetches);
    return Object.fromEntries(
      Object.entries(results).map(([name, value]) => [name, { data: value.data as Float32Array, dims: value.dims }]),
    );
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}

function executionProviders({
  provider,
  device = 0,
}: SessionOptions): (ort.InferenceSession.ExecutionProviderConfig | string)[] {
  if (provider === 'cpu') return ['cpu'];
  return [device === 0 ? provider : { name: provider, deviceId: device }, 'cpu'];
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function toTensor({ data, dims }: TensorView): ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor('float32', data, dims);
  if (data instanceof Int32Array) return new ort.Tensor('int32', data, dims);
  return new ort.Tensor('int64', data, dims);
}
