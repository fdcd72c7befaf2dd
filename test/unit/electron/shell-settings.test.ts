import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readShellSettings, writeShellSettings } from '../../../src-main/electron/shell-settings.ts';

let folder = '';
before(async () => (folder = await mkdtemp(join(tmpdir(), 'waggle-shell-'))));
after(() => rm(folder, { recursive: true }));

test('what was explained is remembered, in a folder that need not exist', async () => {
  const path = join(folder, 'new', 'shell.json');
  assert.deepEqual(await readShellSettings(path), { closeToTrayExplained: false });
  await writeShellSettings(path, { closeToTrayExplained: true });
  assert.deepEqual(await readShellSettings(path), { closeToTrayExplained: true });
  assert.deepEqual(await readdir(join(folder, 'new')), ['shell.json'], 'no draft is left');
});

test('a damaged or foreign file means the defaults', async () => {
  const path = join(folder, 'bad.json');
  for (const text of ['', '{', 'null', '[]', '{"closeToTrayExplained":"yes"}', '\0\0']) {
    await writeFile(path, text);
    assert.deepEqual(await readShellSettings(path), { closeToTrayExplained: false }, text);
  }
});
