/**
 * The messages of a connection. One row per kind in `CODECS`: its byte on the wire, its encoder and its decoder; a missing
 * row does not compile. Decoders return `{ok: false}` on any bad byte and never throw. Layouts in PROTOCOL.md.
 * Records stay opaque bytes here: admission decodes them one by one, outside the network handler.
 */
import { HASH_BYTES, PUBLIC_KEY_BYTES } from '../identity/crypto.ts';
import { WIRE } from '../limits.ts';
import { ByteReader, ByteWriter, fault } from './bytes.ts';
import type { Decoded } from './bytes.ts';
import { isFilterSize, KNOWN_IDS } from './known-ids.ts';
import type { KnownIds } from './known-ids.ts';
import {
  HEAD_BYTES,
  INSTANCE_ID_BYTES,
  MAX_RECORD_BYTES,
  readHead,
  RECORD_OVERHEAD_BYTES,
  writeHead,
} from './record.ts';
import type { Head } from './record.ts';

/** What a member does. Unknown bits are ignored. */
export const CAPABILITY = { generates: 1, trains: 2, relays: 4, carries: 8 } as const;

export interface Handshake {
  kind: 'handshake';
  version: number;
  minVersion: number;
  capabilities: number;
  instanceId: Buffer;
  /** Proof of the swarm's secret; null in a public swarm. */
  membership: Buffer | null;
  /** Where packets of others are carried; null where none are. Goes with `CAPABILITY.carries`. */
  relayKey: Buffer | null;
}
export interface Heads {
  kind: 'heads';
  heads: Head[];
}
export interface Pull {
  kind: 'pull';
  requestId: number;
  count: number;
  /** Wanted share of the answering node's own records, percent. */
  ownPercent: number;
  /** Records received longer ago than this are not wanted. */
  maxAgeMs: number;
  /** Payload budget of the answer. */
  maxBytes: number;
  /** What the asker has from elsewhere. In a message that was read its bits are a view of the frame. */
  known: KnownIds;
}
export interface Records {
  kind: 'records';
  requestId: number;
  records: Uint8Array[];
}
export interface Busy {
  kind: 'busy';
  requestId: number;
  retryMs: number;
  /** Public keys of peers that may have more. */
  hints: Buffer[];
}
export const BYE_REASONS = [
  'leaving',
  'full',
  'incompatibleVersion',
  'wrongSecret',
  'misbehaved',
  'doubledIdentity',
  'mute',
  'banned',
] as const;
export type ByeReason = (typeof BYE_REASONS)[number];
export interface Bye {
  kind: 'bye';
  reason: ByeReason;
}

export type Message = Handshake | Heads | Pull | Records | Busy | Bye;
export type MessageKind = Message['kind'];

interface Codec<M> {
  byte: number;
  maxBytes: number;
  write(out: ByteWriter, message: M): void;
  read(reader: ByteReader): M;
}

const CODECS: { [K in MessageKind]: Codec<Extract<Message, { kind: K }>> } = {
  handshake: { byte: 1, maxBytes: 256, write: writeHandshake, read: readHandshake },
  heads: {
    byte: 2,
    maxBytes: 3 + HEAD_BYTES * WIRE.maxHeads,
    write(out, { heads }) {
      out.u16(withinCount(heads.length, WIRE.maxHeads));
      for (const head of heads) writeHead(out, head);
    },
    read: (reader) => ({ kind: 'heads', heads: readList(reader, reader.u16(), WIRE.maxHeads, () => readHead(reader)) }),
  },
  pull: { byte: 3, maxBytes: 21 + KNOWN_IDS.maxBytes, write: writePull, read: readPull },
  records: {
    byte: 4,
    maxBytes: WIRE.maxFrameBytes,
    write(out, { requestId, records }) {
      out.u32(requestId).u8(withinCount(records.length, WIRE.maxPullRecords));
      for (const record of records) out.u16(record.byteLength).raw(record);
    },
    read: (reader) => ({
      kind: 'records',
      requestId: reader.u32(),
      records: readList(reader, reader.u8(), WIRE.maxPullRecords, () => readRecordBytes(reader)),
    }),
  },
  busy: {
    byte: 5,
    maxBytes: 16 + PUBLIC_KEY_BYTES * WIRE.maxHints,
    write(out, { requestId, retryMs, hints }) {
      out.u32(requestId).u32(retryMs).u8(withinCount(hints.length, WIRE.maxHints));
      for (const hint of hints) out.fixed(hint, PUBLIC_KEY_BYTES);
    },
    read: (reader) => ({
      kind: 'busy',
      requestId: reader.u32(),
      retryMs: reader.u32(),
      hints: readList(reader, reader.u8(), WIRE.maxHints, () => reader.fixed(PUBLIC_KEY_BYTES)),
    }),
  },
  bye: {
    byte: 6,
    maxBytes: 2,
    write: (out, { reason }) => void out.u8(BYE_REASONS.indexOf(reason)),
    read(reader) {
      const reason = BYE_REASONS[reader.u8()];
      if (reason === undefined) reader.fail('malformed');
      return { kind: 'bye', reason: reason ?? 'leaving' };
    },
  },
};

