/**
 * The few cryptographic acts of the swarm: namespaced BLAKE2b-256 hashes, ed25519 signatures, keyed MACs, random bytes.
 * Knows nothing of records or peers. Every hash, MAC and signature is bound to a purpose, so that bytes signed for one
 * purpose can never be shown as another's.
 */
import sodium from 'sodium-native';

export const HASH_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const SEED_BYTES = 32;

/** What a hash, MAC or signature is for. */
export type Purpose =
  | 'record'
  | 'head'
  | 'recordId'
  | 'topic'
  | 'membership'
  | 'secretKey'
  | 'secretSalt'
  | 'policyName'
  | 'content'
  | 'device'
  | 'deviceKey'
  | 'receipts'
  | 'profile'
  | 'swarm'
  | 'swarmSecret'
  | 'invite'
  | 'shard'
  | 'lanToken'
  | 'lanKey';

export interface KeyPair {
  /** 32 bytes. */
  publicKey: Buffer;
  /** 64 bytes, as libsodium keeps it. */
  secretKey: Buffer;
}

const namespaces = new Map<Purpose, Buffer>();

/** Its length in a byte, then the name. */
function namespace(purpose: Purpose): Buffer {
  let known = namespaces.get(purpose);
  if (known === undefined) {
    const name = Buffer.from(`waggle/swarm/1/${purpose}`, 'utf8');
    known = Buffer.concat([Buffer.from([name.byteLength]), name]);
    namespaces.set(purpose, known);
  }
  return known;
}

/** Text stands for its UTF-8. */
type Part = Uint8Array | string;

/** 32-byte hash; every part is length-prefixed, so that (ab, c) and (a, bc) differ. */
export function hash(purpose: Purpose, ...parts: Part[]): Buffer {
  return digest(purpose, parts);
}

/** As `hash`, with a 32-byte key. */
export function mac(purpose: Purpose, key: Buffer, ...parts: Part[]): Buffer {
  return digest(purpose, parts, key);
}

/** Where messages are put together, a thousand a minute; longer ones get memory of their own. */
const desk = Buffer.allocUnsafeSlow(32 * 1024);
/** UTF-8 of one UTF-16 unit. */
const MAX_BYTES_OF_UNIT = 3;

function digest(purpose: Purpose, parts: readonly Part[], key?: Buffer): Buffer {
  const message = written(namespace(purpose), parts);
  const out = Buffer.allocUnsafe(HASH_BYTES);
  if (key === undefined) sodium.crypto_generichash(out, message);
  else sodium.crypto_generichash(out, message, key);
  message.fill(0); // seeds and secrets are hashed, too
  return out;
}

function written(name: Buffer, parts: readonly Part[]): Buffer {
  let most = name.byteLength;
  for (const part of parts) most += 4 + (typeof part === 'string' ? part.length * MAX_BYTES_OF_UNIT : part.byteLength);
  const message = most <= desk.byteLength ? desk : Buffer.allocUnsafe(most);
  let at = name.copy(message);
  for (const part of parts) {
    const start = at + 4;
    if (typeof part === 'string') at = start + message.write(part, start, 'utf8');
    else {
      message.set(part, start);
      at = start + part.byteLength;
    }
    message.writeUInt32LE(at - start, start - 4);
  }
  return message.subarray(0, at);
}

export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  const publicKey = Buffer.alloc(PUBLIC_KEY_BYTES);
  const secretKey = Buffer.alloc(sodium.crypto_sign_SECRETKEYBYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, asBuffer(seed));
  return { publicKey, secretKey };
}

/** 64-byte signature over the namespaced hash of `message`. */
export function sign(purpose: Purpose, message: Uint8Array, secretKey: Buffer): Buffer {
  const signature = Buffer.alloc(SIGNATURE_BYTES);
  sodium.crypto_sign_detached(signature, hash(purpose, message), secretKey);
  return signature;
}

/** Never throws; wrong lengths are simply not valid. */
export function isSignedBy(
  purpose: Purpose,
  message: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.byteLength !== SIGNATURE_BYTES || publicKey.byteLength !== PUBLIC_KEY_BYTES) return false;
  return sodium.crypto_sign_verify_detached(asBuffer(signature), hash(purpose, message), asBuffer(publicKey));
}

/** Constant-time comparison; lengths are public. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && (a.byteLength === 0 || sodium.sodium_memcmp(asBuffer(a), asBuffer(b)));
}

export function randomBytes(count: number): Buffer {
  const out = Buffer.alloc(count);
  sodium.randombytes_buf(out);
  return out;
}

export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
