/** What a socket never gets, whoever holds the token: the words of the identity, and replacing it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { windowOnlyCalls } from '../../../src-main/engine/api-schema.ts';
import { connectNode } from '../../../src-main/engine/serve/client.ts';
import { readRuntimeFile } from '../../../src-main/engine/serve/runtime-file.ts';
import { serveNode } from '../../../src-main/engine/serve/serve-node.ts';
import { createFakeNode } from './fake-node.ts';

test('calls of the app’s own window are refused before the node hears of them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-window-only-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const node = createFakeNode({
    backupWords: () => ({ words: ['abandon'] }),
    restoreIdentity: () => ({ publicKey: 'ab'.repeat(32) }),
    previewProfile: (names) => names,
  });
  const served = await serveNode({ api: node.api, dataDirectory: folder, rendererDirectory: '/nowhere', port: 0 });
  t.after(() => served.close());
  const runtime = await readRuntimeFile(folder);
  assert.ok(runtime.ok);
  const client = await connectNode({ port: runtime.info.port, token: runtime.info.token });
  t.after(() => client.close());
  assert.deepEqual([...windowOnlyCalls], ['backupWords', 'restoreIdentity']);
  await assert.rejects(client.invoke('backupWords', null), { code: 'onlyInTheApp', fix: /waggle identity backup/ });
  await assert.rejects(client.invoke('restoreIdentity', { words: 'a b', anotherDevice: false }), {
    code: 'onlyInTheApp',
    fix: /waggle identity restore/,
  });
  assert.deepEqual(node.calls, [], 'the node heard nothing');
  assert.deepEqual(await client.invoke('previewProfile', { displayName: 'a', team: '' }), {
    displayName: 'a',
    team: '',
  });
});
