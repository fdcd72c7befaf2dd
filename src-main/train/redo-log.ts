/**
 * The redo log: what each round since the last checkpoint was trained on, so that a crash loses at most the round in progress
 * although a checkpoint is written only once a minute. After a restart the checkpoint is loaded and the logged
 * training is done again; the same rows give the same policy (bit for bit on the CPU provider).
 *
 * File: frames of [u32 length][u32 crc32][v8 bytes], appended and synced once a round (some ten kilobytes). A torn or damaged
 * frame ends the log: it is the round in progress. Knows nothing of what the entries mean.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { syncDirectory } from '../base/atomic-file.ts';
import { errnoCode } from '../base/errors.ts';

const FRAME_HEADER_BYTES = 8;
/** A round of a large batch is some megabytes; anything beyond is damage. */
const MAX_FRAME_BYTES = 256 * 1024 * 1024;

export class RedoLog<Entry> {
  private readonly file: FileHandle;
  private end: number;
  private constructor(file: FileHandle, end: number) {
    this.file = file;
    this.end = end;
  }

  /** Opens or makes the file; what follows the last whole frame is cut off. `damagedBytes` says how much that was. */
  static async open<Entry>(path: string): Promise<{ log: RedoLog<Entry>; entries: Entry[]; damagedBytes: number }> {
    // 'a+' would force every write to the end, also after a truncation has failed half-way.
    const file = await open(path, 'r+').catch(async (error: unknown) => {
      // Only a missing file is made: 'w+' would empty one that could not be opened just now.
      if (errnoCode(error) !== 'ENOENT') throw error;
      const made = await open(path, 'wx+');
      await syncDirectory(dirname(path));
      return made;
    });
    try {
      const bytes = await file.readFile();
      const { entries, end } = readFrames(bytes);
      if (end < bytes.length) await file.truncate(end);
      return { log: new RedoLog<Entry>(file, end), entries: entries as Entry[], damagedBytes: bytes.length - end };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Durable when it settles. @throws the system's error, ENOSPC included; the log is then as it was. */
  async append(entry: Entry): Promise<void> {
    const payload = serialize(entry);
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
    frame.writeUInt32LE(payload.length, 0);
    frame.writeUInt32LE(crc32(payload), 4);
    payload.copy(frame, FRAME_HEADER_BYTES);
    try {
      for (let done = 0; done < frame.length;) {
        const { bytesWritten } = await this.file.write(frame, done, frame.length - done, this.end + done);
        done += bytesWritten;
      }
      await this.file.datasync();
    } catch (error) {
      await this.file.truncate(this.end).catch(() => undefined);
      throw error;
    }
    this.end += frame.length;
  }

  /** Forgets all entries: a checkpoint holds them now. */
  async clear(): Promise<void> {
    await this.file.truncate(0);
    this.end = 0;
  }

  get bytes(): number {
    return this.end;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

function readFrames(bytes: Buffer): { entries: unknown[]; end: number } {
  const entries: unknown[] = [];
  let at = 0;
  while (at + FRAME_HEADER_BYTES <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    const start = at + FRAME_HEADER_BYTES;
    if (length > MAX_FRAME_BYTES || start + length > bytes.length) break;
    const payload = bytes.subarray(start, start + length);
    if (crc32(payload) !== bytes.readUInt32LE(at + 4)) break;
    try {
      entries.push(deserialize(payload));
    } catch {
      break;
    }
    at = start + length;
  }
  return { entries, end: at };
}
