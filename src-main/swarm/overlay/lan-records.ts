/**
 * What a node says of itself on the local network, and what it makes of what others say. Only members can tell which swarm it
 * is and whose key it carries: both are hidden under the topic, which outsiders of a private swarm do not know, and under a
 * name drawn at each start, so that two networks cannot tell that the same node visited both. Pure; knows nothing of mDNS.
 */
import { equalBytes, HASH_BYTES, mac, PUBLIC_KEY_BYTES, toHex } from '../identity/crypto.ts';
import { isLanAddress } from './paths.ts';

export const LAN_RECORD_VERSION = '1';
const TOKEN_BYTES = 16;
const NAME = /^[0-9a-f]{16}$/;

/** The TXT record: `v` version, `s` swarm token, `k` hidden public key, both in hex. */
export interface LanText {
  v: string;
  s: string;
  k: string;
}

/** One node found, its address taken from where the packet came from and not from what it says. */
export interface LanPeer {
  publicKey: Buffer;
  host: string;
  port: number;
}

export type LanFault = 'badName' | 'badText' | 'otherVersion' | 'otherSwarm' | 'badAddress' | 'oneself';

export function lanText(topic: Buffer, name: string, publicKey: Buffer): LanText {
  return { v: LAN_RECORD_VERSION, s: toHex(tokenOf(topic, name)), k: toHex(mask(topic, name, publicKey)) };
}

/** `said` is whatever a stranger sent. */
export function readLanRecord(
  topic: Buffer,
  ownKey: Buffer,
  said: { name: unknown; text: unknown; host: unknown; port: unknown },
): { ok: true; peer: LanPeer } | { ok: false; reason: LanFault } {
  const { name, text, host, port } = said;
  if (typeof name !== 'string' || !NAME.test(name)) return { ok: false, reason: 'badName' };
  if (typeof text !== 'object' || text === null) return { ok: false, reason: 'badText' };
  const { v, s, k } = text as Partial<Record<keyof LanText, unknown>>;
  if (v !== LAN_RECORD_VERSION) return { ok: false, reason: 'otherVersion' };
  const token = bytesOf(s, TOKEN_BYTES);
  const hidden = bytesOf(k, PUBLIC_KEY_BYTES);
  if (token === null || hidden === null) return { ok: false, reason: 'badText' };
  if (!equalBytes(token, tokenOf(topic, name))) return { ok: false, reason: 'otherSwarm' };
  const isPort = typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536;
  if (typeof host !== 'string' || !isLanAddress(host) || !isPort) return { ok: false, reason: 'badAddress' };
  const publicKey = mask(topic, name, hidden);
  return equalBytes(publicKey, ownKey)
    ? { ok: false, reason: 'oneself' }
    : { ok: true, peer: { publicKey, host, port } };
}

function tokenOf(topic: Buffer, name: string): Buffer {
  return mac('lanToken', topic, name).subarray(0, TOKEN_BYTES);
}

/** Hides and shows alike. */
function mask(topic: Buffer, name: string, key: Buffer): Buffer {
  const pad = mac('lanKey', topic, name);
  return Buffer.from(Array.from({ length: HASH_BYTES }, (_, i) => key[i]! ^ pad[i]!));
}

function bytesOf(hex: unknown, count: number): Buffer | null {
  return typeof hex === 'string' && hex.length === count * 2 && /^[0-9a-f]*$/.test(hex)
    ? Buffer.from(hex, 'hex')
    : null;
}
