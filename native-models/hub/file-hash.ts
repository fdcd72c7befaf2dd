/**
 * The hashes that servers give for their files, and reading a file from disk against one. A hub knows large files by sha256
 * and small ones by git's blob id (sha1 over a header and the content); a package registry gives sha512.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { cancelledError } from './hub-error.ts';

export interface FileHash {
  algorithm: 'sha256' | 'gitBlob' | 'sha512';
  hex: string;
}

const makers: Readonly<Record<FileHash['algorithm'], (bytes: number) => Hash>> = {
  sha256: () => createHash('sha256'),
  sha512: () => createHash('sha512'),
  gitBlob: (bytes) => createHash('sha1').update(`blob ${bytes}\0`),
};

/** Whether the file of this length has this hash. Reads it once; `signal` ends that early. @throws HubError `cancelled` */
export async function fileHasHash(
  path: string,
  bytes: number,
  { algorithm, hex }: FileHash,
  signal?: AbortSignal,
): Promise<boolean> {
  const hash = makers[algorithm](bytes);
  for await (const part of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    if (signal?.aborted) throw cancelledError();
    hash.update(part);
  }
  return hash.digest('hex') === hex;
}
