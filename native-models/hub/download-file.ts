/**
 * One file from a server: several ranges at a time, on from where an earlier run stopped, checked by its hash before it has
 * its name. A server without ranges is read in one go. Knows nothing of models.
 */
import { join } from 'node:path';
import { rm, stat } from 'node:fs/promises';
import { fileHasHash } from './file-hash.ts';
import { cancelledError, HubError, shownUrl } from './hub-error.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import { PartialFile, type FileIdentity, type Piece } from './partial-file.ts';
import { withRetries, type RetryPolicy } from './retry.ts';

export interface RemoteFile extends FileIdentity {
  url: URL;
}
export interface DownloadOptions {
  /** Where `NAME.partial`, and then `NAME`, is written. */
  directory: string;
  /** Ranges asked for at a time. */
  connections: number;
  pieceBytes: number;
  retry: RetryPolicy;
  signal?: AbortSignal | undefined;
  /** Throws the error that a status other than success means. */
  refuseFailure: (answer: HttpAnswer) => void;
  onEvent: (event: DownloadEvent) => void;
}
export type DownloadEvent =
  /** Of this file, on disk. */
  | { kind: 'bytes'; doneBytes: number }
  | { kind: 'wait'; reason: HubError; waitMs: number }
  | { kind: 'check' }
  /** What an earlier run had left did not have the right hash: all of it is fetched again. */
  | { kind: 'again' };

/** The server sent the whole file where a part was asked for. */
class RangeIgnored extends Error {}

/** @returns the path of the complete file. @throws HubError */
export async function downloadFile(client: HttpClient, file: RemoteFile, options: DownloadOptions): Promise<string> {
  const finalPath = join(options.directory, file.name);
  if (await isComplete(finalPath, file, options)) return finalPath;
  const partial = await PartialFile.open(options.directory, identityOf(file), options.pieceBytes);
  try {
    await fetchAndCheck(client, file, partial, options);
  } catch (error) {
    await partial.close();
    if (error instanceof HubError && error.code === 'hubWrongHash') await discard(partial.path);
    throw error;
  }
  await partial.finish(finalPath);
  return finalPath;
}

async function fetchAndCheck(
  client: HttpClient,
  file: RemoteFile,
  partial: PartialFile,
  options: DownloadOptions,
): Promise<void> {
  const { onEvent, signal } = options;
  let ownBytesOnly = partial.foundBytes === 0;
  for (;;) {
    onEvent({ kind: 'bytes', doneBytes: partial.doneBytes });
    await fetchPieces(client, file, partial, options);
    onEvent({ kind: 'check' });
    if (await fileHasHash(partial.path, file.bytes, file.hash, signal)) return;
    if (ownBytesOnly) throw wrongHash(file);
    ownBytesOnly = true;
    await partial.restart();
    onEvent({ kind: 'again' });
  }
}

/** All missing bytes. The first failure stops the other connections, and what they have brought stays. */
async function fetchPieces(
  client: HttpClient,
  file: RemoteFile,
  partial: PartialFile,
  options: DownloadOptions,
): Promise<void> {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const queue = partial.pieces.filter(({ start, end, done }) => done < end - start);
  const work = async (): Promise<void> => {
    for (let piece = queue.shift(); piece; piece = queue.shift()) {
      const current = piece;
      const attempt = {
        signal,
        onWait: (reason: HubError, waitMs: number) => options.onEvent({ kind: 'wait', reason, waitMs }),
        progress: () => current.done,
      };
      await withRetries(options.retry, attempt, () => fetchPiece(client, file, partial, current, options, signal));
    }
  };
  const workers = Array.from({ length: Math.min(options.connections, queue.length) }, work);
  const results = await Promise.allSettled(workers.map((worker) => worker.catch((error: unknown) => {
    stop.abort();
    throw error;
  }))); // prettier-ignore
  if (options.signal?.aborted) throw cancelledError();
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failures.length === 0) return;
  if (failures.some((failure) => failure instanceof RangeIgnored)) {
    await fetchWhole(client, file, partial, options);
    return;
  }
  // Those that were stopped because of another one say no more than it does.
  throw failures.find((failure) => !(failure instanceof HubError && failure.code === 'cancelled')) ?? failures[0];
}

