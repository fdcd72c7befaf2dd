/**
 * The body of a record: one task reference and the completions one policy gave, as text. Binary layout in PROTOCOL.md.
 * Knows nothing of signatures or rewards. Bounds are checked before anything is inflated, decoded or parsed.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { JsonObject, JsonValue, TaskRef } from '../../types.ts';
import { WIRE } from '../limits.ts';
import { ByteReader, ByteWriter, fault } from './bytes.ts';
import type { Decoded } from './bytes.ts';

export interface BodyCompletion {
  text: string;
  ended: boolean;
}

export interface RecordBody {
  task: TaskRef;
  policyName: string;
  completions: BodyCompletion[];
}

export type BodyEncoding = 'raw' | 'deflate';

export interface PackedBody {
  encoding: BodyEncoding;
  bytes: Uint8Array;
}

/** Most bodies are a few kilobytes: with zlib's own step of 16 KB, what every record throws away again is several times its size. */
const STEP = { chunkSize: 8 * 1024 } as const;
const INFLATE = { ...STEP, maxOutputLength: WIRE.maxInflatedBytes } as const;

/** Deflated where that is smaller. Own content beyond a bound is `{ok: false}`: a node must not share it. */
export function packBody(body: RecordBody): Decoded<PackedBody> {
  let plain: Buffer;
  try {
    plain = encodeBody(body);
  } catch {
    return fault('oversize');
  }
  if (plain.byteLength > WIRE.maxInflatedBytes) return fault('oversize');
  const deflated = deflateRawSync(plain, STEP);
  const smaller = deflated.byteLength < plain.byteLength;
  const bytes = smaller ? deflated : plain;
  if (bytes.byteLength > WIRE.maxBodyBytes) return fault('oversize');
  return { ok: true, value: { encoding: smaller ? 'deflate' : 'raw', bytes } };
}

export function unpackBody(packed: PackedBody): Decoded<RecordBody> {
  if (packed.bytes.byteLength > WIRE.maxBodyBytes) return fault('oversize');
  if (packed.encoding === 'raw') return decodeBody(packed.bytes);
  try {
    return decodeBody(inflateRawSync(packed.bytes, INFLATE));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return fault(code === 'ERR_BUFFER_TOO_LARGE' ? 'zipBomb' : 'malformed');
  }
}

export function encodeBody(body: RecordBody): Buffer {
  const { task } = body;
  if (body.completions.length === 0 || body.completions.length > WIRE.maxCompletions)
    throw new RangeError(`${String(body.completions.length)} completions`);
  const out = new ByteWriter()
    .text(task.generator, WIRE.maxGeneratorBytes)
    .u16(task.version)
    .text(JSON.stringify(task.config), WIRE.maxConfigBytes)
    .text(task.seed, WIRE.maxSeedBytes)
    .u53(task.index)
    .text(body.policyName, WIRE.maxPolicyNameBytes)
    .u8(body.completions.length);
  for (const completion of body.completions)
    out.u8(completion.ended ? 1 : 0).text(completion.text, WIRE.maxCompletionBytes);
  return out.bytes();
}

export function decodeBody(bytes: Uint8Array): Decoded<RecordBody> {
  if (bytes.byteLength > WIRE.maxInflatedBytes) return fault('oversize');
  const reader = new ByteReader(bytes);
  const generator = reader.text(WIRE.maxGeneratorBytes);
  const version = reader.u16();
  const config = parseConfig(reader.text(WIRE.maxConfigBytes), reader);
  const seed = reader.text(WIRE.maxSeedBytes);
  if (!/^-?(0|[1-9]\d*)$/.test(seed)) reader.fail('malformed');
  const index = reader.u53();
  const policyName = reader.text(WIRE.maxPolicyNameBytes);
  const count = reader.bounded(reader.u8(), WIRE.maxCompletions);
  if (count === 0) reader.fail('malformed');
  const completions: BodyCompletion[] = [];
  for (let i = 0; i < count && reader.failed === null; i++) {
    const ended = reader.bounded(reader.u8(), 1) === 1;
    completions.push({ ended, text: reader.text(WIRE.maxCompletionBytes) });
  }
  if (!reader.finished()) return fault(reader.failed ?? 'malformed');
  return { ok: true, value: { task: { generator, version, config, seed, index }, policyName, completions } };
}

function parseConfig(text: string, reader: ByteReader): JsonObject {
  if (reader.failed !== null) return {};
  try {
    const value = JSON.parse(text) as JsonValue;
    if (isPlainObject(value) && isShallow(value, WIRE.maxConfigDepth)) return value;
  } catch {
    // falls through to the one refusal below
  }
  reader.fail('badConfig');
  return {};
}

function isPlainObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isShallow(value: JsonValue, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0 || Object.hasOwn(value, '__proto__')) return false;
  return Object.values(value).every((inner) => isShallow(inner, depth - 1));
}
