/**
 * A folder of checkpoints that survives kills, power cuts, bit rot and full disks: one sub-folder each, newest by number.
 *
 * Does NOT know what the state or the tensors mean, nor when to save. One store per folder and process at a time.
 * Invariants: a checkpoint appears under its name only when all its bytes are on the disk (temporary folder, fsync, rename);
 * the last good one is never touched by a save that fails; only folders whose manifest proves them ours are ever deleted;
 * saves are streamed in 1 MiB steps from the tensors' own memory and never run two at a time.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from './checkpoint-error.ts';
import {
  formatManifest,
  manifestFile,
  stateFile,
  tensorsFile,
  type FileSeal,
  type Manifest,
} from './checkpoint-manifest.ts';
import {
  inspect,
  readCheckpoint,
  type CheckpointTensor,
  type Damage,
  type Json,
  type JsonObject,
  type LoadedCheckpoint,
} from './checkpoint-reader.ts';
import { SafetensorsError } from './safetensors-error.ts';
import { encodeInChunks, syncFolder, writeFully } from './safetensors.ts';

export type { CheckpointTensor, Damage, Json, JsonObject, LoadedCheckpoint };

export interface CheckpointToSave {
  /** Optimiser steps of the policy. */
  version: number;
  /** Everything that is no tensor: counters, seeds, configuration. */
  state: JsonObject;
  /** Must not change before `save` settles. */
  tensors: Readonly<Record<string, CheckpointTensor>>;
}

export interface CheckpointStoreOptions {
  /** Good checkpoints that stay, at least 1; with 2 or more there is one to fall back to. */
  keep: number;
  /** What the checkpoints belong to, for example a digest of the policy. One with another identity is `foreign`. */
  identity?: string;
  /** What else the same was called when older checkpoints were written. */
  earlierIdentities?: readonly string[];
  /** Bytes left for this user on the disk of a folder; null when unknown. For tests. */
  freeBytes?: (directory: string) => Promise<number | null>;
  now?: () => number;
}

export interface LoadResult {
  /** Null when there is none, or none that is whole. */
  checkpoint: LoadedCheckpoint | null;
  /** Newer ones that were passed over, newest first. Say so to the user: work was lost. */
  damaged: { path: string; damage: Damage; reason: string }[];
}

export interface SavedCheckpoint {
  path: string;
  bytes: number;
  /** Why an old checkpoint could not be removed; null when all is well. The save itself succeeded. */
  notRemoved: string | null;
}

export interface CheckpointStore {
  /** @throws CheckpointError diskFull (with path and free bytes), unusable, badArgument. The earlier checkpoints stay as they were. */
  save(checkpoint: CheckpointToSave): Promise<SavedCheckpoint>;
  /** The newest that is whole. @throws CheckpointError foreign or newerFormat when the newest readable one is not for this program. */
  loadLatest(): Promise<LoadResult>;
}

const namePattern = /^checkpoint-(\d{12})$/;
const nameOf = (sequence: number) => `checkpoint-${String(sequence).padStart(12, '0')}`;
/** Folders in the making or on their way out: `.saving-PID-N`, `.removing-PID-N`. */
const leftoverPattern = /^\.(?:saving|removing)-(\d+)-\d+$/;

/**
 * Opens the folder (made when missing) and clears what killed saves left behind.
 * @throws CheckpointError notAFolder, unusable, badArgument.
 */
export async function openCheckpointStore(
  directory: string,
  options: CheckpointStoreOptions,
): Promise<CheckpointStore> {
  const { keep, identity = '', earlierIdentities = [], freeBytes = freeBytesOf, now = Date.now } = options;
  const isOurs = (other: string): boolean => other === identity || earlierIdentities.includes(other);
  if (!Number.isSafeInteger(keep) || keep < 1)
    throw new CheckpointError('badArgument', directory, `keep is ${keep}, not a count from 1`);
  try {
    await mkdir(directory, { recursive: true });
    await clearLeftovers(directory);
  } catch (cause) {
    throw await asCheckpointError(cause, directory, freeBytes);
  }
  const knownDamaged = new Set<string>();
  let queue: Promise<unknown> = Promise.resolve();

  const saveNow = async (checkpoint: CheckpointToSave): Promise<SavedCheckpoint> => {
    const chunks = checkArguments(checkpoint, directory);
    const sequence = ((await listSequences(directory))[0] ?? 0) + 1;
    const temporary = join(directory, `.saving-${process.pid}-${sequence}`);
    const path = join(directory, nameOf(sequence));
    try {
      await requireSpace(directory, checkpoint, freeBytes);
      await mkdir(temporary);
      const files = {
        [stateFile]: await writeSealed(join(temporary, stateFile), [
          new TextEncoder().encode(JSON.stringify(checkpoint.state)),
        ]),
        [tensorsFile]: await writeSealed(join(temporary, tensorsFile), chunks),
      };
      const manifest: Manifest = { version: checkpoint.version, identity, savedAt: now(), files };
      await writeSealed(join(temporary, manifestFile), [new TextEncoder().encode(formatManifest(manifest))]);
      await syncFolder(temporary);
      await renameFolder(temporary, path);
      await syncFolder(directory);
      const notRemoved = await prune(directory, keep, isOurs, knownDamaged).then(() => null, String);
      return { path, bytes: files[stateFile].bytes + files[tensorsFile].bytes, notRemoved };
    } catch (cause) {
      const error = await asCheckpointError(cause, path, freeBytes);
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined); // cleared at the next opening otherwise
      throw error;
    }
  };

  return {
    save: (checkpoint) => {
      const result = queue.then(() => saveNow(checkpoint));
      queue = result.catch(() => undefined);
      return result;
    },
    loadLatest: async () => {
      await queue;
      try {
        return await loadNewest(directory, { identity, isOurs }, knownDamaged);
      } catch (cause) {
        throw await asCheckpointError(cause, directory, freeBytes);
      }
    },
  };
}