async function fetchPiece(
  client: HttpClient,
  file: RemoteFile,
  partial: PartialFile,
  piece: Piece,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<void> {
  const from = piece.start + piece.done;
  const answer = await client.get(file.url, { headers: { range: `bytes=${from}-${piece.end - 1}` }, signal });
  if (answer.status === 200 && partial.pieces.length === 1 && from === 0) {
    await receive(answer, file, partial, [piece], options);
    return;
  }
  if (answer.status === 200) {
    answer.drop();
    throw new RangeIgnored();
  }
  if (answer.status === 416) {
    answer.drop();
    throw otherFile(answer.url, `has no bytes ${from} to ${piece.end - 1}`, file);
  }
  options.refuseFailure(answer);
  const stated = String(answer.headers['content-range']);
  if (answer.status !== 206 || stated !== `bytes ${from}-${piece.end - 1}/${file.bytes}`) {
    answer.drop();
    throw otherFile(answer.url, `answered with ${stated.slice(0, 80)}`, file);
  }
  await receive(answer, file, partial, [piece], options);
}

/** Without ranges an interrupted file begins anew each time. */
async function fetchWhole(
  client: HttpClient,
  file: RemoteFile,
  partial: PartialFile,
  options: DownloadOptions,
): Promise<void> {
  const { signal, retry } = options;
  const onWait = (reason: HubError, waitMs: number): void => options.onEvent({ kind: 'wait', reason, waitMs });
  await withRetries(retry, { signal, onWait }, async () => {
    await partial.restart();
    const answer = await client.get(file.url, { signal });
    options.refuseFailure(answer);
    await receive(answer, file, partial, partial.pieces, options);
  });
}

/** Puts a body into the missing parts of `pieces`, which it must fill exactly. */
async function receive(
  answer: HttpAnswer,
  file: RemoteFile,
  partial: PartialFile,
  pieces: readonly Piece[],
  options: DownloadOptions,
): Promise<void> {
  let at = 0;
  for await (const chunk of answer.body) {
    let rest: Uint8Array = chunk;
    while (rest.length > 0) {
      while (pieces[at] && missing(pieces[at]!) === 0) at++;
      const piece = pieces[at];
      if (!piece) throw otherFile(answer.url, 'sends more than was asked for', file);
      const part = rest.subarray(0, missing(piece));
      await partial.append(piece, part);
      rest = rest.subarray(part.length);
    }
    options.onEvent({ kind: 'bytes', doneBytes: partial.doneBytes });
  }
  if (pieces.some((piece) => missing(piece) > 0)) {
    throw new HubError('hubCut', {
      message: `${answer.url.host} ended before the whole of ${file.name} was sent.`,
      fix: 'Try again: what has arrived is kept.',
    });
  }
}

function missing({ start, end, done }: Piece): number {
  return end - start - done;
}

async function isComplete(path: string, file: RemoteFile, { onEvent, signal }: DownloadOptions): Promise<boolean> {
  const size = await stat(path).then(({ size }) => size, () => -1); // prettier-ignore
  if (size !== file.bytes) return false;
  onEvent({ kind: 'check' });
  if (!(await fileHasHash(path, file.bytes, file.hash, signal))) return false;
  onEvent({ kind: 'bytes', doneBytes: file.bytes });
  return true;
}

async function discard(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}.json`, { force: true });
}

function identityOf({ name, bytes, hash }: RemoteFile): FileIdentity {
  return { name, bytes, hash };
}

function wrongHash({ name, url }: RemoteFile): HubError {
  return new HubError('hubWrongHash', {
    message: `${name} from ${url.host} is not what it should be: its hash differs. It was deleted.`,
    fix: 'Try again; if it stays so, the server or a proxy changes files: use another mirror (HF_ENDPOINT).',
  });
}

function otherFile(url: URL, what: string, { name, bytes }: RemoteFile): HubError {
  return new HubError('hubBadAnswer', {
    message: `${shownUrl(url)} ${what}; ${name} has ${bytes} bytes by the list of files.`,
    fix: 'Run the command again for a fresh list of files; if it stays so, use another mirror (HF_ENDPOINT).',
  });
}
