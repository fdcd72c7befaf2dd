/**
 * The folder that is a node: layout, lock, free space, and the note by which the CLI finds the running node.
 *
 *     checkpoints/  logs/  waggle.sqlite  identity  hardware.json  demonstrations.json  runtime.json (600)  lock (600)
 *     models/  policy.json  model-folders.json  downloads.json   (src-main/models)
 *
 * The lock is held by a transaction on a tiny SQLite file: the system drops it with the process, however that ends, so no stale
 * lock can exist and no process id can be mistaken for another. `runtime.json` only informs: after a kill it names a process
 * that is gone, and a reader finds its port closed.
 */
import { chmod, mkdir, open, rm } from 'node:fs/promises';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { asDiskFull, DiskFullError, freeBytesAt, removeLeftovers, writeFileAtomic } from '../base/atomic-file.ts';
import { describeError, errnoCode, WaggleError } from '../base/errors.ts';
import { readKeptJson } from '../base/kept-json.ts';

export interface DataFolderPaths {
  root: string;
  checkpoints: string;
  logs: string;
  history: string;
  identity: string;
  profile: string;
  hardware: string;
  demonstrations: string;
  runtime: string;
  lock: string;
}

/** What the CLI needs to reach the node of a folder. The token is a secret. */
export interface RuntimeNote {
  port: number;
  token: string;
  pid: number;
}

export interface DataFolder {
  paths: DataFolderPaths;
  freeBytes(): Promise<number>;
  /** @throws DiskFullError when less than `minFreeBytes` are left. */
  requireFreeSpace(): Promise<void>;
  writeRuntimeNote(note: RuntimeNote): Promise<void>;
  /** Removes the note and gives the lock back. Idempotent. */
  close(): Promise<void>;
}

export type DataFolderErrorCode = 'dataFolderLocked' | 'dataFolderUnwritable' | 'dataFolderNotAFolder';

export class DataFolderError extends WaggleError {
  constructor(
    code: DataFolderErrorCode,
    path: string,
    message: string,
    fix: string,
    more: { pid?: number | null; cause?: unknown } = {},
  ) {
    super({
      code,
      message,
      fix,
      values: { path, ...(more.pid === undefined ? {} : { pid: more.pid }) },
      cause: more.cause,
    });
  }
}

const runtimeNote = z.object({ port: z.int().min(1).max(65535), token: z.string().min(1), pid: z.int().min(1) });

/** Room for two checkpoints of the bundled policy and a stretch of history. */
export const minFreeBytes = 100 * 1024 * 1024;

export function dataFolderPaths(root: string): DataFolderPaths {
  return {
    root,
    checkpoints: join(root, 'checkpoints'),
    logs: join(root, 'logs'),
    history: join(root, 'waggle.sqlite'),
    identity: join(root, 'identity'),
    profile: join(root, 'profile.json'),
    hardware: join(root, 'hardware.json'),
    demonstrations: join(root, 'demonstrations.json'),
    runtime: join(root, 'runtime.json'),
    lock: join(root, 'lock'),
  };
}

/**
 * Creates what is missing, locks it, and checks that it can be written. Low space is not refused here: a node that starts then
 * waits with a reason (`requireFreeSpace`). @throws DataFolderError, DiskFullError
 */
export async function openDataFolder(root: string, options: { minFreeBytes?: number } = {}): Promise<DataFolder> {
  const paths = dataFolderPaths(root);
  await attempt(root, async () => {
    for (const folder of [root, paths.checkpoints, paths.logs]) await mkdir(folder, { recursive: true });
  });
  const unlock = await lock(paths);
  try {
    await attempt(root, () => proveWritable(paths));
  } catch (error) {
    unlock();
    throw error;
  }
  const required = options.minFreeBytes ?? minFreeBytes;
  return {
    paths,
    freeBytes: () => freeBytesAt(root),
    requireFreeSpace: async () => {
      const free = await freeBytesAt(root);
      if (free < required) throw new DiskFullError(root, free);
    },
    writeRuntimeNote: (note) => writeFileAtomic(paths.runtime, `${JSON.stringify(note)}\n`, { mode: 0o600 }),
    close: async () => {
      await rm(paths.runtime, { force: true });
      unlock();
    },
  };
}

/** The running node of a folder as it noted itself; null when there is no note or it is unreadable. The node may be gone. */
export function readRuntimeNote(root: string): Promise<RuntimeNote | null> {
  return readKeptJson(dataFolderPaths(root).runtime, runtimeNote).catch(() => null);
}

async function lock(paths: DataFolderPaths): Promise<() => void> {
  let database: DatabaseSync | undefined;
  try {
    createLockFile(paths.lock);
    // journal_mode MEMORY: holding the lock leaves no second file behind.
    database = new DatabaseSync(paths.lock, { timeout: 0 });
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (isBusy(error)) throw await locked(paths);
    if (isForeignFile(error)) {
      await rm(paths.lock);
      return lock(paths);
    }
    throw await explain(paths.root, error);
  }
  const held = database;
  let released = false;
  return () => {
    if (released) return;
    released = true;
    held.close();
  };
}

/** Only when absent: on POSIX systems closing any handle of a file drops the locks that this process holds on it. */
function createLockFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (errnoCode(error) !== 'EEXIST') throw error;
  }
}

const sqliteCode = (error: unknown) =>
  error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
const isBusy = (error: unknown) => sqliteCode(error) === 5;
/** Something else wrote into the lock file; it holds nothing of ours. */
const isForeignFile = (error: unknown) => sqliteCode(error) === 26 || sqliteCode(error) === 11;

async function locked(paths: DataFolderPaths): Promise<DataFolderError> {
  const pid = (await readRuntimeNote(paths.root))?.pid ?? null;
  const who = pid === null ? 'Another Waggle' : `Waggle is already running as process ${pid} and`;
  return new DataFolderError(
    'dataFolderLocked',
    paths.root,
    `${who} uses the data folder ${paths.root}.`,
    'Use the one that runs (`waggle status`), end it (`waggle quit`, or its window), or give this one a folder of its own with --data.',
    { pid },
  );
}

async function proveWritable(paths: DataFolderPaths): Promise<void> {
  await removeLeftovers(paths.root);
  for (const folder of [paths.root, paths.checkpoints, paths.logs]) {
    const probe = join(folder, '.write-probe');
    const file = await open(probe, 'w', 0o600);
    await file.close();
    await rm(probe);
  }
  // A note left by a node that was killed would send the CLI to a closed port.
  await rm(paths.runtime, { force: true });
  if (process.platform !== 'win32') await chmod(paths.root, 0o700).catch(() => undefined);
}

async function attempt(root: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw await explain(root, error);
  }
}

async function explain(root: string, error: unknown): Promise<unknown> {
  const known = await asDiskFull(error, root);
  if (known instanceof WaggleError) return known;
  const code = errnoCode(error);
  if (code === 'ENOTDIR' || code === 'EEXIST')
    return new DataFolderError(
      'dataFolderNotAFolder',
      root,
      `The data folder ${root} cannot be made: a file is in its place.`,
      'Choose a folder with --data, or move that file.',
      { cause: error },
    );
  const fix = 'Make the folder writable for this user, or choose another one with --data.';
  return new DataFolderError(
    'dataFolderUnwritable',
    root,
    `The data folder ${root} cannot be written (${describeError(error)}).`,
    fix,
    { cause: error },
  );
}
