/**
 * Records (signed, relayable groups) and heads (signed notes of what a peer has). Layouts in PROTOCOL.md.
 * Decoding checks bounds only; `isRecordAuthentic` / `isHeadAuthentic` check who signed. The id of a record is the hash of
 * all its bytes, signature included, and records are relayed byte for byte, so an id means the same everywhere.
 */
import { hash, HASH_BYTES, isSignedBy, PUBLIC_KEY_BYTES, sign, SIGNATURE_BYTES, toHex } from '../identity/crypto.ts';
import type { KeyPair } from '../identity/crypto.ts';
import { WIRE } from '../limits.ts';
import { ByteReader, ByteWriter, fault, ownCopy } from './bytes.ts';
import type { Decoded } from './bytes.ts';
import type { BodyEncoding, PackedBody } from './body.ts';

export const INSTANCE_ID_BYTES = 16;
/** Everything but the body: version, peer, instance, seq, round, time, encoding, length, signature. */
export const RECORD_OVERHEAD_BYTES = 1 + PUBLIC_KEY_BYTES + INSTANCE_ID_BYTES + 8 + 4 + 8 + 1 + 2 + SIGNATURE_BYTES;
export const MAX_RECORD_BYTES = RECORD_OVERHEAD_BYTES + WIRE.maxBodyBytes;
export const HEAD_BYTES = PUBLIC_KEY_BYTES + 4 + 2 + 8 + HASH_BYTES + SIGNATURE_BYTES;

export interface RecordFields {
  /** Who made it and signed it. */
  peer: Uint8Array;
  /** 16 random bytes drawn at each start of the origin. */
  instanceId: Uint8Array;
  /** Counts the origin's records since its start. */
  seq: number;
  /** The origin's round. */
  round: number;
  /** The origin's clock, ms since epoch. Shown, never trusted. */
  createdAt: number;
  body: PackedBody;
}

export interface SignedRecord extends RecordFields {
  /** Hash of `bytes`, 64 hex digits. */
  id: string;
  /** The whole record as relayed. */
  bytes: Uint8Array;
}

const ENCODINGS: readonly BodyEncoding[] = ['raw', 'deflate'];

export function signRecord(fields: Omit<RecordFields, 'peer'>, keys: KeyPair): SignedRecord & { bytes: Buffer } {
  const unsigned = new ByteWriter()
    .u8(WIRE.recordVersion)
    .fixed(keys.publicKey, PUBLIC_KEY_BYTES)
    .fixed(fields.instanceId, INSTANCE_ID_BYTES)
    .u53(fields.seq)
    .u32(fields.round)
    .u53(fields.createdAt)
    .u8(ENCODINGS.indexOf(fields.body.encoding))
    .u16(fields.body.bytes.byteLength)
    .raw(fields.body.bytes)
    .bytes();
  const bytes = ownCopy(unsigned, sign('record', unsigned, keys.secretKey));
  return { ...fields, peer: keys.publicKey, id: recordId(bytes), bytes };
}

export function recordId(bytes: Uint8Array): string {
  return toHex(hash('recordId', bytes));
}

/** Bounds and layout only. All bytes of the returned record are views of `input`: whoever keeps them copies them. */
export function decodeRecord(input: Uint8Array): Decoded<SignedRecord> {
  if (input.byteLength > MAX_RECORD_BYTES) return fault('oversize');
  const reader = new ByteReader(input);
  const version = reader.u8();
  if (reader.failed === null && version !== WIRE.recordVersion) return fault('unknownVersion');
  const peer = reader.view(PUBLIC_KEY_BYTES);
  const instanceId = reader.view(INSTANCE_ID_BYTES);
  const seq = reader.u53();
  const round = reader.u32();
  const createdAt = reader.u53();
  const encoding = ENCODINGS[reader.u8()];
  if (encoding === undefined) return fault('malformed');
  const body = { encoding, bytes: reader.view(reader.bounded(reader.u16(), WIRE.maxBodyBytes)) };
  reader.view(SIGNATURE_BYTES);
  if (!reader.finished()) return fault(reader.failed ?? 'malformed');
  return { ok: true, value: { peer, instanceId, seq, round, createdAt, body, bytes: input, id: recordId(input) } };
}

export function isRecordAuthentic(record: SignedRecord): boolean {
  const end = record.bytes.byteLength - SIGNATURE_BYTES;
  return isSignedBy('record', record.bytes.subarray(0, end), record.bytes.subarray(end), record.peer);
}

export interface Head {
  peer: Uint8Array;
  round: number;
  /** Records made in that round. */
  count: number;
  createdAt: number;
  /** Hash of the policy's name. */
  policyHash: Uint8Array;
  /** The whole head as gossiped. */
  bytes: Uint8Array;
}

export function policyHash(policyName: string): Buffer {
  return hash('policyName', policyName);
}

export function signHead(fields: Omit<Head, 'peer' | 'bytes'>, keys: KeyPair): Head {
  const unsigned = new ByteWriter()
    .fixed(keys.publicKey, PUBLIC_KEY_BYTES)
    .u32(fields.round)
    .u16(fields.count)
    .u53(fields.createdAt)
    .fixed(fields.policyHash, HASH_BYTES)
    .bytes();
  return { ...fields, peer: keys.publicKey, bytes: ownCopy(unsigned, sign('head', unsigned, keys.secretKey)) };
}

export function isHeadAuthentic({ peer, bytes }: Head): boolean {
  const end = HEAD_BYTES - SIGNATURE_BYTES;
  return isSignedBy('head', bytes.subarray(0, end), bytes.subarray(end), peer);
}

export function writeHead(out: ByteWriter, head: Head): void {
  out.fixed(head.bytes, HEAD_BYTES);
}

/** All bytes of the returned head are views, as of `decodeRecord`. */
export function readHead(reader: ByteReader): Head {
  const from = reader.at;
  const peer = reader.view(PUBLIC_KEY_BYTES);
  const round = reader.u32();
  const count = reader.u16();
  const createdAt = reader.u53();
  const policyHash = reader.view(HASH_BYTES);
  reader.view(SIGNATURE_BYTES);
  return { peer, round, count, createdAt, policyHash, bytes: reader.since(from) };
}

/** In memory of its own, so that it can be kept. */
export function keptHead({ bytes }: Head): Head {
  return readHead(new ByteReader(ownCopy(bytes)));
}
