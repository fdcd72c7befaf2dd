/** Every failure of a hub: cut, stalled, crawling, wrong, hostile, busy, gated, gone, offline, and a full disk. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix, win32 } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { hubSettings } from '../../../native-models/hub/hub-settings.ts';
import { isSafePath } from '../../../native-models/hub/model-listing.ts';
import { pullModel, type PullTuning } from '../../../native-models/hub/pull-model.ts';
import { MODEL, type Fault } from './fake-hub.ts';
import { hubError, impatient, someBytes, tiny, tinyModel, type Tiny } from './pull-tiny.ts';

const weights = tinyModel['model.safetensors'];
const times = (count: number, fault: Fault): Fault[] => Array.from({ length: count }, () => fault);

async function arrives({ pull, holds }: Tiny, tuning: Partial<PullTuning> = {}): Promise<void> {
  await pull({ tuning });
  assert.ok(await holds(`${MODEL}/model.safetensors`, weights));
}

test('a connection that is cut goes on from the byte it was cut at', async (t) => {
  const it = await tiny(t);
  it.hub.faults.push({ at: /\/cdn\/.* bytes=20000-/, do: 'cut', afterBytes: 4000 });
  await arrives(it);
  assert.ok(it.hub.requests.some(({ range }) => range === 'bytes=24000-29999'));
  assert.equal(it.waits.length, 1);
});

test('a server that cuts again and again is given up, unless something arrives each time', async (t) => {
  const it = await tiny(t);
  it.hub.faults.push(...times(6, { at: /\/cdn\/.* bytes=2\d{4}-29999/, do: 'cut', afterBytes: 1000 }));
  await arrives(it);
  assert.ok(
    it.waits.every((waitMs) => waitMs === 100),
    'each cut counts as the first one',
  );
  const other = await tiny(t);
  other.hub.faults.push(...times(50, { at: /\/cdn\//, do: 'cut', afterBytes: 0 }));
  await assert.rejects(other.pull({ tuning: { connections: 1 } }), hubError('hubCut'));
  assert.deepEqual(other.waits, [100, 200, 300]);
  other.hub.faults.length = 0;
  await arrives(other);
});

test('a connection that stands still or crawls is given up and asked again', async (t) => {
  const it = await tiny(t);
  it.hub.faults.push({ at: /\/cdn\//, do: 'stall', afterBytes: 500 }, { at: /\/cdn\//, do: 'crawl', everyMs: 10 });
  await arrives(it, { timeouts: impatient });
  assert.ok(it.progress.some((event) => event.phase === 'waiting' && /sent nothing for 700 ms/.test(event.reason)));
  assert.ok(it.progress.some((event) => event.phase === 'waiting' && /sent only \d+ bytes/.test(event.reason)));
  const other = await tiny(t);
  other.hub.faults.push(...times(50, { at: /\/cdn\//, do: 'stall', afterBytes: 500 }));
  await assert.rejects(other.pull({ tuning: { timeouts: impatient } }), hubError('hubSlow'));
});

test('a server that never answers is given up', async (t) => {
  const it = await tiny(t);
  it.hub.faults.push(...times(50, { at: /^\/api/, do: 'silence' }));
  const timeouts = { ...impatient, answerMs: 200 };
  await assert.rejects(it.pull({ tuning: { timeouts } }), hubError('hubSlow', /did not answer within 200 ms/));
});

test('wrong content is found by its hash, deleted, and can be fetched again', async (t) => {
  const it = await tiny(t);
  it.hub.faults.push({ at: /\/cdn\//, do: 'corrupt' });
  await assert.rejects(it.pull(), hubError('hubWrongHash', /model\.safetensors/));
  assert.ok(!(await it.written()).some((name) => name.startsWith('acme') || name.includes('model.safetensors')));
  await arrives(it);
});

test('small files are checked as well, by the blob id of git', async (t) => {
  const it = await tiny(t);
  it.hub.faults.push({ at: /tokenizer\.json/, do: 'status', status: 200 });
  await assert.rejects(it.pull(), hubError('hubWrongHash'));
  const other = await tiny(t);
  other.hub.files.set('config.json', Buffer.from('{"model_type":"other"}'));
  await assert.rejects(other.pull(), hubError('hubWrongHash', /config\.json/));
});

test('429 waits as long as the server asks, within bounds', async (t) => {
  const it = await tiny(t);
  const busy = (headers: Record<string, string>, at = /^\/api/): Fault => ({ at, do: 'status', status: 429, headers });
  it.hub.faults.push(
    busy({ 'retry-after': '7' }),
    busy({ ratelimit: '"api";r=0;t=9' }),
    busy({}),
    busy({ 'retry-after': '3' }, /\/cdn\/.*bytes=0-/),
  );
  await arrives(it);
  assert.deepEqual(it.waits, [7000, 9000, 300, 3000]);
  const other = await tiny(t);
  other.hub.faults.push(busy({ 'retry-after': '86400' }));
  await assert.rejects(other.pull(), hubError('hubBusy', /wait 86400 s/));
  assert.deepEqual(other.waits, []);
  other.hub.faults.push(...times(9, busy({ 'retry-after': '1' })));
  await assert.rejects(other.pull(), hubError('hubBusy'));
  assert.deepEqual(other.waits, [1000, 1000, 1000]);
});

test('a failing server is asked again', async (t) => {
  const it = await tiny(t);
  it.hub.faults.push({ at: /^\/api/, do: 'status', status: 503 }, { at: /\/cdn\//, do: 'status', status: 500 });
  await arrives(it);
  it.hub.faults.push(...times(9, { at: /^\/api/, do: 'status', status: 502 }));
  await assert.rejects(it.pull(), hubError('hubServer', /502/));
});

test('gated models say what to do, with and without a token', async (t) => {
  const it = await tiny(t);
  it.hub.settings.token = 'right';
  await assert.rejects(it.pull(), (error) => {
    assert.ok(hubError('hubGated', /401/)(error));
    assert.match((error as { fix: string }).fix, /accept its conditions.*HF_TOKEN/);
    return true;
  });
  const settings = await hubSettings({ HF_HOME: it.models, HF_ENDPOINT: it.hub.endpoint.href, HF_TOKEN: 'wrong' });
  await assert.rejects(it.pull({ settings }), hubError('hubGated', /403/));
  assert.ok(!(await it.written()).some((name) => name.endsWith('model.safetensors')));
});

test('what is not there is named: model, revision, file', async (t) => {
  const it = await tiny(t);
  await assert.rejects(it.pull({ id: 'acme/other' }), hubError('hubUnknownModel', /no model acme\/other/));
  await assert.rejects(it.pull({ revision: 'v9' }), hubError('hubUnknownModel', /revision v9/));
  it.hub.files.delete('tokenizer.json');
  await assert.rejects(it.pull(), hubError('hubMissingFile', /tokenizer\.json/));
});

const hostileNames = [
  '../evil.json', 'a/../../evil', '/etc/passwd', 'C:/evil', '..\\evil', 'a\\..\\b', 'a//b', './x', 'x\u0000y', 'config.json\n', '',
  'x'.repeat(1001), 'CONFIG.json',
]; // prettier-ignore
for (const rfilename of hostileNames) {
  test(`a list with the name ${JSON.stringify(rfilename.slice(0, 30))} is refused as a whole`, async (t) => {
    const it = await tiny(t);
    it.hub.siblings.push({ rfilename, size: 5, blobId: 'a'.repeat(40) });
    await assert.rejects(it.pull(), hubError('hubHostileName'));
    assert.deepEqual(await it.written(), []);
  });
}

test('no name that passes leaves the folder, on any system', () => {
  const part = fc.constantFrom('..', '.', '', '/', '\\', 'a', 'C:', '~', '\u0000', ' ', 'x.json', 'CON', '\u2024');
  const names = fc.oneof(
    fc.string(),
    fc.array(part).map((parts) => parts.join('')),
    fc.array(part).map((parts) => parts.join('/')),
  );
  fc.assert(
    fc.property(names, (name) => {
      if (!isSafePath(name)) return true;
      return (
        posix.resolve('/base', name).startsWith('/base/') && win32.resolve('C:/base', name).startsWith('C:\\base\\')
      );
    }),
    { numRuns: 2000 },
  );
  assert.equal(isSafePath('sub/model-00001-of-00002.safetensors'), true);
});

test('a list that is none is refused: no commit, absurd sizes, no JSON, names that are no text', async (t) => {
  const it = await tiny(t);
  const good = it.hub.siblings;
  for (const size of [-1, 1.5, 1e300, 'x']) {
    it.hub.siblings = [...good, { rfilename: 'x', size, blobId: 'a'.repeat(40) }];
    await assert.rejects(it.pull(), hubError('hubHostileName'), String(size));
  }
  it.hub.siblings = [...good, { rfilename: 7 }, null as never];
  await assert.rejects(it.pull(), hubError('hubHostileName'));
  it.hub.siblings = good;
  it.hub.settings.commit = '../../x';
  await assert.rejects(it.pull(), hubError('hubBadAnswer'));
  it.hub.settings.commit = 'c'.repeat(40);
  it.hub.faults.push({ at: /^\/api/, do: 'status', status: 200 });
  await assert.rejects(it.pull(), hubError('hubBadAnswer', /JSON/));
});

test('files without a hash are refused', async (t) => {
  const it = await tiny(t);
  const at = it.hub.siblings.findIndex(({ rfilename }) => rfilename === 'config.json');
  it.hub.siblings[at] = { rfilename: 'config.json' };
  it.hub.faults.push({ at: /config\.json/, do: 'status', status: 200, headers: { etag: '"abc"' } });
  await assert.rejects(it.pull(), hubError('hubNoHash'));
});

test('ids and revisions that are none never become an address or a path', async (t) => {
  const it = await tiny(t);
  for (const id of ['../x', 'a/b/c', '', '/a', 'a/', 'a/..', '.a/b', 'a b', 'a/b?x', 'a/b..c', 'http://x', '-a'])
    await assert.rejects(it.pull({ id }), hubError('hubBadRequest'), id);
  for (const revision of ['../x', '', 'a b', 'x?y', '-x']) await assert.rejects(it.pull({ revision }), hubError('hubBadRequest')); // prettier-ignore
  assert.equal(it.hub.requests.length, 0);
});

test('ranges that were not asked for and redirects that lead nowhere are refused', async (t) => {
  const play = async (fault: Fault, code: 'hubBadAnswer' | 'hubCut'): Promise<void> => {
    const it = await tiny(t);
    it.hub.faults.push(fault);
    await assert.rejects(it.pull(), hubError(code), fault.do);
    assert.ok(!(await it.written()).some((name) => name.startsWith('acme')));
  };
  await play({ at: /\/cdn\//, do: 'wrongRange' }, 'hubBadAnswer');
  await play({ at: /\/cdn\//, do: 'overflow' }, 'hubBadAnswer');
  await play({ at: /\/cdn\//, do: 'status', status: 416 }, 'hubBadAnswer');
  await play({ at: /model\.safetensors/, do: 'redirect', to: 'file:///etc/passwd' }, 'hubBadAnswer');
  const it = await tiny(t);
  it.hub.faults.push(...times(200, { at: /model\.safetensors/, do: 'redirect', to: `/${MODEL}/resolve/${'c'.repeat(40)}/model.safetensors` })); // prettier-ignore
  await assert.rejects(it.pull(), hubError('hubBadAnswer', /without an end/));
});

test('no message holds a token or the query of a signed link', async (t) => {
  const it = await tiny(t);
  const settings = await hubSettings({ HF_HOME: it.models, HF_ENDPOINT: it.hub.endpoint.href, HF_TOKEN: 'hf_secret' });
  for (const status of [400, 401, 403, 404, 410, 416, 418]) {
    it.hub.faults.push({ at: /\/cdn\//, do: 'status', status });
    await assert.rejects(it.pull({ settings, tuning: { connections: 1 } }), (error: Error) => {
      assert.doesNotMatch(`${error.message} ${(error as Error & { fix: string }).fix}`, /secret/);
      return true;
    });
  }
});

test('offline: no server, a name without an address, and HF_HUB_OFFLINE each say so', async (t) => {
  const it = await tiny(t);
  await it.hub.close();
  await assert.rejects(it.pull(), hubError('hubOffline', /ECONNREFUSED/));
  assert.equal(it.waits.length, 2);
  const env = { HF_HOME: it.models, HF_ENDPOINT: it.hub.endpoint.href, HF_HUB_OFFLINE: '1' };
  await assert.rejects(it.pull({ settings: await hubSettings(env) }), hubError('hubOffline', /HF_HUB_OFFLINE/));
  await assert.rejects(hubSettings({ HF_ENDPOINT: 'ftp://x' }), hubError('hubBadRequest'));
});

test('room is looked for before anything large is fetched', async (t) => {
  const it = await tiny(t);
  const freeBytes = (): Promise<number> => Promise.resolve(256 * 1024 * 1024 + 50_000);
  await assert.rejects(it.pull({ tuning: { freeBytes } }), hubError('diskFull', /still to fetch/));
  assert.ok(!it.hub.requests.some(({ line }) => line.includes('/cdn/')));
});

const disk = smallDisk();
test(
  'a disk that fills up meanwhile: said so, and gone on with when there is room',
  {
    skip: typeof disk === 'string' ? false : disk.reason,
  },
  async (t) => {
    const folder = disk as string;
    t.after(() => {
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true, force: true });
    });
    const it = await tiny(t, { ...tinyModel, 'model.safetensors': someBytes(1_500_000) });
    const settings = await hubSettings({ HF_HOME: it.models, HF_ENDPOINT: it.hub.endpoint.href });
    const freeBytes = (): Promise<number> => Promise.resolve(1e12);
    const request = { id: MODEL, modelsDirectory: folder, settings, tuning: { freeBytes, pieceBytes: 100_000 } };
    await assert.rejects(pullModel(request), hubError('diskFull', /disk is full/));
    const half = it.hub.requests.length;
    execFileSync('mount', ['-o', 'remount,size=4m', folder]);
    const pulled = await pullModel(request);
    assert.equal(pulled.directory, join(folder, 'acme', 'tiny-1'));
    const again = it.hub.requests.slice(half).filter(({ line }) => line.includes('/cdn/')).length;
    assert.ok(again > 0 && again < 15, `${again} ranges were fetched again`);
  },
);

/** A megabyte to fill, or why there is none. */
function smallDisk(): string | { reason: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { reason: 'needs root on Linux to mount a tmpfs' };
  const directory = mkdtempSync(join(tmpdir(), 'waggle-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'pipe' });
    return directory;
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    return { reason: `no tmpfs can be mounted here: ${String(error).slice(0, 100)}` };
  }
}
