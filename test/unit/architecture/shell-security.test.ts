/** Items of the security list that only Electron itself can enforce: that the source asks for them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './imports.ts';

const read = (name: string) => readFileSync(join(root, 'src-main/electron', name), 'utf8');

test('the window is isolated, sandboxed and without Node', () => {
  const source = read('window.ts');
  const preferences: Record<string, boolean> = {
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    webviewTag: false,
  };
  for (const [name, value] of Object.entries(preferences)) {
    const set = [...source.matchAll(new RegExp(`\\b${name}: (\\w+)`, 'g'))].map((match) => match[1]);
    assert.deepEqual(set, [String(value)], name);
  }
});

test('permissions, navigation, new windows and web views are refused', () => {
  const source = read('window.ts');
  for (const handler of ['setPermissionRequestHandler', 'setPermissionCheckHandler', 'setDevicePermissionHandler']) {
    assert.match(source, new RegExp(`${handler}\\(`));
  }
  for (const event of ['will-frame-navigate', 'will-redirect', 'will-attach-webview'])
    assert.ok(source.includes(`'${event}'`));
  assert.match(source, /setWindowOpenHandler\([\s\S]*action: 'deny'/);
  assert.match(read('main.ts'), /'web-contents-created', \(_event, contents\) => confine\(contents\)/);
});

test('main holds the single-instance lock, enables the sandbox everywhere and opens no other door', () => {
  const source = read('main.ts');
  assert.match(source, /requestSingleInstanceLock\(\)/);
  assert.match(source, /enableSandbox\(\)/);
  assert.equal(source.match(/ipcMain/g)?.length, 2, 'ipcMain is imported and handed to the gate, nothing else');
});
