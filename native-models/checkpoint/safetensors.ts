/**
 * Safetensors files: open and read only what is asked for, decode from bytes, and write.
 *
 * Knows nothing of what the tensors mean. Assumes a little-endian machine, as every platform of Electron is.
 * Invariants: an opened file has passed every check of its header; floats are handed out as Float32Array whatever their
 * precision in the file; a file appears under its name only when it is whole and on the disk (temporary file, fsync, rename).
 */
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half-floats.ts';
import { SafetensorsError } from './safetensors-error.ts';
import {
  elementBytes,
  elementCount,
  encodeHeader,
  lengthBytes,
  parseHeader,
  parseHeaderLength,
  type Dtype,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.ts';

/** Elements in the machine's own form; F16 and BF16 as bit patterns. */
export type TensorData = Float32Array | Uint16Array | BigInt64Array | Int32Array | Uint8Array;

export interface StoredTensor {
  dtype: Dtype;
  shape: readonly number[];
  data: TensorData;
}

export interface ReadFloatsOptions {
  /** Refuse NaN and infinities with `notFinite`. */
  requireFinite?: boolean;
}

/** What to write. Float32Array data is narrowed for dtype F16 and BF16. */
export interface TensorToWrite {
  /** F32 when left out. */
  dtype?: Dtype;
  shape: readonly number[];
  data: TensorData;
}

export interface SafetensorsFile extends SafetensorsHeader {
  readonly file: string;
  /** @throws SafetensorsError noSuchTensor, unsupportedDtype, truncated. */
  read(name: string): Promise<StoredTensor>;
  /** Values of an F32, F16 or BF16 tensor, row-major. */
  readFloats(name: string, options?: ReadFloatsOptions): Promise<Float32Array>;
  /** The same into memory of the caller's, in steps: no second copy of a large tensor is ever held. */
  readFloatsInto(name: string, target: Float32Array, options?: ReadFloatsOptions): Promise<void>;
  /** `length` bytes as stored, from `start` within the tensor. @throws RangeError for what lies outside of it. */
  readBytes(name: string, start: number, length: number): Promise<Uint8Array>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface SafetensorsBytes extends SafetensorsHeader {
  /** A copy where the bytes are not aligned, a view otherwise. */
  read(name: string): StoredTensor;
  readFloats(name: string, options?: ReadFloatsOptions): Float32Array;
}

/** Bytes per read, write and hash step: a few milliseconds each. */
const chunkBytes = 1024 * 1024;

/** Opens a file and checks its header; tensors are read when asked for. The caller closes it. */
export async function openSafetensors(file: string): Promise<SafetensorsFile> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw fileError(cause, file);
  });
  try {
    const { size } = await handle.stat();
    const length = parseHeaderLength(await readExactly(handle, 0, Math.min(lengthBytes, size), file, null), size, file);
    const header = parseHeader(await readExactly(handle, lengthBytes, length, file, null), size, file);
    return fileReader(handle, header, file);
  } catch (cause) {
    await handle.close();
    throw cause instanceof SafetensorsError ? cause : fileError(cause, file);
  }
}

function fileReader(handle: FileHandle, header: SafetensorsHeader, file: string): SafetensorsFile {
  let closing: Promise<void> | undefined;
  const read = async (name: string): Promise<StoredTensor> => {
    const entry = findEntry(header, name, file);
    return typed(entry, await readExactly(handle, entry.byteOffset, entry.byteLength, file, name));
  };
  return {
    ...header,
    file,
    read,
    readFloats: async (name, options) => toFloats(await read(name), name, file, options),
    readFloatsInto: async (name, target, options) => {
      const entry = findEntry(header, name, file);
      const width = elementBytes[entry.dtype];
      if (entry.byteLength !== target.length * width)
        throw new SafetensorsError(
          'sizeMismatch',
          file,
          name,
          `${entry.byteLength / width} elements, ${target.length} wanted`,
        );
      const step = (4 * chunkBytes) / width;
      for (let start = 0; start < target.length; start += step) {
        const part = { ...entry, byteLength: Math.min(step, target.length - start) * width };
        const bytes = await readExactly(handle, entry.byteOffset + start * width, part.byteLength, file, name);
        target.set(toFloats(typed(part, bytes), name, file, options, start), start);
      }
    },
    readBytes: async (name, start, length) => {
      const { byteOffset, byteLength } = findEntry(header, name, file);
      if (start < 0 || length < 0 || start + length > byteLength)
        throw new RangeError(`${name} has ${byteLength} bytes, not ${length} from ${start} on`);
      return readExactly(handle, byteOffset + start, length, file, name);
    },
    close: () => (closing ??= handle.close()),
  };
}

/** As `openSafetensors`, for a file that is already in memory. `file` is only for messages. */
export function decodeSafetensors(bytes: Uint8Array, file = 'bytes'): SafetensorsBytes {
  const length = parseHeaderLength(bytes.subarray(0, lengthBytes), bytes.length, file);
  const header = parseHeader(bytes.subarray(lengthBytes, lengthBytes + length), bytes.length, file);
  const read = (name: string): StoredTensor => {
    const entry = findEntry(header, name, file);
    return typed(entry, bytes.subarray(entry.byteOffset, entry.byteOffset + entry.byteLength));
  };
  return { ...header, read, readFloats: (name, options) => toFloats(read(name), name, file, options) };
}

/** The whole file in memory: for small ones. @throws SafetensorsError badTensor. */
export function encodeSafetensors(
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const { header, rows } = plan(tensors, metadata, 'bytes');
  const bytes = new Uint8Array(header.length + rows.reduce((sum, row) => sum + row.byteLength, 0));
  bytes.set(header);
  let offset = header.length;
  for (const row of rows) {
    for (const chunk of chunksOf(row)) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
  }
  return bytes;
}

