import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { contentSecurityPolicy, createRendererHandler, rendererFile } from '../../../src-main/electron/app-protocol.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waggle-page-'));
  await mkdir(join(folder, 'renderer', 'assets'), { recursive: true });
  await mkdir(join(folder, 'renderer-secret'));
  await writeFile(join(folder, 'renderer', 'index.html'), '<!doctype html>');
  await writeFile(join(folder, 'renderer', 'assets', 'app.js'), 'export {};');
  await writeFile(join(folder, 'renderer', 'notes.txt'), 'not of a served type');
  await writeFile(join(folder, 'secret.json'), '{}');
  await writeFile(join(folder, 'renderer-secret', 'a.json'), '{}');
});
after(() => rm(folder, { recursive: true }));

const get = (path: string, init?: RequestInit) =>
  createRendererHandler(join(folder, 'renderer'))(new Request(path, init));

test('the page and its parts are served with their type and the policy', async () => {
  const page = await get('app://waggle/');
  assert.equal(page.status, 200);
  assert.equal(await page.text(), '<!doctype html>');
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.equal(page.headers.get('content-security-policy'), contentSecurityPolicy);
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  const script = await get('app://waggle/assets/app.js?v=1#x');
  assert.equal(script.headers.get('content-type'), 'text/javascript; charset=utf-8');
  const head = await get('app://waggle/index.html', { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), '');
});

test('nothing outside the folder, of another type or by another method is served', async () => {
  const root = join(folder, 'renderer');
  const hostile = [
    'app://waggle/../secret.json',
    'app://waggle/%2e%2e/secret.json',
    'app://waggle/..%2fsecret.json',
    'app://waggle/..%2frenderer-secret%2fa.json',
    'app://waggle/assets/..%5c..%5csecret.json',
    'app://waggle/index.html%00.js',
    'app://waggle/%E0%A4%A',
    'app://waggle/notes.txt',
    'app://waggle/assets',
    'app://waggle/missing.js',
    'app://other/index.html',
    'https://waggle/index.html',
  ];
  for (const url of hostile) {
    const answer = await get(url);
    assert.equal(answer.status, 404, url);
    assert.equal(answer.headers.get('content-security-policy'), contentSecurityPolicy);
  }
  assert.equal(rendererFile('app://waggle/..%2frenderer-secret%2fa.json', root), null);
  assert.equal((await get('app://waggle/index.html', { method: 'POST' })).status, 405);
});

test('the policy allows no inline script, no eval and no foreign source', () => {
  const directives = new Map(contentSecurityPolicy.split('; ').map((part) => [part.split(' ')[0], part]));
  assert.equal(directives.get('default-src'), "default-src 'none'");
  assert.equal(directives.get('script-src'), "script-src 'self'");
  assert.equal(directives.get('connect-src'), "connect-src 'self'");
  assert.doesNotMatch(contentSecurityPolicy, /unsafe-eval|https?:|\*/);
});
