import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DiskFullError } from '../../../src-main/base/atomic-file.ts';
import {
  DataFolderError,
  dataFolderPaths,
  openDataFolder,
  readRuntimeNote,
} from '../../../src-main/engine/data-folder.ts';

const base = mkdtempSync(join(tmpdir(), 'waggle-folder-'));
after(() => rmSync(base, { recursive: true, force: true }));
const posix = process.platform !== 'win32';

const refusal = (code: string, also: RegExp) => (error: unknown) => {
  assert.ok(error instanceof DataFolderError);
  assert.equal(error.code, code);
  assert.match(error.message, also);
  assert.match(error.fix, /--data/);
  return true;
};

test('creates the layout, keeps the note private, leaves only the layout behind', async () => {
  const root = join(base, 'deep', 'node');
  const folder = await openDataFolder(root);
  assert.ok(existsSync(folder.paths.checkpoints) && existsSync(folder.paths.logs));
  await folder.writeRuntimeNote({ port: 4747, token: 'secret', pid: process.pid });
  assert.deepEqual(await readRuntimeNote(root), { port: 4747, token: 'secret', pid: process.pid });
  if (posix) {
    assert.equal(statSync(folder.paths.runtime).mode & 0o777, 0o600);
    assert.equal(statSync(root).mode & 0o777, 0o700);
  }
  assert.ok((await folder.freeBytes()) > 0);
  await folder.close();
  await folder.close();
  assert.equal(await readRuntimeNote(root), null);
  assert.deepEqual(readdirSync(root).toSorted(), ['checkpoints', 'lock', 'logs']);
});

test('a second start on the same folder is refused with the process and the fix; after close it works', async () => {
  const root = join(base, 'twice');
  const first = await openDataFolder(root);
  await assert.rejects(openDataFolder(root), refusal('dataFolderLocked', /Another Waggle uses/));
  await first.writeRuntimeNote({ port: 1, token: 't', pid: 4242 });
  await assert.rejects(openDataFolder(root), refusal('dataFolderLocked', /process 4242/));
  assert.deepEqual(
    await readRuntimeNote(root),
    { port: 1, token: 't', pid: 4242 },
    'the refused start must not touch the note',
  );
  await first.close();
  await (await openDataFolder(root)).close();
});

test(
  'the lock of another process holds while it lives and is gone when it is killed',
  { timeout: 60_000 },
  async () => {
    const root = join(base, 'killed');
    const source = new URL('../../../src-main/engine/data-folder.ts', import.meta.url).href;
    const script = `import { openDataFolder } from ${JSON.stringify(source)};
    const folder = await openDataFolder(${JSON.stringify(root)});
    await folder.writeRuntimeNote({ port: 9, token: 't', pid: process.pid });
    process.stdout.write('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      await assert.rejects(openDataFolder(root), refusal('dataFolderLocked', new RegExp(`process ${child.pid}`)));
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    assert.notEqual(await readRuntimeNote(root), null);
    const folder = await openDataFolder(root);
    assert.equal(await readRuntimeNote(root), null, 'the note of the killed node is removed');
    await folder.close();
  },
);

test('a lock file with other content does not keep a node from starting', async () => {
  const root = join(base, 'scribbled');
  mkdirSync(root);
  writeFileSync(join(root, 'lock'), '12345\n'.repeat(200));
  const folder = await openDataFolder(root);
  await assert.rejects(openDataFolder(root), refusal('dataFolderLocked', /uses/));
  await folder.close();
});

test('leftovers of interrupted writes are removed', async () => {
  const root = join(base, 'leftovers');
  mkdirSync(root);
  writeFileSync(join(root, '.runtime.json.1-1.waggle-tmp'), 'half');
  await (await openDataFolder(root)).close();
  assert.ok(!readdirSync(root).some((name) => name.includes('tmp')));
});

test('a file in its place', async () => {
  const path = join(base, 'file');
  writeFileSync(path, 'x');
  await assert.rejects(openDataFolder(path), refusal('dataFolderNotAFolder', /a file is in its place/));
  await assert.rejects(openDataFolder(join(path, 'inside')), refusal('dataFolderNotAFolder', /a file is in its place/));
});

// /sys takes new folders from nobody, not even from root, as which containers run their tests.
test('a place that cannot be written', { skip: process.platform !== 'linux' }, async () => {
  await assert.rejects(openDataFolder('/sys/waggle-test'), refusal('dataFolderUnwritable', /cannot be written/));
});

test('too little space is a DiskFullError with the free bytes', async () => {
  const folder = await openDataFolder(join(base, 'space'), { minFreeBytes: Number.MAX_SAFE_INTEGER });
  await assert.rejects(
    folder.requireFreeSpace(),
    (error: unknown) => error instanceof DiskFullError && error.freeBytes > 0,
  );
  await folder.close();
  const roomy = await openDataFolder(join(base, 'space'), { minFreeBytes: 1 });
  await roomy.requireFreeSpace();
  await roomy.close();
});

test('an unreadable note is no note', async () => {
  const root = join(base, 'note');
  mkdirSync(root);
  for (const content of [
    '',
    '{',
    'null',
    '[]',
    '{"port":"1","token":"t","pid":1}',
    '{"port":1,"pid":1}',
    '{"port":70000,"token":"t","pid":1}',
  ]) {
    writeFileSync(dataFolderPaths(root).runtime, content);
    assert.equal(await readRuntimeNote(root), null, content);
  }
  assert.equal(await readRuntimeNote(join(base, 'nowhere')), null);
});
