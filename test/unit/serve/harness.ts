/** A real server over a fake node, on an ephemeral port, with a small renderer on disk; plus raw HTTP and WebSocket clients. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { serveApi, type ServedApi, type ServeOptions } from '../../../src-main/engine/serve/serve-api.ts';
import { createFakeNode, type FakeNode } from './fake-node.ts';

export const token = 'test-token-0123456789abcdef';

export interface Served extends ServedApi {
  node: FakeNode;
  directory: string;
  reported: unknown[];
  /** Value for a Cookie header, from a sign-in. */
  cookie: string;
}

export async function serveForTest(
  t: TestContext,
  changes: Partial<ServeOptions> = {},
  node = createFakeNode(),
): Promise<Served> {
  const outside = mkdtempSync(join(tmpdir(), 'waggle-serve-'));
  const directory = join(outside, 'renderer');
  t.after(() => rmSync(outside, { recursive: true, force: true }));
  mkdirSync(join(directory, 'assets'), { recursive: true });
  writeFileSync(join(outside, 'secret.txt'), 'outside the renderer');
  writeFileSync(join(directory, 'index.html'), '<!doctype html><title>Waggle</title>');
  writeFileSync(join(directory, 'assets', 'app-1a2b.js'), 'console.log(1)');
  const reported: unknown[] = [];
  const options = { api: node.api, rendererDirectory: directory, port: 0, token, ...changes };
  const served = await serveApi({ reportError: (_message, error) => reported.push(error), ...options });
  t.after(() => served.close());
  const signIn = await get(served.port, `/?token=${token}`);
  const cookie = (signIn.headers['set-cookie'] ?? [''])[0]!.split(';', 1)[0]!;
  return { ...served, node, directory, reported, cookie };
}

export interface Reply {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A request with exactly this path (never normalised) and these headers. */
export function get(port: number, path: string, headers: OutgoingHttpHeaders = {}, method = 'GET'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Opens a raw WebSocket; rejects with the HTTP status as message when refused. */
export function openSocket(port: number, headers: Record<string, string>, path = '/api'): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
    socket.on('error', () => undefined);
    socket.once('open', () => resolve(socket));
    socket.once('unexpected-response', (asked, response) => {
      asked.destroy();
      reject(new Error(String(response.statusCode)));
    });
    socket.once('close', () => reject(new Error('closed before it opened')));
  });
}

export const bearer = { authorization: `Bearer ${token}` };

/** Sends one text frame and waits for the next frame back. */
export async function ask(socket: WebSocket, frame: string): Promise<unknown> {
  const reply = nextFrame(socket);
  socket.send(frame);
  return await reply;
}

export function nextFrame(socket: WebSocket): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const closed = (code: number) => reject(new Error(`closed with ${code}`));
    socket.once('close', closed);
    socket.once('message', (content: Buffer) => {
      socket.off('close', closed);
      resolve(JSON.parse(content.toString('utf8')));
    });
  });
}

export function closeCode(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => socket.once('close', resolve));
}

export async function until(condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
