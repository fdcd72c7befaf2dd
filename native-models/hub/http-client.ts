/**
 * GET and HEAD over HTTP(S) with what a download needs: the environment's proxy, redirects, a token that only its own
 * server sees, and a watch over connections that stand still. Knows nothing of models.
 *
 * Invariants: the token goes to the endpoint's origin only, never over plain HTTP to another machine; a redirect never
 * leads from https to http; bodies are read in identity encoding.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { asNetworkError, cancelledError, HubError, shownUrl } from './hub-error.ts';

export interface HttpClientOptions {
  /** Base address of the server that the token belongs to. */
  endpoint: URL;
  token: string | null;
  /** HTTPS_PROXY, HTTP_PROXY, NO_PROXY in upper or lower case; nothing else is read. */
  env: NodeJS.ProcessEnv;
  connections: number;
  timeouts: HttpTimeouts;
}
export interface HttpTimeouts {
  /** Until the first byte of an answer. */
  answerMs: number;
  /** Without a byte of the body. */
  stallMs: number;
  /** A body that brought less than `minBytes` in such a time is cut. */
  slowWindowMs: number;
  minBytes: number;
}
export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Where the answer came from, after redirects. */
  url: URL;
  /** Ends early with a HubError when the connection breaks, stalls or crawls. Must be read or dropped. */
  body: AsyncIterable<Buffer>;
  drop(): void;
}
export interface GetOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  method?: 'GET' | 'HEAD';
  /** A redirect to another server is an answer to the caller; those within a server are followed. */
  stopAtOtherServer?: boolean;
}

export const defaultTimeouts: HttpTimeouts = {
  answerMs: 30_000,
  stallMs: 30_000,
  slowWindowMs: 60_000,
  minBytes: 64 * 1024,
};
const MAX_REDIRECTS = 8;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export class HttpClient {
  private readonly options: HttpClientOptions;
  private readonly agents: { 'http:': HttpAgent; 'https:': HttpsAgent };

  /** @throws HubError `hubProxy` when a proxy setting is no address. */
  constructor(options: HttpClientOptions) {
    this.options = options;
    const proxyEnv = proxySettings(options.env);
    const settings = { keepAlive: true, maxSockets: options.connections, proxyEnv };
    this.agents = { 'http:': new HttpAgent(settings), 'https:': new HttpsAgent(settings) };
  }

  /** @throws HubError for a connection that failed; any status is an answer. */
  async get(url: URL, options: GetOptions = {}): Promise<HttpAnswer> {
    let at = url;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const message = await this.once(at, options);
      const status = message.statusCode ?? 0;
      const location = message.headers.location;
      if (!REDIRECTS.has(status) || location === undefined) return this.answer(message, at);
      const next = nextHop(at, location);
      if (options.stopAtOtherServer === true && next.origin !== at.origin) return this.answer(message, at);
      message.resume();
      at = next;
    }
    throw new HubError('hubBadAnswer', {
      message: `${shownUrl(url)} redirects without an end.`,
      fix: 'Check HF_ENDPOINT; try another mirror.',
    });
  }

  close(): void {
    this.agents['http:'].destroy();
    this.agents['https:'].destroy();
  }

  private once(url: URL, { headers = {}, signal, method = 'GET' }: GetOptions): Promise<IncomingMessage> {
    const secure = url.protocol === 'https:';
    const { answerMs } = this.options.timeouts;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(cancelledError());
        return;
      }
      const request = (secure ? httpsRequest : httpRequest)(url, {
        method,
        agent: secure ? this.agents['https:'] : this.agents['http:'],
        headers: { 'user-agent': 'waggle', 'accept-encoding': 'identity', ...headers, ...this.authorization(url) },
        ...(signal ? { signal } : {}),
      });
      const timer = setTimeout(() => request.destroy(slow(url, `did not answer within ${answerMs} ms`)), answerMs);
      request.once('response', (message) => {
        clearTimeout(timer);
        resolve(message);
      });
      request.on('error', (error) => {
        clearTimeout(timer);
        reject(signal?.aborted ? cancelledError() : (asNetworkError(error, url) as Error));
      });
      request.end();
    });
  }

  private authorization(url: URL): Record<string, string> {
    const { token, endpoint } = this.options;
    if (token === null || url.origin !== endpoint.origin) return {};
    const safe = url.protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
    return safe ? { authorization: `Bearer ${token}` } : {};
  }

  private answer(message: IncomingMessage, url: URL): HttpAnswer {
    return {
      status: message.statusCode ?? 0,
      headers: message.headers,
      url,
      body: watchedBody(message, url, this.options.timeouts),
      drop: () => message.destroy(),
    };
  }
}

/** Yields what arrives, and gives a connection up that stands still or crawls. */
async function* watchedBody(message: IncomingMessage, url: URL, timeouts: HttpTimeouts): AsyncGenerator<Buffer> {
  const { stallMs, slowWindowMs, minBytes } = timeouts;
  let windowStart = performance.now();
  let inWindow = 0;
  const stall = setTimeout(() => message.destroy(slow(url, `sent nothing for ${stallMs} ms`)), stallMs);
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      inWindow += chunk.length;
      const elapsedMs = performance.now() - windowStart;
      if (elapsedMs >= slowWindowMs) {
        if (inWindow < minBytes) throw slow(url, `sent only ${inWindow} bytes in ${Math.round(elapsedMs / 1000)} s`);
        windowStart = performance.now();
        inWindow = 0;
      }
      yield chunk;
      stall.refresh(); // after the reader is done with it: a slow disk is not a slow server
    }
    if (!message.complete) throw new Error('ended early');
  } catch (error) {
    throw asNetworkError(error, url);
  } finally {
    clearTimeout(stall);
    message.destroy();
  }
}

function slow(url: URL, what: string): HubError {
  return new HubError('hubSlow', {
    message: `${url.host} ${what}.`,
    fix: 'Try again later, or use a mirror (HF_ENDPOINT): what has arrived is kept.',
  });
}

function nextHop(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  const allowed = to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:');
  if (to && allowed) return to;
  throw new HubError('hubBadAnswer', {
    message: `${shownUrl(from)} redirects to an address that is not followed.`,
    fix: 'Check HF_ENDPOINT; try another mirror.',
  });
}

/** Node ignores a proxy it cannot speak to and connects directly, which a user behind one would not want. */
function proxySettings(env: NodeJS.ProcessEnv): Record<string, string> {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
  const set = names.flatMap((name): [string, string][] => (env[name] ? [[name, env[name]]] : []));
  for (const [name, value] of set) {
    const known = /^no_proxy$/i.test(name) || (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol));
    if (!known) {
      throw new HubError('hubProxy', {
        message: `${name} is not an http:// or https:// address.`,
        fix: `Correct ${name}, or clear it; SOCKS proxies are not supported.`,
      });
    }
  }
  return Object.fromEntries(set);
}