/**
 * Writes a file in chunks, so that the event loop keeps turning, then puts it in place in one step.
 * The data must not change before the promise settles. An earlier file of that name stays whole when this fails.
 * @throws SafetensorsError badTensor, diskFull, unreadableFile.
 */
export async function writeSafetensors(
  file: string,
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const chunks = encodeInChunks(tensors, metadata, file);
  const temporary = `${file}.${process.pid}.partial`;
  try {
    const handle = await open(temporary, 'w');
    try {
      for (const chunk of chunks) await writeFully(handle, chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause instanceof SafetensorsError ? cause : fileError(cause, file);
  }
}

/** The bytes of a file, a chunk at a time; F32 chunks are views of the tensors' own memory. All tensors are checked before the first chunk. */
export function encodeInChunks(
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>>,
  file: string,
): Iterable<Uint8Array> {
  const { header, rows } = plan(tensors, metadata, file);
  return (function* () {
    yield header;
    for (const row of rows) yield* chunksOf(row);
  })();
}

interface Row {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
  data: TensorData;
  byteLength: number;
}

/** Wide elements first, then by name: every tensor is aligned to its element size, and equal tensors give equal files. */
function plan(
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>>,
  file: string,
): { header: Uint8Array; rows: Row[] } {
  const rows = Object.entries(tensors).map(([name, tensor]) => checkTensor(name, tensor, file));
  rows.sort((a, b) => elementBytes[b.dtype] - elementBytes[a.dtype] || (a.name < b.name ? -1 : 1));
  return { header: encodeHeader(rows, metadata), rows };
}

function checkTensor(name: string, { dtype = 'F32', shape, data }: TensorToWrite, file: string): Row {
  const fail = (detail: string): never => {
    throw new SafetensorsError('badTensor', file, name, detail);
  };
  if (name === '__metadata__') fail('A tensor cannot have this name');
  if (!name.isWellFormed()) fail('The name is not well-formed Unicode');
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) fail(`Not a shape: [${shape.join(', ')}]`);
  const elements = elementCount(shape);
  if (elements !== data.length) fail(`${data.length} elements for the shape [${shape.join(', ')}]`);
  const isHalf = dtype === 'F16' || dtype === 'BF16';
  if (!(data instanceof arrayOf[dtype]) && !(isHalf && data instanceof Float32Array))
    fail(`${data.constructor.name} cannot be stored as ${dtype}`);
  return { name, dtype, shape, data, byteLength: data.length * elementBytes[dtype] };
}

function* chunksOf({ dtype, data }: Row): Iterable<Uint8Array> {
  const narrow = dtype === 'F16' ? float32ToFloat16 : float32ToBfloat16;
  const step = chunkBytes / data.BYTES_PER_ELEMENT;
  for (let start = 0; start < data.length; start += step) {
    const part = data.subarray(start, start + step);
    yield bytesOf(part instanceof Float32Array && dtype !== 'F32' ? narrow(part) : part);
  }
}

const bytesOf = (data: TensorData) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const arrayOf = {
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  U8: Uint8Array,
} as const;

function findEntry(header: SafetensorsHeader, name: string, file: string): TensorEntry & { dtype: Dtype } {
  const entry = header.entries.get(name);
  if (entry === undefined) throw new SafetensorsError('noSuchTensor', file, name, 'The file has no such tensor');
  if (!Object.hasOwn(elementBytes, entry.dtype))
    throw new SafetensorsError('unsupportedDtype', file, name, `${entry.dtype} cannot be read`);
  return entry as TensorEntry & { dtype: Dtype };
}

function typed({ dtype, shape }: TensorEntry & { dtype: Dtype }, bytes: Uint8Array): StoredTensor {
  const aligned = bytes.byteOffset % elementBytes[dtype] === 0 ? bytes : bytes.slice();
  return {
    dtype,
    shape,
    data: new arrayOf[dtype](aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.length / elementBytes[dtype]),
  };
}

function toFloats(
  { dtype, data }: StoredTensor,
  name: string,
  file: string,
  { requireFinite = false }: ReadFloatsOptions = {},
  start = 0,
): Float32Array {
  let floats: Float32Array;
  if (data instanceof Float32Array) floats = data;
  else if (data instanceof Uint16Array) floats = dtype === 'F16' ? float16ToFloat32(data) : bfloat16ToFloat32(data);
  else throw new SafetensorsError('unsupportedDtype', file, name, `${dtype} holds no floats`);
  if (requireFinite) {
    const index = floats.findIndex((value) => !Number.isFinite(value));
    if (index >= 0) throw new SafetensorsError('notFinite', file, name, `Element ${start + index} is ${floats[index]}`);
  }
  return floats;
}

/** Reads a range into memory of its own. */
async function readExactly(
  handle: FileHandle,
  position: number,
  length: number,
  file: string,
  tensor: string | null,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, 16 * chunkBytes), position + done);
    if (bytesRead === 0)
      throw new SafetensorsError('truncated', file, tensor, `The file ends ${length - done} bytes early`);
    done += bytesRead;
  }
  return bytes;
}

/** Writes all of `bytes` at the current position; a short write goes on where it stopped. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
}

/** Makes a rename in `directory` last through a power cut. Windows cannot open folders and needs no such step. */
export async function syncFolder(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function fileError(cause: unknown, file: string): SafetensorsError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') return new SafetensorsError('missingFile', file, null, 'There is no such file', cause);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new SafetensorsError('diskFull', file, null, 'The disk is full', cause);
  return new SafetensorsError('unreadableFile', file, null, `The file cannot be used: ${String(cause)}`, cause);
}
