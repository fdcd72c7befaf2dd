/**
 * Answers the HTTP requests of a browser: the sign-in by the address with the token, and the files of the built renderer.
 * Requests in, replies out; knows nothing of sockets, the WebSocket or the engine.
 *
 * Invariants: every reply carries the security headers; nothing but the sign-in is answered without a credential; a
 * redirect leads to `/` only.
 */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Gate } from './access.ts';
import type { FindFile } from './static-files.ts';

export interface PageReply {
  status: number;
  headers: OutgoingHttpHeaders;
  body: string | Buffer;
}

type PageRequest = Pick<IncomingMessage, 'headers' | 'method' | 'url'>;

export async function answerPage(request: PageRequest, gate: Gate, findFile: FindFile): Promise<PageReply> {
  const { status, headers, body } = await decide(request, gate, findFile);
  return { status, headers: { ...securityHeaders(request.headers.host ?? ''), ...headers }, body };
}

async function decide({ headers, method, url }: PageRequest, gate: Gate, findFile: FindFile): Promise<PageReply> {
  if (!gate.hostAllowed(headers)) return plain(403, 'This server answers to this machine only.');
  if (!gate.originAllowed(headers)) return plain(403, 'Another web page may not ask this server.');
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'Only GET and HEAD.', { Allow: 'GET, HEAD' });
  const [path = '/', query = ''] = (url ?? '/').split('?', 2);
  const token = path === '/' ? new URLSearchParams(query).get('token') : null;
  if (token !== null && gate.tokenMatches(token)) {
    return plain(303, 'Welcome.', { 'Set-Cookie': gate.cookie, Location: '/' });
  }
  if (gate.credentialOf(headers) === null) return plain(401, needsToken);
  const file = await findFile(path === '/' ? '/index.html' : path);
  if (file !== null) {
    const caching = file.immutable ? 'private, max-age=31536000, immutable' : 'no-store';
    const ofFile = { 'Content-Type': file.contentType, 'Content-Length': file.body.length, 'Cache-Control': caching };
    return { status: 200, headers: ofFile, body: file.body };
  }
  return path === '/' ? plain(503, notBuilt, { Refresh: '2' }) : plain(404, 'There is no such file here.');
}

const needsToken =
  'This dashboard opens with the address that the node printed when it started (it ends in ?token=...).\n' +
  'See it again with: waggle status\n';
const notBuilt =
  'The node runs, and its dashboard is being built; this page reloads by itself.\n' +
  'If it stays like this, build it with: npm run build:renderer\n';

function plain(status: number, text: string, more: OutgoingHttpHeaders = {}): PageReply {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...more };
  return { status, headers, body: text };
}

/** Only a plain Host header is quoted back into the policy. */
function securityHeaders(host: string): OutgoingHttpHeaders {
  const webSocket = /^[\w.:[\]-]{1,64}$/.test(host) ? ` ws://${host}` : '';
  return {
    'Content-Security-Policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "style-src-attr 'unsafe-inline'", // computed positions of menus and charts; attributes hold no script
      "img-src 'self' data:",
      "font-src 'self'",
      `connect-src 'self'${webSocket}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), usb=()',
  };
}
