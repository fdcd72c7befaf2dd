/**
 * A model hub on 127.0.0.1 that behaves like the real one: the list of files, `resolve` addresses that redirect small files
 * within the server and large ones to a second server with signed links and ranges. And it fails on demand, each fault once
 * per entry of `faults`, in order, for the requests it matches.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault =
  | { at: RegExp; do: 'status'; status: number; headers?: Record<string, string> }
  /** Ends the connection after so many bytes of the body. */
  | { at: RegExp; do: 'cut'; afterBytes: number }
  /** Sends so many bytes, then nothing more. */
  | { at: RegExp; do: 'stall'; afterBytes: number }
  /** A byte every so often. */
  | { at: RegExp; do: 'crawl'; everyMs: number }
  /** Right length, wrong content. */
  | { at: RegExp; do: 'corrupt' }
  /** More bytes than the range has. */
  | { at: RegExp; do: 'overflow' }
  | { at: RegExp; do: 'wrongRange' }
  | { at: RegExp; do: 'redirect'; to: string }
  | { at: RegExp; do: 'silence' };

export interface FakeHub {
  endpoint: URL;
  /** `METHOD path` of every request, in order; content servers' paths begin with /cdn. */
  requests: { line: string; range: string | undefined; authorization: string | undefined }[];
  faults: Fault[];
  /** What the list of files shows; change it to lie. */
  siblings: Record<string, unknown>[];
  files: Map<string, Buffer>;
  settings: {
    ranges: boolean;
    sizesInList: boolean;
    token: string | null;
    commit: string;
    open: number;
    delayMs: number;
    mostOpen: number;
  };
  close(): Promise<void>;
}

export const MODEL = 'acme/tiny-1';
const LARGE_BYTES = 2000;

export async function openFakeHub(files: Record<string, Buffer | string>): Promise<FakeHub> {
  const hub: FakeHub = {
    endpoint: new URL('http://127.0.0.1'),
    requests: [],
    faults: [],
    siblings: [],
    files: new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)])),
    settings: {
      ranges: true,
      sizesInList: true,
      token: null,
      commit: 'c'.repeat(40),
      delayMs: 0,
      open: 0,
      mostOpen: 0,
    },
    close: async () => {
      for (const server of [front, content]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
  hub.siblings = listFiles(hub.files);
  const content = await serve((request, response) => answerContent(hub, request, response));
  const front = await serve((request, response) => answerFront(hub, content, request, response));
  hub.endpoint = new URL(`http://127.0.0.1:${portOf(front)}`);
  return hub;
}

/** As the model API lists them. */
export function listFiles(files: Map<string, Buffer>): Record<string, unknown>[] {
  return [...files].map(([rfilename, content]) =>
    isLarge(content)
      ? {
          rfilename,
          size: content.length,
          blobId: gitBlob(content),
          lfs: { sha256: sha256(content), size: content.length },
        }
      : { rfilename, size: content.length, blobId: gitBlob(content) },
  );
}

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function answerFront(hub: FakeHub, content: Server, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', hub.endpoint);
  note(hub, request, url.pathname);
  if (fail(hub, request, response, url.pathname, Buffer.from('[]'))) return;
  const { commit, token, sizesInList } = hub.settings;
  if (token !== null && request.headers.authorization !== `Bearer ${token}` && !url.pathname.startsWith('/api')) {
    const status = request.headers.authorization === undefined ? 401 : 403;
    response
      .writeHead(status, { 'x-error-code': 'GatedRepo', 'x-error-message': 'restricted' })
      .end('Access restricted');
    return;
  }
  if (url.pathname.startsWith('/api/models/')) {
    if (!url.pathname.startsWith(`/api/models/${MODEL}/revision/`)) {
      response.writeHead(404, { 'x-error-code': 'RepoNotFound' }).end('{"error":"Repository not found"}');
    } else if (!/\/revision\/(main|c{40})$/.test(url.pathname)) {
      response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end('{"error":"Invalid rev id"}');
    } else {
      const blobs = sizesInList && url.searchParams.get('blobs') === 'true';
      const siblings = blobs ? hub.siblings : hub.siblings.map(({ rfilename }) => ({ rfilename }));
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ id: MODEL, sha: commit, siblings }));
    }
    return;
  }
  const cached = `/api/resolve-cache/models/${MODEL}/${commit}/`;
  const isCached = url.pathname.startsWith(cached);
  const rest = [cached, `/${MODEL}/resolve/${commit}/`, `/${MODEL}/resolve/main/`].find((start) =>
    url.pathname.startsWith(start),
  );
  const name = decodeURIComponent(url.pathname.slice(rest?.length ?? 0));
  const file = hub.files.get(name);
  if (!file) {
    response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end('Entry not found');
    return;
  }
  if (isLarge(file)) {
    const to = `http://127.0.0.1:${portOf(content)}/cdn/${sha256(file)}?signature=very-secret`;
    response.writeHead(302, { location: to, 'x-repo-commit': commit, 'x-linked-etag': `"${sha256(file)}"`, 'x-linked-size': String(file.length) }).end(); // prettier-ignore
    return;
  }
  // Small files are redirected once within the server, by a relative address.
  if (!isCached) {
    response.writeHead(307, { location: cached + encodeURIComponent(name), 'x-repo-commit': commit }).end();
    return;
  }
  response.setHeader('etag', `"${gitBlob(file)}"`);
  response.setHeader('x-repo-commit', commit);
  sendRange(hub, request, response, file);
}

