import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { serveApi } from '../../../src-main/engine/serve/serve-api.ts';
import { createFakeNode } from './fake-node.ts';
import { get, serveForTest, token } from './harness.ts';

test('visiting the printed address sets a strict cookie and leads to an address without the token', async (t) => {
  const served = await serveForTest(t);
  assert.equal(served.url, `http://127.0.0.1:${served.port}/?token=${token}`);
  const signIn = await get(served.port, `/?token=${token}`);
  assert.equal(signIn.status, 303);
  assert.equal(signIn.headers.location, '/');
  const cookie = signIn.headers['set-cookie']?.[0] ?? '';
  assert.match(cookie, /; HttpOnly/);
  assert.match(cookie, /; SameSite=Strict/);
  assert.doesNotMatch(cookie, new RegExp(token), 'the cookie does not hold the token itself');
  const page = await get(served.port, '/', { cookie: served.cookie });
  assert.equal(page.status, 200);
  assert.match(page.body, /Waggle/);
  const script = await get(served.port, '/assets/app-1a2b.js', { cookie: `other=1; ${served.cookie}` });
  assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
  assert.match(script.headers['cache-control'] ?? '', /immutable/);
});

test('every reply carries the security headers', async (t) => {
  const { port, cookie } = await serveForTest(t);
  for (const reply of [
    await get(port, '/', { cookie }),
    await get(port, '/'),
    await get(port, '/nothing', { cookie }),
  ]) {
    const policy = String(reply.headers['content-security-policy']);
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self'(;|$)/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(reply.headers['x-content-type-options'], 'nosniff');
    assert.equal(reply.headers['referrer-policy'], 'no-referrer');
  }
});

test('without the token, or with a wrong one, nothing is served and the page says what to do', async (t) => {
  const { port, cookie } = await serveForTest(t);
  const half = cookie.slice(0, -1);
  const attempts = [
    await get(port, '/'),
    await get(port, '/?token='),
    await get(port, `/?token=${token}x`),
    await get(port, '/?token=%F0%9F%90%9D'),
    await get(port, '/assets/app-1a2b.js'),
    await get(port, `/assets/app-1a2b.js?token=${token}`),
    await get(port, '/', { cookie: half }),
    await get(port, '/', { cookie: `waggle-${port}=${token}` }),
    await get(port, '/', { authorization: `Basic ${token}` }),
    await get(port, '/', { authorization: 'Bearer wrong', cookie }),
  ];
  for (const reply of attempts) {
    assert.equal(reply.status, 401);
    assert.match(reply.body, /address that the node printed/);
    assert.equal(reply.headers['set-cookie'], undefined);
  }
});

test('another Host (DNS rebinding) or another Origin is refused, even with the cookie', async (t) => {
  const { port, cookie } = await serveForTest(t);
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1',
    `127.0.0.1:${port + 1}`,
    `127.0.0.1:${port}@evil`,
  ]) {
    assert.equal((await get(port, '/', { host, cookie })).status, 403, host);
    assert.equal((await get(port, `/?token=${token}`, { host })).status, 403, host);
  }
  for (const origin of ['http://evil.example', 'null', `https://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`]) {
    assert.equal((await get(port, '/', { origin, cookie })).status, 403, origin);
  }
  for (const host of [`localhost:${port}`, `[::1]:${port}`, `LOCALHOST:${port}`]) {
    assert.equal((await get(port, '/', { host, cookie })).status, 200, host);
  }
});

test('no request path leaves the renderer directory', async (t) => {
  const { port, cookie, directory } = await serveForTest(t);
  symlinkSync(join(directory, '..', 'secret.txt'), join(directory, 'link.txt'));
  writeFileSync(join(directory, '.hidden'), 'hidden');
  const paths = [
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/..\\secret.txt',
    '//etc/passwd',
    '/etc/passwd',
    '/link.txt',
    '/.hidden',
    '/index.html%00.js',
    '/assets',
    '/assets/',
    'http://evil.example/index.html',
  ];
  await new Promise((resolve) => setTimeout(resolve, 1100)); // past the pause between two listings
  for (const path of paths) assert.equal((await get(port, path, { cookie })).status, 404, path);
});

test('only GET and HEAD', async (t) => {
  const { port, cookie } = await serveForTest(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    assert.equal((await get(port, '/', { cookie }, method)).status, 405, method);
  }
  const head = await get(port, '/', { cookie }, 'HEAD');
  assert.equal(head.status, 200);
  assert.equal(head.body, '');
});

test('a renderer that is still being built is said plainly, and appears without a restart', async (t) => {
  const { port, cookie, directory } = await serveForTest(t);
  rmSync(directory, { recursive: true });
  const waiting = await get(port, '/', { cookie });
  assert.equal(waiting.status, 503);
  assert.equal(waiting.headers.refresh, '2');
  assert.match(waiting.body, /npm run build:renderer/);
});

test('a port in use is a typed error that names the port and the flag', async (t) => {
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  t.after(() => occupant.close());
  const { port } = occupant.address() as AddressInfo;
  const attempt = serveApi({ api: createFakeNode().api, rendererDirectory: '/nowhere', port, token });
  await assert.rejects(attempt, (error: Error & { code: string; fix: string }) => {
    assert.equal(error.code, 'portInUse');
    assert.match(error.message, new RegExp(`Port ${port} `));
    assert.match(error.fix, /--port/);
    return true;
  });
});

test('a short token is refused before anything listens', async () => {
  const attempt = serveApi({ api: createFakeNode().api, rendererDirectory: '/nowhere', port: 0, token: 'short' });
  await assert.rejects(attempt, { code: 'weakToken' });
});

test('close ends everything, twice over, and frees the port', async (t) => {
  const served = await serveForTest(t);
  await Promise.all([served.close(), served.close()]);
  await assert.rejects(get(served.port, '/'));
  const again = await serveApi({ api: served.node.api, rendererDirectory: served.directory, port: served.port, token });
  await again.close();
});
