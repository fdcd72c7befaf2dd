/**
 * Who this node is. One 32-byte seed, kept in one file of mode 600 (sealed by the system's keyring where there is one,
 * kept-identity.ts) and written down as 24 words (recovery-phrase.ts), is the owner; the key of a device follows from the seed and the device's number. Device 0 is the owner's own key, so that a single
 * machine needs nothing else; others carry the owner's signature. The device key proves itself in Noise and signs records.
 * A damaged file is never replaced in silence: the identity is what credit hangs on, so the owner decides.
 * Knows nothing of the network.
 */
import { constants } from 'node:fs';
import { chmod, link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeError, errnoCode, WaggleError } from '../../base/errors.ts';
import type { PeerId } from '../../types.ts';
import { hash, isSignedBy, keyPairFromSeed, randomBytes, SEED_BYTES, sign, toHex } from './crypto.ts';
import type { KeyPair } from './crypto.ts';

export interface Identity {
  keyPair: KeyPair;
  /** Public key of this device, 64 hex digits. */
  publicKey: PeerId;
  owner: OwnerProof;
}

/** Whose device a key is. */
export interface OwnerProof {
  /** Public key of the owner, 64 hex digits; the device's own for device 0. */
  publicKey: PeerId;
  /** The owner's signature over the device key; null for device 0. */
  signature: Buffer | null;
}

/** What the file holds: enough to be this device again. */
export interface IdentitySeed {
  /** 32 bytes, secret. */
  seed: Buffer;
  /** 16 hex digits; all zero is device 0, whose key is the owner's. */
  device: string;
}

const FILE_MODE = 0o600;
export const FIRST_DEVICE = '0'.repeat(16);

/** Device 0 of the owner of this seed. */
export function identityFromSeed(seed: Uint8Array): Identity {
  return identityOf({ seed: Buffer.from(seed), device: FIRST_DEVICE });
}

export function identityOf({ seed, device }: IdentitySeed): Identity {
  if (seed.byteLength !== SEED_BYTES)
    throw new RangeError(`seed of ${String(seed.byteLength)} bytes, expected ${String(SEED_BYTES)}`);
  const ownerKeys = keyPairFromSeed(seed);
  const owner = toHex(ownerKeys.publicKey);
  if (device === FIRST_DEVICE)
    return { keyPair: ownerKeys, publicKey: owner, owner: { publicKey: owner, signature: null } };
  const keyPair = keyPairFromSeed(hash('deviceKey', seed, Buffer.from(device, 'hex')));
  const signature = sign('device', keyPair.publicKey, ownerKeys.secretKey);
  return { keyPair, publicKey: toHex(keyPair.publicKey), owner: { publicKey: owner, signature } };
}

/** True when the owner vouches for the device, or is it. Never throws. */
export function isDeviceOf(device: Uint8Array, owner: Uint8Array, signature: Uint8Array | null): boolean {
  if (signature === null) return toHex(device) === toHex(owner);
  return isSignedBy('device', device, signature, owner);
}

/** A number for a further device of an owner. */
export function newDevice(): string {
  const device = toHex(randomBytes(8));
  return device === FIRST_DEVICE ? newDevice() : device;
}

/**
 * Reads the seed file, or creates it when there is none (atomically: two starts at once agree on one seed).
 * Errors: `identityCorrupt` (not a seed file), `identityUnreadable` (permission, disk).
 */
export async function openIdentity(path: string): Promise<Identity> {
  const existing = await readIdentitySeed(path);
  if (existing !== null) {
    await tightenMode(path);
    return identityOf(existing);
  }
  await createSeed(path);
  const created = await readIdentitySeed(path);
  if (created === null) throw unreadable(path, new Error('the file vanished right after it was written'));
  return identityOf(created);
}

/** Null when there is no file. Errors as `openIdentity`, and `identityInKeyring`. */
export async function readIdentitySeed(path: string): Promise<IdentitySeed | null> {
  const text = await readIdentityFile(path);
  if (text === null) return null;
  const seed = parseSeedText(text);
  if (seed !== null) return seed;
  throw sealedSeedOf(text) === null ? corrupt(path, text.length) : inKeyring(path);
}

