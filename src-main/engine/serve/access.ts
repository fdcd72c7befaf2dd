/**
 * Who may talk to the node's server: the Host header (DNS rebinding), the Origin header (other web pages) and the token.
 * Pure decisions on header values; knows nothing of sockets or files.
 *
 * Invariants: a browser is let in by a cookie that only a visit to the address with the token sets, everything else by
 * `Authorization: Bearer`; secrets are compared in constant time; the cookie holds a value derived from the token, named
 * after the port because browsers share cookies between the ports of one host.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

const hostNames = ['127.0.0.1', 'localhost', '[::1]'] as const;

export interface Gate {
  /** Whether the request was addressed to this server by a name of this machine. */
  hostAllowed(headers: IncomingHttpHeaders): boolean;
  /** Whether a present Origin header is this server's own; absent counts as allowed. */
  originAllowed(headers: IncomingHttpHeaders): boolean;
  tokenMatches(candidate: string): boolean;
  /** How the request proved itself, or null when it did not. */
  credentialOf(headers: IncomingHttpHeaders): 'bearer' | 'cookie' | null;
  /** `Set-Cookie` value that lets this browser in until the node ends. */
  cookie: string;
}

/** `port` is the one the server listens on; `token` at least 16 characters. */
export function createGate(port: number, token: string): Gate {
  const cookieName = `waggle-${port}`;
  const cookieValue = createHmac('sha256', token).update('dashboard cookie').digest('base64url');
  const hosts = new Set(hostNames.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])));
  return {
    hostAllowed: (headers) => headers.host !== undefined && hosts.has(headers.host.toLowerCase()),
    originAllowed: ({ origin, host }) => origin === undefined || origin === `http://${(host ?? '').toLowerCase()}`,
    tokenMatches: (candidate) => sameSecret(candidate, token),
    credentialOf(headers) {
      const bearer = /^Bearer ([\w.~+/=-]{1,512})$/.exec(headers.authorization ?? '')?.[1];
      if (bearer !== undefined) return sameSecret(bearer, token) ? 'bearer' : null;
      const cookie = readCookie(headers.cookie, cookieName);
      return cookie !== null && sameSecret(cookie, cookieValue) ? 'cookie' : null;
    },
    cookie: `${cookieName}=${cookieValue}; Path=/; HttpOnly; SameSite=Strict`,
  };
}

/** Compares digests, so that neither content nor length shows in the time taken. */
function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

function readCookie(header: string | undefined, name: string): string | null {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return null;
}
