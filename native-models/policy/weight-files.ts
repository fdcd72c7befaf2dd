/**
 * The safetensors files of a model folder as one set of tensors: `model.safetensors`, or the shards that
 * `model.safetensors.index.json` names. Untrusted: shard names stay within the folder, no tensor may occur twice, and each must
 * be where the index says. Knows nothing of what the tensors mean.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors, type ReadFloatsOptions, type SafetensorsFile } from '../checkpoint/safetensors.ts';
import { SafetensorsError } from '../checkpoint/safetensors-error.ts';
import type { TensorEntry } from '../checkpoint/safetensors-header.ts';
import { isObject, type Json } from './json-fields.ts';
import { PolicyError } from './policy-error.ts';

export interface WeightFiles {
  /** For messages: the one file, or the index. */
  readonly label: string;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readFloatsInto(name: string, target: Float32Array, options?: ReadFloatsOptions): Promise<void>;
  /** Stored bytes of a tensor, from `start` within it. */
  readBytes(name: string, start: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const MAX_INDEX_BYTES = 32 * 1024 * 1024;
const MAX_SHARDS = 512;
const COPY_AGAIN = 'Copy the weights again from where the model came from, every file of them.';

/** @throws SafetensorsError, PolicyError. The caller closes. */
export async function openWeightFiles(directory: string): Promise<WeightFiles> {
  try {
    return combine(join(directory, SINGLE), [await openSafetensors(join(directory, SINGLE))]);
  } catch (cause) {
    if (!(cause instanceof SafetensorsError) || cause.code !== 'missingFile') throw cause;
    const index = await readIndex(join(directory, INDEX));
    if (index === null) throw cause;
    return openShards(directory, index);
  }
}

/** Tensor -> file name; null when there is no index. */
async function readIndex(path: string): Promise<Map<string, string> | null> {
  const size = await stat(path).then(
    (found) => found.size,
    () => null,
  );
  if (size === null) return null;
  const fail = (what: string): never => {
    throw new PolicyError('policyInvalid', `${path}: ${what}`, COPY_AGAIN);
  };
  if (size > MAX_INDEX_BYTES) fail(`${size} bytes are too many for an index of shards`);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    fail(`it is not JSON, or was cut short (${String(cause)})`);
  }
  const map: Json = isObject(json) && isObject(json.weight_map) ? json.weight_map : fail('it has no "weight_map"');
  const entries = Object.entries(map).map(([tensor, shard]): [string, string] => {
    if (typeof shard !== 'string' || !/^[A-Za-z0-9][\w.-]*\.safetensors$/.test(shard))
      return fail(`${JSON.stringify(shard).slice(0, 80)} is no file name of a shard`);
    return [tensor, shard];
  });
  return new Map(entries);
}

async function openShards(directory: string, index: ReadonlyMap<string, string>): Promise<WeightFiles> {
  const names = [...new Set(index.values())].sort();
  if (names.length > MAX_SHARDS)
    throw new PolicyError('policyInvalid', `${INDEX} names ${names.length} shards`, COPY_AGAIN);
  const files: SafetensorsFile[] = [];
  try {
    for (const name of names) files.push(await openSafetensors(join(directory, name)));
    const set = combine(join(directory, INDEX), files);
    for (const [tensor, shard] of index) {
      if (!files[names.indexOf(shard)]!.entries.has(tensor))
        throw new PolicyError('policyInvalid', `${shard} lacks the tensor ${tensor.slice(0, 120)}`, COPY_AGAIN);
    }
    return set;
  } catch (cause) {
    for (const file of files) await file.close();
    throw cause;
  }
}

function combine(label: string, files: readonly SafetensorsFile[]): WeightFiles {
  const entries = new Map<string, TensorEntry>();
  const homes = new Map<string, SafetensorsFile>();
  for (const file of files) {
    for (const [name, entry] of file.entries) {
      if (homes.has(name))
        throw new PolicyError('policyInvalid', `${name.slice(0, 120)} is in two shards of ${label}`, COPY_AGAIN);
      entries.set(name, entry);
      homes.set(name, file);
    }
  }
  return {
    label,
    entries,
    readFloatsInto: (name, target, options) => homes.get(name)!.readFloatsInto(name, target, options),
    readBytes: (name, start, length) => homes.get(name)!.readBytes(name, start, length),
    close: async () => {
      for (const file of files) await file.close();
    },
  };
}

const FLOAT_DTYPES = new Set(['F32', 'F16', 'BF16']);

/** @throws PolicyError naming the first tensor that is missing, or of another shape or kind of number than `slots` says. */
export function requireTensors(
  file: Pick<WeightFiles, 'label' | 'entries'>,
  slots: readonly { name: string; shape: readonly number[] }[],
): void {
  for (const { name, shape } of slots) {
    const entry = file.entries.get(name);
    if (!entry) throw new PolicyError('policyInvalid', `${file.label} lacks the tensor ${name}`, COPY_AGAIN);
    const [found, expected] = [`[${entry.shape.join(', ')}]`, `[${shape.join(', ')}]`];
    if (found !== expected) {
      throw new PolicyError(
        'policyInvalid',
        `${file.label}: ${name} is ${found}, by config.json it must be ${expected}`,
        'Use config.json and weights of the same model.',
      );
    }
    if (!FLOAT_DTYPES.has(entry.dtype)) {
      throw new PolicyError(
        'policyUnsupported',
        `${file.label}: ${name} is stored as ${entry.dtype.slice(0, 20)}`,
        'Convert the model to F32, F16 or BF16 first.',
      );
    }
  }
}