/** Null when there is no file. Errors: `identityUnreadable`. */
export async function readIdentityFile(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return null;
    throw unreadable(path, error);
  }
}

/** One line: the seed in plain, and the device where it is not the first. */
export function seedText({ seed, device }: IdentitySeed): string {
  return `waggle-identity-${device === FIRST_DEVICE ? `1 ${toHex(seed)}` : `2 ${toHex(seed)} ${device}`}\n`;
}

/** Null for anything that `seedText` does not write. */
export function parseSeedText(text: string): IdentitySeed | null {
  const match = /^waggle-identity-(?:1 ([0-9a-f]{64})|2 ([0-9a-f]{64}) ([0-9a-f]{16}))\n?$/.exec(text);
  const seed = match?.[1] ?? match?.[2];
  return seed === undefined ? null : { seed: Buffer.from(seed, 'hex'), device: match?.[3] ?? FIRST_DEVICE };
}

const MAX_SEALED_CHARACTERS = 8_192;

/** The line that holds what a keyring made of `seedText`. */
export function sealedText(sealed: Uint8Array): string {
  return `waggle-identity-3 ${Buffer.from(sealed).toString('base64')}\n`;
}

/** Null for anything that `sealedText` does not write. */
export function sealedSeedOf(text: string): Buffer | null {
  if (text.length > MAX_SEALED_CHARACTERS) return null;
  const code = /^waggle-identity-3 ([A-Za-z0-9+/]+={0,2})\n?$/.exec(text)?.[1];
  return code === undefined ? null : Buffer.from(code, 'base64');
}

/** Puts another identity in the file's place, atomically; what was there is kept beside it. Returns where, or null. */
export function replaceIdentity(path: string, next: IdentitySeed): Promise<string | null> {
  return replaceIdentityFile(path, seedText(next));
}

/** `text` is of `seedText` or `sealedText`. Without `keepFormer` nothing is left of what was there. */
export async function replaceIdentityFile(path: string, text: string, keepFormer = true): Promise<string | null> {
  const draft = await writeDraft(path, text);
  try {
    const kept = keepFormer ? await keepBeside(path) : null;
    await rename(draft, path);
    return kept;
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

async function keepBeside(path: string): Promise<string | null> {
  const kept = `${path}.replaced-${String(Date.now())}`;
  try {
    await link(path, kept);
    return kept;
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Writes beside the target, then links it into place: `link` fails where a rename would overwrite. */
async function createSeed(path: string): Promise<void> {
  const draft = await writeDraft(path, seedText({ seed: randomBytes(SEED_BYTES), device: FIRST_DEVICE }));
  try {
    await link(draft, path).catch((error: unknown) => {
      if (errnoCode(error) !== 'EEXIST') throw error;
    });
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

async function writeDraft(path: string, text: string): Promise<string> {
  const draft = `${path}.${toHex(randomBytes(6))}.new`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(draft, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, FILE_MODE);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    return draft;
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw unreadable(path, error);
  }
}

export async function tightenMode(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await chmod(path, FILE_MODE).catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

export function corrupt(path: string, characters: number): WaggleError {
  return new WaggleError({
    code: 'identityCorrupt',
    message: `The identity file ${path} is damaged (${String(characters)} characters, not a seed).`,
    fix: 'Restore it from a backup (`waggle identity restore`) to keep your name and credit, or move it away to start with a new identity.',
    values: { path },
  });
}

function unreadable(path: string, cause: unknown): WaggleError {
  return new WaggleError({
    code: 'identityUnreadable',
    message: `The identity file ${path} cannot be read or written: ${describeError(cause)}.`,
    fix: 'Check that the data folder exists, belongs to you and has free space.',
    values: { path },
    cause,
  });
}

function inKeyring(path: string): WaggleError {
  return new WaggleError({
    code: 'identityInKeyring',
    message: `The identity ${path} is sealed by this system's keyring, which only the Waggle app can ask.`,
    fix: 'Start the app; or keep it in a file again with its 24 words: `waggle identity restore`; or give this node a folder of its own with --data.',
    values: { path },
  });
}