async function loadNewest(
  directory: string,
  { identity, isOurs }: { identity: string; isOurs: (other: string) => boolean },
  knownDamaged: Set<string>,
): Promise<LoadResult> {
  const damaged: LoadResult['damaged'] = [];
  for (const sequence of await listSequences(directory)) {
    const path = join(directory, nameOf(sequence));
    const read = await readCheckpoint(path);
    if (read.ok) {
      if (isOurs(read.checkpoint.identity)) return { checkpoint: read.checkpoint, damaged };
      throw new CheckpointError(
        'foreign',
        path,
        `The checkpoint belongs to "${read.checkpoint.identity}", this node trains "${identity}"`,
      );
    }
    if (read.damage === 'foreign')
      throw new CheckpointError('foreign', path, `Not a checkpoint of Waggle: ${read.reason}`);
    if (read.damage === 'newerFormat')
      throw new CheckpointError('newerFormat', path, `The checkpoint is of a newer format: ${read.reason}`);
    knownDamaged.add(path);
    damaged.push({ path, damage: read.damage, reason: read.reason });
  }
  return { checkpoint: null, damaged };
}

/** Removes the oldest beyond `keep` good ones. What has no intact manifest of ours stays, whoever put it there. */
async function prune(
  directory: string,
  keep: number,
  isOurs: (other: string) => boolean,
  knownDamaged: ReadonlySet<string>,
): Promise<void> {
  let good = 0;
  for (const sequence of await listSequences(directory)) {
    const path = join(directory, nameOf(sequence));
    const seen = await inspect(path);
    if (!seen.ok || !isOurs(seen.manifest.identity)) continue;
    if (good >= keep) {
      const leaving = join(directory, `.removing-${process.pid}-${sequence}`); // never a half-removed folder under a good name
      await renameFolder(path, leaving);
      await rm(leaving, { recursive: true, force: true });
    } else if (!knownDamaged.has(path)) good += 1;
  }
}

/** Newest first. */
async function listSequences(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names
    .map((name) => namePattern.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => b - a);
}

async function clearLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = leftoverPattern.exec(name)?.[1];
    if (pid !== undefined && (Number(pid) === process.pid || !isAlive(Number(pid))))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Writes, hashes and syncs a file in steps; the event loop turns between them. */
async function writeSealed(file: string, chunks: Iterable<Uint8Array>): Promise<FileSeal> {
  const hash = createHash('sha256');
  const handle = await open(file, 'wx');
  let bytes = 0;
  try {
    for (const chunk of chunks) {
      const written = writeFully(handle, chunk); // the disk works while this thread hashes
      hash.update(chunk);
      await written;
      bytes += chunk.length;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Checks everything that can be refused before a byte is written. */
function checkArguments({ version, state, tensors }: CheckpointToSave, directory: string): Iterable<Uint8Array> {
  if (!Number.isSafeInteger(version) || version < 0)
    throw new CheckpointError('badArgument', directory, `version is ${version}, not a count`);
  if (typeof state !== 'object') throw new CheckpointError('badArgument', directory, 'state is no object');
  try {
    return encodeInChunks(tensors, { format: 'pt' }, tensorsFile);
  } catch (cause) {
    throw new CheckpointError(
      'badArgument',
      directory,
      cause instanceof SafetensorsError ? cause.message : String(cause),
      { cause },
    );
  }
}

/** Better to refuse than to fill the disk of the user and then fail. */
async function requireSpace(
  directory: string,
  { tensors }: CheckpointToSave,
  freeBytes: (directory: string) => Promise<number | null>,
): Promise<void> {
  const free = await freeBytes(directory);
  const needed = Object.values(tensors).reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
  if (free !== null && free < needed)
    throw new CheckpointError('diskFull', directory, `The checkpoint needs ${needed} bytes, ${free} are free`, {
      freeBytes: free,
    });
}

async function freeBytesOf(directory: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** On Windows a virus scanner may hold a fresh file open for a moment. */
async function renameFolder(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (process.platform !== 'win32' || attempt === 6 || (code !== 'EPERM' && code !== 'EACCES' && code !== 'EBUSY'))
        throw error;
      await new Promise((resolve) => setTimeout(resolve, 20 * 2 ** attempt));
    }
  }
}

async function asCheckpointError(
  cause: unknown,
  path: string,
  freeBytes: (directory: string) => Promise<number | null>,
): Promise<CheckpointError> {
  if (cause instanceof CheckpointError) return cause;
  const code = cause instanceof Error && 'code' in cause ? cause.code : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const free = await freeBytes(join(path, '..'));
    return new CheckpointError('diskFull', path, 'The disk became full while saving', { freeBytes: free, cause });
  }
  if (code === 'ENOTDIR' || code === 'EEXIST')
    return new CheckpointError('notAFolder', path, 'There is a file where the folder of checkpoints should be', {
      cause,
    });
  return new CheckpointError('unusable', path, `The folder cannot be used: ${String(cause)}`, { cause });
}
