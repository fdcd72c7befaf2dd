/**
 * The identity as the desktop app keeps it: its file holds what the system's keyring made of the seed. A plain file is sealed once,
 * at the first start with a keyring; where there is none, or it fails, the file stays as it was (mode 600) and the reason is told.
 * Knows no Electron: the keyring is handed in.
 *
 * Invariant: a file is replaced only by one that was opened again and held the same seed; a sealed identity that cannot be opened
 * is never replaced by a new one.
 */
import { describeError, WaggleError } from '../../base/errors.ts';
import {
  corrupt,
  identityOf,
  openIdentity,
  parseSeedText,
  readIdentityFile,
  replaceIdentityFile,
  sealedSeedOf,
  sealedText,
  seedText,
  tightenMode,
} from './identity.ts';
import type { Identity, IdentitySeed } from './identity.ts';

/** What keeps secrets for the user who is logged in: Keychain, DPAPI, a keyring. */
export interface KeyVault {
  /** Why there is none, in one sentence; null when there is one. */
  unavailable(): Promise<string | null>;
  seal(text: string): Promise<Uint8Array>;
  /** `stale`: sealed by a key that has been replaced since; better sealed anew. Throws when it cannot be opened. */
  open(sealed: Uint8Array): Promise<{ text: string; stale: boolean }>;
}

/** Where the seed is. `note`: why not in the keyring, for people; null where nothing is to be said. */
export interface KeptWhere {
  where: 'keyring' | 'file';
  note: string | null;
}

/** Without a vault: the plain file, as `openIdentity`. Errors: those of `openIdentity`, and `identityLocked`. */
export async function openKeptIdentity(
  path: string,
  vault: KeyVault | null,
): Promise<{ identity: Identity; kept: KeptWhere }> {
  if (vault === null) return { identity: await openIdentity(path), kept: { where: 'file', note: null } };
  if ((await readIdentityFile(path)) === null) await openIdentity(path); // two starts at once agree on one seed
  const text = await readIdentityFile(path);
  const plain = text === null ? null : parseSeedText(text);
  if (plain === null) {
    const { seed, stale } = await openSealed(path, text ?? '', vault);
    if (stale) await seal(path, seed, vault);
    return { identity: identityOf(seed), kept: { where: 'keyring', note: null } };
  }
  const note = (await vault.unavailable()) ?? (await seal(path, plain, vault));
  if (note === null) return { identity: identityOf(plain), kept: { where: 'keyring', note } };
  await tightenMode(path);
  return { identity: identityOf(plain), kept: { where: 'file', note } };
}

/** The seed itself, to be written down. Null when there is none. Errors as `openKeptIdentity`. */
export async function readKeptSeed(path: string, vault: KeyVault | null): Promise<IdentitySeed | null> {
  const text = await readIdentityFile(path);
  if (text === null) return null;
  const plain = parseSeedText(text);
  if (plain !== null) return plain;
  if (vault === null) throw corrupt(path, text.length);
  return (await openSealed(path, text, vault)).seed;
}

/** What was there is kept beside it, sealed as it was. The next start seals a plain one. Returns where, or null. */
export async function replaceKeptIdentity(
  path: string,
  next: IdentitySeed,
  vault: KeyVault | null,
): Promise<string | null> {
  const kept = await replaceIdentityFile(path, seedText(next));
  if (vault !== null && (await vault.unavailable()) === null) await seal(path, next, vault);
  return kept;
}

/** Null when the file now holds the sealed seed; else why it is as it was. */
async function seal(path: string, seed: IdentitySeed, vault: KeyVault): Promise<string | null> {
  try {
    const sealed = await vault.seal(seedText(seed));
    const { text } = await vault.open(sealed);
    if (text !== seedText(seed)) return 'The keyring gave back something else than it was given.';
    await replaceIdentityFile(path, sealedText(sealed), false);
    return null;
  } catch (error) {
    return `The keyring could not be used: ${describeError(error)}.`;
  }
}

async function openSealed(
  path: string,
  text: string,
  vault: KeyVault,
): Promise<{ seed: IdentitySeed; stale: boolean }> {
  const sealed = sealedSeedOf(text);
  if (sealed === null) throw corrupt(path, text.length);
  const missing = await vault.unavailable();
  if (missing !== null) throw locked(path, missing);
  let opened: { text: string; stale: boolean };
  try {
    opened = await vault.open(sealed);
  } catch (error) {
    throw locked(path, describeError(error));
  }
  const seed = parseSeedText(opened.text);
  if (seed === null) throw corrupt(path, text.length);
  return { seed, stale: opened.stale };
}

function locked(path: string, why: string): WaggleError {
  return new WaggleError({
    code: 'identityLocked',
    message: `The identity ${path} is sealed by this system's keyring, which does not open it: ${why}`,
    fix: 'Log in as the user who started Waggle before and unlock the keyring, then start again; or bring it back with its 24 words: `waggle identity restore`.',
    values: { path },
  });
}
