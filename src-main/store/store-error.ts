/**
 * SQLite's failures as typed errors with a fix. Knows SQLite's primary result codes (sqlite.org/rescode.html) and nothing of tables.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DiskFullError } from '../base/atomic-file.ts';
import { describeError, WaggleError } from '../base/errors.ts';

export type StoreErrorCode =
  'storeForeign' | 'storeNewer' | 'storeCorrupt' | 'storeLocked' | 'storeUnwritable' | 'storeFailed';

export class StoreError extends WaggleError {
  constructor(code: StoreErrorCode, path: string, message: string, fix: string, cause?: unknown) {
    super({ code, message, fix, values: { path }, cause });
  }
}

interface Failure {
  code: StoreErrorCode;
  message: (path: string) => string;
  fix: string;
}

const corrupt: Failure = {
  code: 'storeCorrupt',
  message: (path) => `The history ${path} is damaged.`,
  fix: 'Start Waggle again: it moves the damaged file aside and begins a new history; the policy is not touched.',
};
const unwritable: Failure = {
  code: 'storeUnwritable',
  message: (path) => `The history ${path} cannot be written.`,
  fix: 'Make the data folder writable for this user, or choose another one with --data.',
};
const locked: Failure = {
  code: 'storeLocked',
  message: (path) => `The history ${path} is in use by another program.`,
  fix: 'Close the program that has it open, for example a database browser.',
};
const failed: Failure = {
  code: 'storeFailed',
  message: (path) => `The history ${path} could not be used.`,
  fix: 'Look at the log; moving the file away starts a new history without touching the policy.',
};

const byResultCode: Readonly<Record<number, Failure>> = {
  3: unwritable, // PERM
  5: locked, // BUSY
  6: locked, // LOCKED
  8: unwritable, // READONLY
  10: unwritable, // IOERR
  11: corrupt, // CORRUPT
  14: unwritable, // CANTOPEN
  26: corrupt, // NOTADB
};
const full = 13;
const ioError = 10;
/** Below this an input/output error is taken for a full disk: the file system says either. */
const scarceBytes = 1024 * 1024;

/** Primary result code of an error of node:sqlite; undefined for anything else. */
function resultCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}

/** What to throw in place of `error`; errors that are not SQLite's come back as they are. */
export function asStoreError(error: unknown, path: string): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const freeBytes = code === full || code === ioError ? freeBytesOf(path) : Infinity;
  if (code === full || freeBytes < scarceBytes) return new DiskFullError(path, freeBytes, error);
  const failure = byResultCode[code] ?? failed;
  return new StoreError(failure.code, path, `${failure.message(path)} (${describeError(error)})`, failure.fix, error);
}

function freeBytesOf(path: string): number {
  try {
    const disk = statfsSync(dirname(path));
    return disk.bavail * disk.bsize;
  } catch {
    return 0;
  }
}
