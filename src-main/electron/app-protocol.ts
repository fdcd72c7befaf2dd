/**
 * Serves the built renderer as `app://waggle/…` with a strict Content-Security-Policy. Knows the folder it serves and
 * nothing else; speaks web-standard Request and Response, so it runs under plain Node.
 * Invariants: only files inside the folder are read, only by GET or HEAD, only types in the table below.
 */
import { readFile } from 'node:fs/promises';
import { extname, join, normalize, sep } from 'node:path';
import { isAppPage } from './navigation.ts';

/** No inline script, no eval, no network: the page speaks to the node over IPC only. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src-elem 'self'",
  // Charts and pop-ups position themselves by style attributes.
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
};

const headers = (contentType: string) => ({
  'content-type': contentType,
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
});

function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: headers('text/plain; charset=utf-8') });
}

/** File below `root` that an address names, or null when it names none that may be served. */
export function rendererFile(address: string, root: string): { path: string; contentType: string } | null {
  if (!isAppPage(address)) return null;
  let name: string;
  try {
    name = decodeURIComponent(new URL(address).pathname);
  } catch {
    return null;
  }
  if (name.includes('\0') || name.includes('\\')) return null;
  const path = normalize(join(root, name === '/' ? 'index.html' : name));
  const contentType = contentTypes[extname(path).toLowerCase()];
  if (!path.startsWith(normalize(root + sep)) || contentType === undefined) return null;
  return { path, contentType };
}

/** The handler for `protocol.handle('app', …)`. */
export function createRendererHandler(root: string): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'Only GET is served.');
    const file = rendererFile(request.url, root);
    if (!file) return plain(404, 'There is no such page.');
    try {
      const bytes = new Uint8Array(await readFile(file.path));
      const body = request.method === 'HEAD' ? null : bytes;
      return new Response(body, { status: 200, headers: headers(file.contentType) });
    } catch {
      return plain(404, 'There is no such page.');
    }
  };
}
