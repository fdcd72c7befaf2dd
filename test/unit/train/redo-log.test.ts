// The redo log: what was appended comes back; every kind of damage ends it at the last whole entry; a full disk costs nothing.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { RedoLog } from '../../../src-main/train/redo-log.ts';

const root = await mkdtemp(join(tmpdir(), 'waggle-redo-'));
after(() => rm(root, { recursive: true, force: true }));
let files = 0;
const newFile = () => join(root, `${files++}.log`);

interface Entry {
  round: number;
  rows: number[];
  weights: Float32Array;
}
const entry = (round: number): Entry => ({
  round,
  rows: [round, -0, Number.MIN_VALUE, 1 / 3],
  weights: Float32Array.of(round / 7, NaN),
});
async function entriesIn(path: string): Promise<{ rounds: number[]; damagedBytes: number }> {
  const { log, entries, damagedBytes } = await RedoLog.open<Entry>(path);
  await log.close();
  return { rounds: entries.map(({ round }) => round), damagedBytes };
}
/** Three entries, and where each ends. */
async function threeEntries(): Promise<{ path: string; bytes: Buffer; ends: number[] }> {
  const path = newFile();
  const { log } = await RedoLog.open<Entry>(path);
  const ends: number[] = [];
  for (const round of [1, 2, 3]) {
    await log.append(entry(round));
    ends.push(log.bytes);
  }
  await log.close();
  return { path, bytes: await readFile(path), ends };
}

test('what was appended comes back exactly, also after more was appended in a later start', async () => {
  const path = newFile();
  for (const round of [1, 2]) {
    const { log, entries, damagedBytes } = await RedoLog.open<Entry>(path);
    assert.deepEqual(entries, round === 1 ? [] : [entry(1)]);
    assert.equal(damagedBytes, 0);
    await log.append(entry(round));
    assert.equal((await stat(path)).size, log.bytes);
    await log.close();
  }
  const { log, entries } = await RedoLog.open<Entry>(path);
  assert.deepEqual(entries, [entry(1), entry(2)]);
  await log.clear();
  assert.equal(log.bytes, 0);
  await log.append(entry(3));
  await log.close();
  assert.deepEqual(await entriesIn(path), { rounds: [3], damagedBytes: 0 });
});

test('cut anywhere: the whole entries before the cut, and what is appended then follows them', async () => {
  const { path, bytes, ends } = await threeEntries();
  for (let cut = 0; cut < bytes.length; cut++) {
    await writeFile(path, bytes.subarray(0, cut));
    const whole = ends.filter((end) => end <= cut);
    const expected = whole.map((_, i) => i + 1);
    assert.deepEqual(await entriesIn(path), { rounds: expected, damagedBytes: cut - (whole.at(-1) ?? 0) }, `at ${cut}`);
    if (cut % 17 !== 0) continue;
    await writeFile(path, bytes.subarray(0, cut));
    const { log } = await RedoLog.open<Entry>(path);
    await log.append(entry(9));
    await log.close();
    assert.deepEqual((await entriesIn(path)).rounds, [...expected, 9]);
  }
});

test('a flipped bit anywhere ends the log before the entry it is in', async () => {
  const { path, bytes, ends } = await threeEntries();
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1 << (at % 8);
    await writeFile(path, damaged);
    const whole = ends.filter((end) => end <= at).length;
    assert.deepEqual((await entriesIn(path)).rounds, [1, 2, 3].slice(0, whole), `at ${at}`);
  }
});

test('any bytes at all: no error, no memory for claimed lengths, and the file is usable', async () => {
  const path = newFile();
  const huge = Buffer.alloc(8);
  huge.writeUInt32LE(0xffff_fff0, 0);
  // A whole frame, rightly sealed, of something that no v8 has written.
  const noise = Buffer.from('not written by v8');
  const sealed = Buffer.concat([Buffer.alloc(8), noise]);
  sealed.writeUInt32LE(noise.length, 0);
  sealed.writeUInt32LE(crc32(noise), 4);
  const check = async (content: Uint8Array): Promise<void> => {
    await writeFile(path, content);
    assert.deepEqual(await entriesIn(path), { rounds: [], damagedBytes: content.length });
    assert.equal((await stat(path)).size, 0);
  };
  for (const content of [huge, sealed]) await check(content);
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 60 });
});

test(
  'an entry that cannot be written leaves the log as it was, and the next one follows the last good one',
  { skip: process.platform === 'win32' },
  async () => {
    const { path, ends } = await threeEntries();
    const { log } = await RedoLog.open<Entry>(path);
    // A file handle that writes half of what it is given and then finds the disk full.
    const { file } = log as unknown as { file: { write: (...args: unknown[]) => Promise<{ bytesWritten: number }> } };
    const write = file.write.bind(file);
    let calls = 0;
    file.write = async (buffer, offset, length, position) => {
      if (calls++ > 0)
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
          code: 'ENOSPC',
          errno: -constants.errno.ENOSPC,
        });
      return write(buffer, offset, Math.floor((length as number) / 2), position);
    };
    await assert.rejects(log.append(entry(4)), { code: 'ENOSPC' });
    assert.equal((await stat(path)).size, ends.at(-1));
    file.write = write;
    await log.append(entry(5));
    await log.close();
    assert.deepEqual(await entriesIn(path), { rounds: [1, 2, 3, 5], damagedBytes: 0 });
  },
);

test('a log that cannot be opened is not emptied: the error comes through', async () => {
  const { path, bytes } = await threeEntries();
  await assert.rejects(RedoLog.open(join(path, 'inside')), { code: 'ENOTDIR' });
  await assert.rejects(RedoLog.open(root), { code: 'EISDIR' });
  assert.deepEqual(await readFile(path), bytes);
});
