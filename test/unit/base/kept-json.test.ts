import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { z } from 'zod';
import { readKeptJson } from '../../../src-main/base/kept-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'waggle-kept-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const schema = z.object({ name: z.string(), times: z.int().default(1) });

test('what fits is read, with its defaults; missing, damaged, foreign and endless files are none', async () => {
  const path = join(folder, 'kept.json');
  assert.equal(await readKeptJson(path, schema), null);
  writeFileSync(path, '{"name":"a"}\n');
  assert.deepEqual(await readKeptJson(path, schema), { name: 'a', times: 1 });
  for (const text of ['', '{"name":', '{"name":7}', 'null', '[]', JSON.stringify({ name: 'a'.repeat(600_000) })]) {
    writeFileSync(path, text);
    assert.equal(await readKeptJson(path, schema), null, text.slice(0, 40));
  }
});

test('one that is there and cannot be read is not taken for missing', async () => {
  await assert.rejects(readKeptJson(folder, schema), { code: 'EISDIR' });
});
