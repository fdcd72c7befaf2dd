/**
 * Serves one node's API and the built renderer on loopback: files over HTTP, calls and events over the WebSocket `/api`.
 * The only file that opens a listening TCP port. Knows nothing of the engine behind the API.
 *
 * Invariants: listens on a loopback address only; every request passes the Host check, then the token; upgrades also pass
 * the Origin check; no request can throw out of here; close() is idempotent and leaves no open socket.
 */
import { createServer, STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { NodeApi } from '../api.ts';
import { createGate, type Gate } from './access.ts';
import { connectionLimits, serveConnection, type Connection, type ConnectionLimits } from './connection.ts';
import { answerPage } from './dashboard.ts';
import { NodeFault } from './faults.ts';
import { listStaticFiles } from './static-files.ts';
import { apiPath, wireLimits } from './wire.ts';

export interface ServeOptions {
  api: NodeApi;
  /** `dist/renderer`; may still be missing or in the making. */
  rendererDirectory: string;
  /** Loopback only. */
  host?: '127.0.0.1' | '::1';
  /** 0 takes any free port. */
  port: number;
  /** Secret of this run, at least 16 characters. */
  token: string;
  maxConnections?: number;
  limits?: Partial<ConnectionLimits>;
  /** Told of errors that clients are not told about. */
  reportError?: (message: string, error: unknown) => void;
}

export interface ServedApi {
  /** Address for a person's browser, with the token: visiting it sets the cookie. */
  url: string;
  port: number;
  close(): Promise<void>;
}

const closeGraceMs = 500;

/** Throws `NodeFault` with code `portInUse`, `portRefused` or `weakToken`. */
export async function serveApi(options: ServeOptions): Promise<ServedApi> {
  const { api, token, host = '127.0.0.1', maxConnections = 16, reportError = () => undefined } = options;
  if (token.length < 16) {
    const fix = 'Give serveApi at least 16 random characters.';
    throw new NodeFault({ code: 'weakToken', message: 'The token of the dashboard is too short.', fix });
  }
  const limits = { ...connectionLimits, ...options.limits };
  const server = createServer({ maxHeaderSize: 16 * 1024, headersTimeout: 10_000, requestTimeout: 30_000 });
  const port = await listen(server, host, options.port);
  const gate = createGate(port, token);
  const connections = new Set<Connection>();
  const sockets = new WebSocketServer({ noServer: true, maxPayload: wireLimits.maxFrameBytes });
  const findFile = listStaticFiles(options.rendererDirectory);

  server.on('request', (request, response) => {
    answerPage(request, gate, findFile)
      .then(({ status, headers, body }) => {
        response.writeHead(status, headers);
        response.end(request.method === 'HEAD' ? undefined : body);
      })
      .catch((error: unknown) => {
        reportError('A request to the dashboard failed', error);
        response.destroy();
      });
  });
  server.on('clientError', (_error, socket) => void socket.destroy());
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const refusal = connections.size >= maxConnections ? 503 : refuseUpgrade(request, gate);
    if (refusal !== null) {
      rejectUpgrade(socket, refusal);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = serveConnection(webSocket, api, limits, reportError);
      connections.add(connection);
      webSocket.on('close', () => connections.delete(connection));
    });
  });

  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const connection of connections) connection.close(closeGraceMs);
    setTimeout(() => server.closeAllConnections(), closeGraceMs).unref();
    server.closeIdleConnections();
    await closed;
  };
  const hostInUrl = host === '::1' ? '[::1]' : host;
  return { url: `http://${hostInUrl}:${port}/?token=${token}`, port, close: () => (closing ??= close()) };
}

/** HTTP status to refuse an upgrade with, or null. A cookie counts only together with this server's own Origin. */
function refuseUpgrade(request: IncomingMessage, gate: Gate): number | null {
  const { headers } = request;
  if (!gate.hostAllowed(headers) || !gate.originAllowed(headers)) return 403;
  if ((request.url ?? '').split('?', 1)[0] !== apiPath) return 404;
  const credential = gate.credentialOf(headers);
  if (credential === null) return 401;
  return credential === 'cookie' && headers.origin === undefined ? 403 : null;
}

function rejectUpgrade(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, exclusive: true }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw listenFault(error, port);
  }
  return (server.address() as AddressInfo).port;
}

function listenFault(error: unknown, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const fix = `Start with another one: --port ${port < 65_000 ? port + 1 : port - 1}, or --port 0 for any free port.`;
  if (code === 'EADDRINUSE') {
    const message = `Port ${port} is in use by another program (or another Waggle node).`;
    return new NodeFault({ code: 'portInUse', message, fix, cause: error });
  }
  if (code === 'EACCES') {
    const message = `This user may not listen on port ${port}.`;
    return new NodeFault({ code: 'portRefused', message, fix, cause: error });
  }
  return error;
}
