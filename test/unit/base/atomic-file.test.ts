import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  asDiskFull,
  DiskFullError,
  freeBytesAt,
  removeLeftovers,
  writeFileAtomic,
} from '../../../src-main/base/atomic-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'waggle-atomic-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('writes, replaces, sets the mode, leaves nothing behind', async () => {
  const path = join(folder, 'state.json');
  await writeFileAtomic(path, 'one');
  await writeFileAtomic(path, new TextEncoder().encode('two'), { mode: 0o600 });
  assert.equal(readFileSync(path, 'utf8'), 'two');
  if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ['state.json']);
});

test('writes at the same time do not mix', async () => {
  const path = join(folder, 'many.txt');
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000));
  await Promise.all(texts.map((text) => writeFileAtomic(path, text)));
  assert.ok(texts.includes(readFileSync(path, 'utf8')));
});

test('a write that fails leaves the former content and no temporary file', async () => {
  const path = join(folder, 'taken');
  const { mkdirSync } = await import('node:fs');
  mkdirSync(join(path, 'inside'), { recursive: true });
  await assert.rejects(writeFileAtomic(path, 'x'), (error: unknown) => !(error instanceof DiskFullError));
  assert.ok(!readdirSync(folder).some((name) => name.endsWith('tmp')));
});

test('a full device is a DiskFullError with path and free bytes', { skip: process.platform !== 'linux' }, async () => {
  const { open } = await import('node:fs/promises');
  const full = await open('/dev/full', 'w');
  const raw: unknown = await full.writeFile('x').then(
    () => assert.fail('/dev/full took it'),
    (error: unknown) => error,
  );
  await full.close();
  const error = await asDiskFull(raw, join(folder, 'checkpoint'));
  assert.ok(error instanceof DiskFullError);
  assert.equal(error.code, 'diskFull');
  assert.equal(error.path, join(folder, 'checkpoint'));
  assert.ok(error.freeBytes > 0);
  assert.match(error.fix, /--data/);
  const other = new Error('other');
  assert.equal(await asDiskFull(other, 'x'), other);
});

test('free bytes are a positive number', async () => {
  assert.ok((await freeBytesAt(folder)) > 0);
});

test(
  'killed in the middle of writing, the file is whole and the leftovers can be removed',
  { timeout: 60_000 },
  async () => {
    const path = join(folder, 'killed.txt');
    await writeFileAtomic(path, 'a'.repeat(3_000_000));
    const source = new URL('../../../src-main/base/atomic-file.ts', import.meta.url).href;
    const script = `import { writeFileAtomic } from ${JSON.stringify(source)};
    process.stdout.write('go');
    for (let i = 0; ; i++) await writeFileAtomic(${JSON.stringify(path)}, 'ab'[i % 2].repeat(3_000_000));`;
    for (let run = 0; run < 5; run++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, 15 + 11 * run));
      child.kill('SIGKILL');
      await once(child, 'exit');
      assert.match(readFileSync(path, 'utf8').slice(0, 10), /^(a{10}|b{10})$/);
      assert.equal(new Set(readFileSync(path, 'utf8')).size, 1);
      assert.equal(statSync(path).size, 3_000_000);
    }
    writeFileSync(join(folder, '.killed.txt.1-1.waggle-tmp'), 'partial');
    assert.ok((await removeLeftovers(folder)).includes('.killed.txt.1-1.waggle-tmp'));
    assert.ok(!readdirSync(folder).some((name) => name.endsWith('waggle-tmp')));
    assert.equal(statSync(path).size, 3_000_000);
  },
);
