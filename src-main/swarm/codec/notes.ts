/**
 * Notes travel like records (same pulls, same relaying, byte for byte) and tell of people and credit instead of completions:
 * a receipt sheet (what its signer has verified and trained on, or refused) and a profile (name, team, whose device).
 * The first byte tells them from records. Layouts in PROTOCOL.md. Decoding checks bounds; `isNoteAuthentic` who signed.
 */
import { safeLine } from '../../base/sanitise-text.ts';
import { hash, isSignedBy, PUBLIC_KEY_BYTES, sign, SIGNATURE_BYTES, toHex } from '../identity/crypto.ts';
import type { KeyPair } from '../identity/crypto.ts';
import { isDeviceOf } from '../identity/identity.ts';
import type { OwnerProof } from '../identity/identity.ts';
import { ByteReader, ByteWriter, fault, ownCopy } from './bytes.ts';
import type { Decoded } from './bytes.ts';
import { INSTANCE_ID_BYTES, MAX_RECORD_BYTES } from './record.ts';

export const NOTE = {
  sheetByte: 2,
  profileByte: 3,
  maxReceipts: 32,
  /** The first bytes of a record id, which name it well enough here. */
  idBytes: 16,
  maxNameBytes: 160,
  maxNameCharacters: 40,
} as const;

