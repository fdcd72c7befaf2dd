/**
 * Writes a file so that after a crash at any instant it holds either its former or its new content, in full: temporary file in
 * the same folder, fsync, rename, fsync of the folder. A full disk is a `DiskFullError` with the path and the bytes left.
 */
import { open, readdir, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoCode, WaggleError } from './errors.ts';

export class DiskFullError extends WaggleError {
  readonly path: string;
  /** Bytes this user can still write there; 0 when even that could not be read. */
  readonly freeBytes: number;

  constructor(path: string, freeBytes: number, cause?: unknown) {
    super({
      code: 'diskFull',
      message: `The disk is full: ${path} could not be written (${formatMegabytes(freeBytes)} free).`,
      fix: 'Free some space on that disk, or choose another data folder with --data; nothing that was saved before is lost.',
      values: { path, freeBytes },
      cause,
    });
    this.path = path;
    this.freeBytes = freeBytes;
  }
}

const formatMegabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MB`;

/** Free bytes for this user on the disk that holds `path` (which must exist). */
export async function freeBytesAt(path: string): Promise<number> {
  const disk = await statfs(path);
  return disk.bavail * disk.bsize;
}

/** ENOSPC, EDQUOT and SQLite's "full" as a `DiskFullError`; any other error comes back as it is. */
export async function asDiskFull(error: unknown, path: string): Promise<unknown> {
  const code = errnoCode(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new DiskFullError(path, await freeBytesAt(dirname(path)).catch(() => 0), error);
}

const temporarySuffix = '.waggle-tmp';
let serial = 0;

/** `mode` applies to the new file, whatever the former one had. @throws DiskFullError; other errors as they come. */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  { mode = 0o644 }: { mode?: number } = {},
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${++serial}${temporarySuffix}`);
  try {
    const file = await open(temporary, 'wx', mode);
    await writeAndSync(file, content);
    await renameStubbornly(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw await asDiskFull(error, path);
  }
  await syncDirectory(dirname(path));
}

async function writeAndSync(file: FileHandle, content: string | Uint8Array): Promise<void> {
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Windows refuses a rename while a virus scanner holds either file, for a moment. */
async function renameStubbornly(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const busy = process.platform === 'win32' && ['EPERM', 'EACCES', 'EBUSY'].includes(errnoCode(error) ?? '');
      if (!busy || attempt === 8) throw error;
      await sleep(10 * 2 ** attempt);
    }
  }
}

/** Makes a rename in it last through a power cut. Windows has no such call and needs none. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what interrupted writes left in `directory`. Only for a folder that this process has locked. Returns the names. */
export async function removeLeftovers(directory: string): Promise<string[]> {
  const left = (await readdir(directory)).filter((name) => name.endsWith(temporarySuffix));
  for (const name of left) await rm(join(directory, name), { force: true });
  return left;
}