const KIND_OF_BYTE = new Map<number, MessageKind>(
  (Object.keys(CODECS) as MessageKind[]).map((kind) => [CODECS[kind].byte, kind]),
);

/** Throws a RangeError on values out of bounds: those are this node's own, so it is a bug. */
export function encodeMessage(message: Message): Buffer {
  const codec = CODECS[message.kind] as Codec<Message>;
  const out = new ByteWriter(message.kind === 'records' ? bytesOf(message) : undefined).u8(codec.byte);
  codec.write(out, message);
  return out.bytes();
}

function bytesOf({ records }: Records): number {
  return records.reduce((sum, record) => sum + 2 + record.byteLength, 1 + 4 + 1);
}

export function decodeMessage(payload: Uint8Array): Decoded<Message> {
  if (payload.byteLength > WIRE.maxFrameBytes) return fault('oversize');
  const reader = new ByteReader(payload);
  const kind = KIND_OF_BYTE.get(reader.u8());
  if (kind === undefined) return fault(payload.byteLength === 0 ? 'malformed' : 'unknownKind');
  const codec = CODECS[kind];
  if (payload.byteLength > codec.maxBytes) return fault('oversize');
  const message = codec.read(reader);
  if (!reader.finished()) return fault(reader.failed ?? 'malformed');
  return { ok: true, value: message };
}

function writeHandshake(out: ByteWriter, message: Handshake): void {
  out
    .u16(message.version)
    .u16(message.minVersion)
    .u32(capabilitiesOf(message))
    .fixed(message.instanceId, INSTANCE_ID_BYTES)
    .u8(message.membership === null ? 0 : 1);
  if (message.membership !== null) out.fixed(message.membership, HASH_BYTES);
  if (message.relayKey !== null) out.fixed(message.relayKey, PUBLIC_KEY_BYTES);
}

/** The bit says whether the key follows. */
function capabilitiesOf({ capabilities, relayKey }: Handshake): number {
  const others = (capabilities & ~CAPABILITY.carries) >>> 0;
  return relayKey === null ? others : (others | CAPABILITY.carries) >>> 0;
}

function readHandshake(reader: ByteReader): Handshake {
  const version = reader.u16();
  const minVersion = reader.u16();
  if (minVersion > version) reader.fail('malformed');
  const capabilities = reader.u32();
  const instanceId = reader.fixed(INSTANCE_ID_BYTES);
  const membership = reader.bounded(reader.u8(), 1) === 1 ? reader.fixed(HASH_BYTES) : null;
  const relayKey = (capabilities & CAPABILITY.carries) === 0 ? null : reader.fixed(PUBLIC_KEY_BYTES);
  // A later version may append fields here; everything before stays where it is for ever.
  reader.skipRest();
  return { kind: 'handshake', version, minVersion, capabilities, instanceId, membership, relayKey };
}

function writePull(out: ByteWriter, message: Pull): void {
  out.u32(message.requestId).u8(withinCount(message.count, WIRE.maxPullRecords));
  out.u8(withinCount(message.ownPercent, 100)).u32(message.maxAgeMs).u32(message.maxBytes);
  const { salt, bits } = message.known;
  if (!isFilterSize(bits.byteLength)) throw new RangeError(`a filter of ${String(bits.byteLength)} bytes`);
  out.u32(salt).u16(bits.byteLength).raw(bits);
}

function readPull(reader: ByteReader): Pull {
  return {
    kind: 'pull',
    requestId: reader.u32(),
    count: reader.bounded(reader.u8(), WIRE.maxPullRecords),
    ownPercent: reader.bounded(reader.u8(), 100),
    maxAgeMs: reader.u32(),
    maxBytes: reader.u32(),
    known: readKnownIds(reader),
  };
}

function readKnownIds(reader: ByteReader): KnownIds {
  const salt = reader.u32();
  const bytes = reader.bounded(reader.u16(), KNOWN_IDS.maxBytes);
  if (!isFilterSize(bytes)) reader.fail('malformed');
  return { salt, bits: reader.view(bytes) };
}

/** Admission copies those it can read; the frame stays until all have been looked at. */
function readRecordBytes(reader: ByteReader): Uint8Array {
  const length = reader.bounded(reader.u16(), MAX_RECORD_BYTES);
  if (length < RECORD_OVERHEAD_BYTES) reader.fail('malformed');
  return reader.view(length);
}

function readList<T>(reader: ByteReader, count: number, max: number, read: () => T): T[] {
  const bounded = reader.bounded(count, max);
  const items: T[] = [];
  for (let i = 0; i < bounded && reader.failed === null; i++) items.push(read());
  return items;
}

function withinCount(count: number, max: number): number {
  if (count > max) throw new RangeError(`${String(count)} items, at most ${String(max)}`);
  return count;
}
