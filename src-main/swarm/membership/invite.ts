/**
 * An invite: a swarm's description and, for a private one, its secret, as one line to be pasted, clicked or shown as a QR code:
 * `waggle://join/` and base64url. Whoever has the link of a private swarm can enter it and invite others.
 * A stranger's text: bounded before anything else, then decoded byte by byte. Knows no file and no network.
 */
import { decodeDescription } from '../codec/description.ts';
import type { SwarmDescription } from '../codec/description.ts';
import { ByteReader, ByteWriter } from '../codec/bytes.ts';
import { DESCRIPTION, secretHashOf } from '../codec/description.ts';
import { equalBytes, hash, randomBytes } from '../identity/crypto.ts';

const PREFIX = 'waggle://join/';
const INVITE_VERSION = 1;
const CHECK_BYTES = 4;
const MAX_SECRET_BYTES = 64;
const MAX_LINK_CHARACTERS = 1_024;

export interface Invite {
  description: SwarmDescription;
  /** Null for a public swarm. */
  secret: string | null;
}

/** Why a text is no invite, and what to do. */
export const INVITE_FAULTS = {
  notAnInvite: ['That is not an invite link.', `An invite starts with ${PREFIX} and is one line.`],
  tooLong: ['That is too long for an invite link.', 'Copy the link alone, without the text around it.'],
  damaged: ['The invite link is incomplete or mistyped.', 'Copy it again, all of it, or ask for it again.'],
  newerVersion: ['The invite link was made by a newer Waggle.', 'Update Waggle, then join again.'],
  forged: ['The invite link has been altered.', 'Ask whoever made the swarm for the link again.'],
} as const satisfies Record<string, readonly [message: string, fix: string]>;
export type InviteFault = keyof typeof INVITE_FAULTS;

export function newSecret(): string {
  return randomBytes(18).toString('base64url');
}

/** Throws a RangeError when the secret is not the description's. */
export function encodeInvite({ description, secret }: Invite): string {
  if (!isSecretOf(description, secret)) throw new RangeError('the secret is not that of the swarm');
  const body = new ByteWriter()
    .u8(INVITE_VERSION)
    .u16(description.bytes.byteLength)
    .raw(description.bytes)
    .text(secret ?? '', MAX_SECRET_BYTES)
    .bytes();
  return `${PREFIX}${Buffer.concat([body, checkOf(body)]).toString('base64url')}`;
}

export function decodeInvite(text: string): { ok: true; invite: Invite } | { ok: false; reason: InviteFault } {
  if (text.length > MAX_LINK_CHARACTERS * 2) return { ok: false, reason: 'tooLong' };
  const link = text.trim();
  if (link.length > MAX_LINK_CHARACTERS) return { ok: false, reason: 'tooLong' };
  const code = link.slice(PREFIX.length).replace(/\/$/, '');
  if (link.slice(0, PREFIX.length).toLowerCase() !== PREFIX || !/^[\w-]+$/.test(code))
    return { ok: false, reason: 'notAnInvite' };
  const bytes = Buffer.from(code, 'base64url');
  if (bytes.toString('base64url') !== code || bytes.byteLength <= CHECK_BYTES) return { ok: false, reason: 'damaged' };
  const body = bytes.subarray(0, -CHECK_BYTES);
  if (!equalBytes(checkOf(body), bytes.subarray(-CHECK_BYTES))) return { ok: false, reason: 'damaged' };
  return decodeBody(body);
}

function decodeBody(body: Buffer): { ok: true; invite: Invite } | { ok: false; reason: InviteFault } {
  const reader = new ByteReader(body);
  const version = reader.u8();
  if (version > INVITE_VERSION) return { ok: false, reason: 'newerVersion' };
  const length = reader.bounded(reader.u16(), DESCRIPTION.maxBytes);
  const description = reader.fixed(length);
  const text = reader.text(MAX_SECRET_BYTES);
  if (version !== INVITE_VERSION || !reader.finished()) return { ok: false, reason: 'damaged' };
  const decoded = decodeDescription(description);
  if (!decoded.ok) return { ok: false, reason: decoded.reason === 'unknownVersion' ? 'newerVersion' : 'forged' };
  const secret = text === '' ? null : text;
  if (!isSecretOf(decoded.value, secret)) return { ok: false, reason: 'forged' };
  return { ok: true, invite: { description: decoded.value, secret } };
}

function isSecretOf({ secretHash }: SwarmDescription, secret: string | null): boolean {
  if (secretHash === null || secret === null) return secretHash === null && secret === null;
  return equalBytes(secretHash, secretHashOf(secret));
}

function checkOf(body: Buffer): Buffer {
  return hash('invite', body).subarray(0, CHECK_BYTES);
}
