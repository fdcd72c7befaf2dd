/**
 * The header of a safetensors file: parsed and checked before a byte of tensor data is believed, and written.
 *
 * Layout: u64 little-endian length, that many bytes of JSON ({name: {dtype, shape, data_offsets}}, "__metadata__"), then data.
 * Does NOT know files or numbers. Invariant of a parsed header: the tensors cover the data exactly, in order, without overlap or hole,
 * and every length follows from dtype and shape. Source: the format section of the safetensors README (Hugging Face).
 */
import { SafetensorsError, type SafetensorsErrorCode } from './safetensors-error.ts';

/** What can be read and written here. */
export type Dtype = 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'U8';

/** Bytes per element. */
export const elementBytes: Readonly<Record<Dtype, number>> = { F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1 };

/** Of the format, but only skipped over: a file may carry them beside what is asked for. */
const skippedBytes: Readonly<Record<string, number>> = {
  F64: 8,
  U64: 8,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  BOOL: 1,
  C64: 8,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
};

export interface TensorEntry {
  readonly name: string;
  /** One of `Dtype`, or another dtype of the format that can only be skipped. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** From the start of the file, so that ONNX external data can point straight at it. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  /** In the order of the data. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Real headers of large models are below 1 MiB; the reference's own limit is 100 MB. */
export const maxHeaderBytes = 16 * 1024 * 1024;
export const lengthBytes = 8;

/** Length of the JSON in bytes, from the first 8 bytes. `fileBytes`: size of the whole. */
export function parseHeaderLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (prefix.length < lengthBytes) throw new SafetensorsError('truncated', file, null, `Only ${fileBytes} bytes long`);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw new SafetensorsError(
      'headerTooLarge',
      file,
      null,
      `The header claims ${length} bytes, the limit is ${maxHeaderBytes}`,
    );
  }
  if (Number(length) > fileBytes - lengthBytes) {
    throw new SafetensorsError('truncated', file, null, `The header claims ${length} bytes, the file has ${fileBytes}`);
  }
  return Number(length);
}

/** @throws SafetensorsError, naming the tensor where it is about one. `json`: the header's bytes without the length. */
export function parseHeader(json: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const value = parseJson(json, file);
  const metadata = parseMetadata(value.__metadata__, file);
  const start = lengthBytes + json.length;
  const dataBytes = fileBytes - start;
  const parsed = Object.entries(value)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => parseEntry(name, entry, dataBytes, file));
  parsed.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let reached = 0;
  const entries = new Map<string, TensorEntry>();
  for (const { name, dtype, shape, begin, end } of parsed) {
    if (begin !== reached) {
      const code = begin < reached ? 'overlap' : 'hole';
      throw new SafetensorsError(
        code,
        file,
        name,
        `The data starts at ${begin}, the tensor before it ends at ${reached}`,
      );
    }
    reached = end;
    entries.set(name, { name, dtype, shape, byteOffset: start + begin, byteLength: end - begin });
  }
  if (reached !== dataBytes)
    throw new SafetensorsError('hole', file, null, `${dataBytes - reached} bytes after the last tensor`);
  return { entries, metadata };
}

function parseJson(json: Uint8Array, file: string): Record<string, unknown> {
  const fail = (code: SafetensorsErrorCode, detail: string, cause?: unknown): never => {
    throw new SafetensorsError(code, file, null, detail, cause);
  };
  if (json[0] !== 0x7b) fail('notJson', 'The header does not start with "{"');
  const [text, value] = attempt(
    () => {
      const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
      return [decoded, JSON.parse(decoded) as unknown];
    },
    (cause) => fail('notJson', 'The header is not JSON', cause),
  );
  const duplicate = firstDuplicateKey(text);
  if (duplicate !== null)
    throw new SafetensorsError('duplicateName', file, duplicate, 'A name occurs twice in the header');
  return isObject(value) ? value : fail('badHeader', 'The header is no object');
}

function attempt<T>(run: () => T, onError: (cause: unknown) => never): T {
  try {
    return run();
  } catch (cause) {
    return onError(cause);
  }
}

/** JSON.parse keeps the last of equal keys without a word. `text` must be valid JSON. Linear, whatever the text. */
function firstDuplicateKey(text: string): string | null {
  const open: (Set<string> | null)[] = []; // null: an array
  let isKeyNext = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{' || character === '[') {
      isKeyNext = character === '{';
      open.push(isKeyNext ? new Set() : null);
    } else if (character === '}' || character === ']') open.pop();
    else if (character === ',') isKeyNext = open.at(-1) !== null;
    else if (character === '"') {
      const start = at++;
      for (; text[at] !== '"'; at++) if (text[at] === '\\') at++;
      const keys = open.at(-1);
      if (!isKeyNext || !keys) continue;
      isKeyNext = false;
      const key = JSON.parse(text.slice(start, at + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}

function parseMetadata(value: unknown, file: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    throw new SafetensorsError('badHeader', file, null, '"__metadata__" is not a map of texts');
  }
  return value as Record<string, string>;
}

interface ParsedEntry {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

function parseEntry(name: string, entry: unknown, dataBytes: number, file: string): ParsedEntry {
  const fail = (code: SafetensorsErrorCode, detail: string): never => {
    throw new SafetensorsError(code, file, name, detail);
  };
  if (!name.isWellFormed()) return fail('badHeader', 'The name is not well-formed Unicode');
  if (!isObject(entry)) return fail('badHeader', 'The entry is no object');
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string') return fail('badHeader', 'The entry has no dtype');
  const width = widthOf(dtype) ?? fail('unsupportedDtype', `Unknown dtype ${JSON.stringify(dtype.slice(0, 40))}`);
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail('badShape', 'The shape is not a list of counts');
  const elements = elementCount(shape) ?? fail('badShape', `The shape [${shape.slice(0, 8).join(', ')}] is too large`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    return fail('badHeader', 'The data offsets are not two counts');
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes)
    return fail('outOfRange', `The data [${begin}, ${end}) is not within the ${dataBytes} bytes there are`);
  if (end - begin !== elements * width) {
    return fail('sizeMismatch', `${end - begin} bytes of data for a ${dtype} of shape [${shape.join(', ')}]`);
  }
  return { name, dtype, shape, begin, end };
}

/** Number of elements of a shape, null when it is beyond what can be addressed. */
export function elementCount(shape: readonly number[]): number | null {
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (elements * 8 > Number.MAX_SAFE_INTEGER) return null;
  }
  return elements;
}

/** The bytes before the data: length and JSON, padded with spaces so that the data starts at a multiple of 8. */
export function encodeHeader(
  entries: readonly { name: string; dtype: Dtype; shape: readonly number[]; byteLength: number }[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let offset = 0;
  const rows = entries.map(({ name, dtype, shape, byteLength }) => {
    const begin = offset;
    offset += byteLength;
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, offset] })}`;
  });
  // Text by text, not from one object: a tensor may be called "__proto__", and number-like names would be moved to the front.
  if (Object.keys(metadata).length > 0) rows.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = new TextEncoder().encode(`{${rows.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(lengthBytes + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, lengthBytes);
  return bytes;
}

const widthOf = (dtype: string): number | undefined =>
  Object.hasOwn(elementBytes, dtype)
    ? elementBytes[dtype as Dtype]
    : Object.hasOwn(skippedBytes, dtype)
      ? skippedBytes[dtype]
      : undefined;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