function answerContent(hub: FakeHub, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  note(hub, request, url.pathname);
  hub.settings.mostOpen = Math.max(hub.settings.mostOpen, ++hub.settings.open);
  response.once('close', () => hub.settings.open--);
  const file = [...hub.files.values()].find((content) => url.pathname === `/cdn/${sha256(content)}`);
  if (!file || url.searchParams.get('signature') !== 'very-secret') response.writeHead(403).end();
  else if (!fail(hub, request, response, url.pathname, file))
    setTimeout(() => sendRange(hub, request, response, file), hub.settings.delayMs);
}

function note(hub: FakeHub, request: IncomingMessage, path: string): void {
  const { method, headers } = request;
  hub.requests.push({ line: `${method ?? ''} ${path}`, range: headers.range, authorization: headers.authorization });
}

/** The part asked for with its headers, or null when the whole is to be sent. */
function rangeOf(
  hub: FakeHub,
  request: IncomingMessage,
  file: Buffer,
): { part: Buffer; start: number; end: number } | null {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (!match || !hub.settings.ranges) return null;
  const start = Number(match[1]);
  const end = Math.min(file.length, match[2] === '' ? file.length : Number(match[2]) + 1);
  return { part: file.subarray(start, end), start, end };
}

function sendRange(
  hub: FakeHub,
  request: IncomingMessage,
  response: ServerResponse,
  file: Buffer,
  change?: (part: Buffer) => void,
): void {
  const range = rangeOf(hub, request, file);
  const part = Buffer.from(range?.part ?? file);
  change?.(part);
  const headers: Record<string, string> = { 'content-length': String(part.length), 'accept-ranges': 'bytes' };
  if (range) headers['content-range'] = `bytes ${range.start}-${range.end - 1}/${file.length}`;
  response.writeHead(range ? 206 : 200, headers);
  response.end(request.method === 'HEAD' ? undefined : part);
}

/** Plays the next fault that matches; false when there is none. */
function fail(hub: FakeHub, request: IncomingMessage, response: ServerResponse, path: string, file: Buffer): boolean {
  const index = hub.faults.findIndex(({ at }) => at.test(`${path} ${request.headers.range ?? ''}`));
  if (index < 0) return false;
  const fault = hub.faults.splice(index, 1)[0]!;
  const range = rangeOf(hub, request, file);
  const part = range?.part ?? file;
  const start = (): void => {
    const headers: Record<string, string> = { 'content-length': String(part.length) };
    if (range) headers['content-range'] = `bytes ${range.start}-${range.end - 1}/${file.length}`;
    response.writeHead(range ? 206 : 200, headers);
  };
  const plays: { [K in Fault['do']]: (fault: Extract<Fault, { do: K }>) => void } = {
    status: ({ status, headers }) => response.writeHead(status, headers).end('failed on demand'),
    cut: ({ afterBytes }) => {
      start();
      response.write(part.subarray(0, afterBytes), () => setTimeout(() => response.destroy(), 20));
    },
    stall: ({ afterBytes }) => {
      start();
      response.write(part.subarray(0, afterBytes));
    },
    crawl: ({ everyMs }) => {
      start();
      let sent = 0;
      const timer = setInterval(() => response.write(part.subarray(sent, ++sent)), everyMs);
      response.once('close', () => clearInterval(timer));
    },
    corrupt: () => sendRange(hub, request, response, file, (bytes) => (bytes[bytes.length >> 1]! ^= 1)),
    overflow: () => {
      response.writeHead(206, {
        'content-range': `bytes ${range?.start ?? 0}-${(range?.end ?? file.length) - 1}/${file.length}`,
      });
      response.end(Buffer.concat([part, Buffer.alloc(100)]));
    },
    wrongRange: () => response.writeHead(206, { 'content-range': 'bytes 0-9/10' }).end('0123456789'),
    redirect: ({ to }) => response.writeHead(302, { location: to }).end(),
    silence: () => undefined,
  };
  (plays[fault.do] as (fault: Fault) => void)(fault);
  return true;
}

function isLarge(content: Buffer): boolean {
  return content.length >= LARGE_BYTES;
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function gitBlob(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
