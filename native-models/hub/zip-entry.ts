/**
 * Takes single files out of a ZIP archive on disk, as a stream: what a package of a registry is. Untrusted: every offset and
 * length is checked against the archive, nothing is written under a name from inside it, and a file is whole only when its length
 * and CRC are right. Stored and deflated entries; no ZIP64, encryption or parts (APPNOTE 6.3).
 */
import { createWriteStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { asDiskError, HubError, systemCode } from './hub-error.ts';

interface Entry {
  method: number;
  crc: number;
  packedBytes: number;
  bytes: number;
  headerAt: number;
}

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const HEADER_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65_535;
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;

/** Writes the entry of this exact name to `target`. @throws HubError `hubBadAnswer` for an archive that is not right. */
export async function extractEntry(archive: string, name: string, target: string, maxBytes: number): Promise<void> {
  const file = await open(archive, 'r');
  try {
    const { size } = await file.stat();
    const entry = findEntry(await readDirectory(file, size), name);
    if (!entry) throw broken(`has no ${name}`);
    if (entry.bytes > maxBytes) throw broken(`says that ${name} has ${entry.bytes} bytes`);
    const start = await contentAt(file, entry, size);
    await unpack(file, start, entry, target, name);
  } finally {
    await file.close();
  }
}

async function unpack(file: FileHandle, start: number, entry: Entry, target: string, name: string): Promise<void> {
  const check = new LengthAndCrc(entry.bytes);
  const source = file.createReadStream({ start, end: start + entry.packedBytes - 1, autoClose: false });
  const sink = createWriteStream(target);
  try {
    if (entry.method === 8) await pipeline(source, createInflateRaw(), check, sink);
    else await pipeline(source, check, sink);
  } catch (error) {
    if (systemCode(error).startsWith('Z_') || error instanceof HubError)
      throw broken(`does not unpack to ${name}`, error);
    throw asDiskError(error, target);
  }
  if (check.bytes !== entry.bytes || check.crc !== entry.crc) throw broken(`holds a damaged ${name}`);
}

/** Ends a stream that brings more than it should, so that a small archive cannot fill the disk. */
class LengthAndCrc extends Transform {
  bytes = 0;
  crc = 0;
  private readonly maxBytes: number;
  constructor(maxBytes: number) {
    super();
    this.maxBytes = maxBytes;
  }
  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length;
    this.crc = crc32(chunk, this.crc);
    if (this.bytes > this.maxBytes) done(broken('unpacks to more than it says'));
    else done(null, chunk);
  }
}

async function readDirectory(file: FileHandle, size: number): Promise<Buffer> {
  const tail = await readAt(file, Math.max(0, size - END_BYTES - MAX_COMMENT_BYTES), size);
  let at = tail.length - END_BYTES;
  while (at >= 0 && tail.readUInt32LE(at) !== END_SIGNATURE) at--;
  if (at < 0) throw broken('is no ZIP archive');
  const bytes = tail.readUInt32LE(at + 12);
  const start = tail.readUInt32LE(at + 16);
  if (bytes > MAX_DIRECTORY_BYTES || start + bytes > size) throw broken('has a directory that lies outside of it');
  return readAt(file, start, start + bytes);
}

function findEntry(directory: Buffer, name: string): Entry | null {
  let at = 0;
  while (at + 46 <= directory.length && directory.readUInt32LE(at) === ENTRY_SIGNATURE) {
    const nameBytes = directory.readUInt16LE(at + 28);
    const next = at + 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    if (next > directory.length) break;
    if (directory.toString('utf8', at + 46, at + 46 + nameBytes) === name) {
      const flags = directory.readUInt16LE(at + 8);
      const method = directory.readUInt16LE(at + 10);
      if ((flags & 1) !== 0 || (method !== 0 && method !== 8)) throw broken(`packs ${name} in a way that is not known`);
      return {
        method,
        crc: directory.readUInt32LE(at + 16),
        packedBytes: directory.readUInt32LE(at + 20),
        bytes: directory.readUInt32LE(at + 24),
        headerAt: directory.readUInt32LE(at + 42),
      };
    }
    at = next;
  }
  return null;
}

async function contentAt(file: FileHandle, { headerAt, packedBytes }: Entry, size: number): Promise<number> {
  if (packedBytes === 0 || headerAt + 30 > size) throw broken('has an entry that lies outside of it');
  const header = await readAt(file, headerAt, headerAt + 30);
  const start = headerAt + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (header.readUInt32LE(0) !== HEADER_SIGNATURE || start + packedBytes > size)
    throw broken('has an entry that lies outside of it');
  return start;
}

async function readAt(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.alloc(end - start);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
  if (bytesRead !== buffer.length) throw broken('ends early');
  return buffer;
}

function broken(what: string, cause?: unknown): HubError {
  return new HubError('hubBadAnswer', {
    message: `The package ${what}.`,
    fix: 'Fetch it again; if it stays so, the registry has another version than this one expects.',
    cause,
  });
}