/** What became of a record. Everything but `adopted` tells its origin why not. */
export const OUTCOMES = ['adopted', 'expired', 'duplicateContent', 'taskRefused', 'badBody'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface Receipt {
  /** Public key of the record's origin, hex. */
  origin: string;
  /** First 16 bytes of the record's id, hex. */
  record: string;
  outcome: Outcome;
  /** Completions whose reward the auditor computed to be 1, and completions in all. Zero when refused before. */
  right: number;
  of: number;
  /** The origin's round. */
  round: number;
}

interface NoteFrame {
  /** Who signed it. */
  peer: Uint8Array;
  /** The signer's clock, ms since epoch; only ever compared with its own. */
  createdAt: number;
  id: string;
  bytes: Uint8Array;
}
export interface ReceiptSheet extends NoteFrame {
  kind: 'sheet';
  instanceId: Uint8Array;
  /** The auditor's round. */
  round: number;
  receipts: Receipt[];
}
export interface Profile extends NoteFrame {
  kind: 'profile';
  /** Sanitised, at most 40 characters; empty for none. */
  displayName: string;
  team: string;
  /** Public key, hex. Proven: a profile whose owner has not signed the device does not decode. */
  owner: string;
}
export type Note = ReceiptSheet | Profile;

export function signSheet(
  fields: Pick<ReceiptSheet, 'instanceId' | 'round' | 'createdAt' | 'receipts'>,
  keys: KeyPair,
): ReceiptSheet & { bytes: Buffer } {
  const { receipts } = fields;
  if (receipts.length === 0 || receipts.length > NOTE.maxReceipts)
    throw new RangeError(`${String(receipts.length)} receipts`);
  const out = new ByteWriter()
    .u8(NOTE.sheetByte)
    .fixed(keys.publicKey, PUBLIC_KEY_BYTES)
    .u53(fields.createdAt)
    .fixed(fields.instanceId, INSTANCE_ID_BYTES)
    .u32(fields.round)
    .u8(receipts.length);
  for (const { origin, record, outcome, right, of, round } of receipts)
    out
      .fixed(Buffer.from(origin, 'hex'), PUBLIC_KEY_BYTES)
      .fixed(Buffer.from(record, 'hex'), NOTE.idBytes)
      .u8(OUTCOMES.indexOf(outcome))
      .u8(right)
      .u8(of)
      .u32(round);
  return { kind: 'sheet', peer: keys.publicKey, ...fields, ...signed(out, 'receipts', keys) };
}

export function signProfile(
  fields: { createdAt: number; displayName: string; team: string },
  owner: OwnerProof,
  keys: KeyPair,
): Profile & { bytes: Buffer } {
  const displayName = publicName(fields.displayName);
  const team = publicName(fields.team);
  const out = new ByteWriter()
    .u8(NOTE.profileByte)
    .fixed(keys.publicKey, PUBLIC_KEY_BYTES)
    .u53(fields.createdAt)
    .text(displayName, NOTE.maxNameBytes)
    .text(team, NOTE.maxNameBytes)
    .fixed(Buffer.from(owner.publicKey, 'hex'), PUBLIC_KEY_BYTES)
    .u8(owner.signature === null ? 0 : 1);
  if (owner.signature !== null) out.fixed(owner.signature, SIGNATURE_BYTES);
  const { createdAt } = fields;
  const frame = { peer: keys.publicKey, createdAt, ...signed(out, 'profile', keys) };
  return { kind: 'profile', displayName, team, owner: owner.publicKey, ...frame };
}

/** All bytes of the returned note are views of `input`: whoever keeps them copies them. */
export function decodeNote(input: Uint8Array): Decoded<Note> {
  if (input.byteLength > MAX_RECORD_BYTES) return fault('oversize');
  const reader = new ByteReader(input);
  const kind = reader.u8();
  if (kind !== NOTE.sheetByte && kind !== NOTE.profileByte) return fault('unknownVersion');
  const peer = reader.view(PUBLIC_KEY_BYTES);
  const createdAt = reader.u53();
  const content = kind === NOTE.sheetByte ? readSheet(reader) : readProfile(reader, peer);
  reader.view(SIGNATURE_BYTES);
  if (!reader.finished()) return fault(reader.failed ?? 'malformed');
  return { ok: true, value: { ...content, peer, createdAt, bytes: input, id: toHex(hash('recordId', input)) } };
}

/** True for bytes that claim to be a note rather than a record. */
export function isNote(bytes: Uint8Array): boolean {
  return bytes[0] === NOTE.sheetByte || bytes[0] === NOTE.profileByte;
}

export function isNoteAuthentic(note: Note): boolean {
  const end = note.bytes.byteLength - SIGNATURE_BYTES;
  const purpose = note.kind === 'sheet' ? 'receipts' : 'profile';
  return isSignedBy(purpose, note.bytes.subarray(0, end), note.bytes.subarray(end), note.peer);
}

function signed(out: ByteWriter, purpose: 'receipts' | 'profile', keys: KeyPair): { id: string; bytes: Buffer } {
  const unsigned = out.bytes();
  const bytes = ownCopy(unsigned, sign(purpose, unsigned, keys.secretKey));
  return { id: toHex(hash('recordId', bytes)), bytes };
}

function readSheet(reader: ByteReader): Pick<ReceiptSheet, 'kind' | 'instanceId' | 'round' | 'receipts'> {
  const instanceId = reader.view(INSTANCE_ID_BYTES);
  const round = reader.u32();
  const count = reader.bounded(reader.u8(), NOTE.maxReceipts);
  if (count === 0) reader.fail('malformed');
  const receipts: Receipt[] = [];
  for (let i = 0; i < count && reader.failed === null; i++) receipts.push(readReceipt(reader));
  return { kind: 'sheet', instanceId, round, receipts };
}

function readReceipt(reader: ByteReader): Receipt {
  const origin = toHex(reader.view(PUBLIC_KEY_BYTES));
  const record = toHex(reader.view(NOTE.idBytes));
  const outcome = OUTCOMES[reader.u8()];
  const right = reader.u8();
  const of = reader.u8();
  if (outcome === undefined || right > of) reader.fail('malformed');
  return { origin, record, outcome: outcome ?? 'badBody', right, of, round: reader.u32() };
}

function readProfile(reader: ByteReader, peer: Uint8Array): Pick<Profile, 'kind' | 'displayName' | 'team' | 'owner'> {
  const displayName = publicName(reader.text(NOTE.maxNameBytes));
  const team = publicName(reader.text(NOTE.maxNameBytes));
  const owner = reader.view(PUBLIC_KEY_BYTES);
  const proof = reader.bounded(reader.u8(), 1) === 1 ? reader.view(SIGNATURE_BYTES) : null;
  if (reader.failed === null && !isDeviceOf(peer, owner, proof)) reader.fail('malformed');
  return { kind: 'profile', displayName, team, owner: toHex(owner) };
}

/** What others see of a name: one visible line, cut until it fits the wire. */
export function publicName(text: string): string {
  let name = safeLine(text, NOTE.maxNameCharacters);
  while (Buffer.byteLength(name, 'utf8') > NOTE.maxNameBytes) name = Array.from(name).slice(0, -1).join('');
  return name;
}
