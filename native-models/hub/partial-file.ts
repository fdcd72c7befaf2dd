/**
 * A file that arrives in pieces, in any order: `NAME.partial` at its full length and beside it `NAME.partial.json`, which
 * says how much of each piece is there. Knows nothing of where the bytes come from.
 *
 * Invariant: the journal never claims more than was written before it. It has its full length from the start and is written in
 * place, so that a full disk cannot keep it from being written. It is not synced: after a power cut it may be wrong, which the
 * hash at the end finds out.
 */
import { constants } from 'node:fs';
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileHash } from './file-hash.ts';
import { asDiskError } from './hub-error.ts';

export interface Piece {
  start: number;
  /** Past the last byte. */
  end: number;
  /** Bytes of it that are on disk, from its start. */
  done: number;
}
/** What must be equal for a half file to be gone on with. */
export interface FileIdentity {
  name: string;
  bytes: number;
  hash: FileHash;
}

const JOURNAL_EVERY_MS = 1000;
/** Room for the names, and for three numbers a piece. */
const JOURNAL_BYTES = 2048;
const PIECE_BYTES = 56;

export class PartialFile {
  readonly path: string;
  readonly pieces: Piece[];
  /** Bytes that an earlier run had left. */
  readonly foundBytes: number;
  private readonly file: FileIdentity;
  private readonly handle: FileHandle;
  private journalAtMs = performance.now();
  private saving: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileIdentity, pieces: Piece[], handle: FileHandle) {
    this.path = path;
    this.file = file;
    this.pieces = pieces;
    this.handle = handle;
    this.foundBytes = this.doneBytes;
  }

  static async open(directory: string, file: FileIdentity, pieceBytes: number): Promise<PartialFile> {
    const path = join(directory, `${file.name}.partial`);
    const known = await readJournal(path, file);
    try {
      const handle = await open(path, known ? 'r+' : 'w');
      try {
        await handle.truncate(file.bytes);
        const partial = new PartialFile(path, file, known ?? cut(file.bytes, pieceBytes), handle);
        await partial.saveJournal();
        return partial;
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw asDiskError(error, path);
    }
  }

  get doneBytes(): number {
    return this.pieces.reduce((sum, { done }) => sum + done, 0);
  }

  /** Appends to a piece. The caller sees to it that one piece is written by one writer. */
  async append(piece: Piece, bytes: Uint8Array): Promise<void> {
    try {
      let offset = 0;
      while (offset < bytes.length) {
        const at = piece.start + piece.done;
        const { bytesWritten } = await this.handle.write(bytes, offset, bytes.length - offset, at);
        offset += bytesWritten;
        piece.done += bytesWritten;
      }
    } catch (error) {
      throw asDiskError(error, this.path);
    }
    if (performance.now() - this.journalAtMs >= JOURNAL_EVERY_MS) await this.saveJournal();
  }

  /** Forgets what is there. */
  async restart(): Promise<void> {
    for (const piece of this.pieces) piece.done = 0;
    await this.saveJournal();
  }

  /** Notes what is there and lets go of the file. */
  async close(): Promise<void> {
    await this.saveJournal().catch(() => undefined); // a full disk: the older journal claims less
    await this.handle.close();
  }

  /** Gives the complete file its name. */
  async finish(finalPath: string): Promise<void> {
    try {
      await this.handle.sync().finally(() => this.handle.close());
      await rename(this.path, finalPath);
      await rm(journalPath(this.path), { force: true });
    } catch (error) {
      throw asDiskError(error, this.path);
    }
  }

  /** One after the other: pieces are written at the same time, the journal is one file. */
  private saveJournal(): Promise<void> {
    this.journalAtMs = performance.now();
    this.saving = this.saving.catch(() => undefined).then(() => this.writeJournal());
    return this.saving;
  }

  private async writeJournal(): Promise<void> {
    const pieces = this.pieces.map(({ start, end, done }) => [start, end, done]);
    const text = JSON.stringify({ ...this.file, pieces }).padEnd(JOURNAL_BYTES + this.pieces.length * PIECE_BYTES);
    const target = journalPath(this.path);
    try {
      const journal = await open(target, constants.O_WRONLY | constants.O_CREAT);
      await journal.write(text, 0).finally(() => journal.close());
    } catch (error) {
      throw asDiskError(error, target);
    }
  }
}

function journalPath(path: string): string {
  return `${path}.json`;
}

function cut(bytes: number, pieceBytes: number): Piece[] {
  const pieces: Piece[] = [];
  for (let start = 0; start < bytes; start += pieceBytes)
    pieces.push({ start, end: Math.min(bytes, start + pieceBytes), done: 0 });
  return pieces;
}

/** Null for anything that is not exactly a journal of this file: then it begins anew. */
async function readJournal(path: string, file: FileIdentity): Promise<Piece[] | null> {
  let journal: Partial<Record<'name' | 'bytes' | 'pieces' | 'hash', unknown>>;
  try {
    journal = JSON.parse(await readFile(journalPath(path), 'utf8')) as typeof journal;
    await (await open(path, 'r+')).close();
  } catch {
    return null;
  }
  const { name, bytes, hash, pieces } = journal;
  const same = name === file.name && bytes === file.bytes && JSON.stringify(hash) === JSON.stringify(file.hash);
  return same && Array.isArray(pieces) ? piecesOf(pieces, file.bytes) : null;
}

function piecesOf(raw: readonly unknown[], bytes: number): Piece[] | null {
  const pieces: Piece[] = [];
  let expected = 0;
  for (const entry of raw) {
    const [start, end, done] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (start !== expected || !isCount(end) || !isCount(done) || end <= start || done > end - start) return null;
    pieces.push({ start, end, done });
    expected = end;
  }
  return expected === bytes ? pieces : null;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
