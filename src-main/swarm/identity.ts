/**
 * Who this node is: an ed25519 key pair from a 32-byte seed kept in one file of mode 600.
 * The same key proves itself in Noise and signs records. A damaged file is never replaced in silence: the identity is what
 * credit hangs on, so the owner decides. Knows nothing of the network.
 */
import { constants } from 'node:fs';
import { chmod, link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeError, errnoCode, WaggleError } from '../base/errors.ts';
import type { PeerId } from '../types.ts';
import { keyPairFromSeed, randomBytes, SEED_BYTES, toHex } from './crypto.ts';
import type { KeyPair } from './crypto.ts';

export interface Identity {
  keyPair: KeyPair;
  /** Public key, 64 hex digits. */
  publicKey: PeerId;
}

const FILE_MODE = 0o600;
const HEADER = 'waggle-identity-1';

export function identityFromSeed(seed: Uint8Array): Identity {
  if (seed.byteLength !== SEED_BYTES)
    throw new RangeError(`seed of ${String(seed.byteLength)} bytes, expected ${String(SEED_BYTES)}`);
  const keyPair = keyPairFromSeed(seed);
  return { keyPair, publicKey: toHex(keyPair.publicKey) };
}

/**
 * Reads the seed file, or creates it when there is none (atomically: two starts at once agree on one seed).
 * Errors: `identityCorrupt` (not a seed file), `identityUnreadable` (permission, disk).
 */
export async function openIdentity(path: string): Promise<Identity> {
  const existing = await readSeed(path);
  if (existing !== null) {
    await tightenMode(path);
    return identityFromSeed(existing);
  }
  await createSeed(path);
  const created = await readSeed(path);
  if (created === null) throw unreadable(path, new Error('the file vanished right after it was written'));
  return identityFromSeed(created);
}

async function readSeed(path: string): Promise<Buffer | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return null;
    throw unreadable(path, error);
  }
  const match = new RegExp(`^${HEADER} ([0-9a-f]{64})\\n?$`).exec(text);
  if (match?.[1] === undefined) throw corrupt(path, text.length);
  return Buffer.from(match[1], 'hex');
}

/** Writes beside the target, then links it into place: `link` fails where a rename would overwrite. */
async function createSeed(path: string): Promise<void> {
  const draft = `${path}.${toHex(randomBytes(6))}.new`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(draft, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, FILE_MODE);
    try {
      await file.writeFile(`${HEADER} ${toHex(randomBytes(SEED_BYTES))}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path).catch((error: unknown) => {
      if (errnoCode(error) !== 'EEXIST') throw error;
    });
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

async function tightenMode(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await chmod(path, FILE_MODE).catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

function corrupt(path: string, characters: number): WaggleError {
  return new WaggleError({
    code: 'identityCorrupt',
    message: `The identity file ${path} is damaged (${String(characters)} characters, not a seed).`,
    fix: 'Restore it from a backup to keep your name and credit, or move it away to start with a new identity.',
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
