/** The node's downloads against a local hub that also fails: queue, progress, cancel, restart, and what each failure says. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLog } from '../../../src-main/base/log.ts';
import { loadConfig } from '../../../src-main/config.ts';
import type { ModelDownload } from '../../../src-main/engine/api.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { ModelDownloads } from '../../../src-main/models/downloads.ts';
import { listFiles, MODEL, openFakeHub, type FakeHub } from '../hub/fake-hub.ts';

const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
const bundledFiles = (): Record<string, Buffer> =>
  Object.fromEntries(names.map((name) => [name, readFileSync(join(bundledPolicyDirectory(), name))]));

interface Desk {
  hub: FakeHub;
  downloads: ModelDownloads;
  root: string;
  /** Every state that was told, in order, of the one model. */
  told: ModelDownload[];
  arrived: string[];
  /** A node started again on the same folder. */
  again: () => ModelDownloads;
  until: (stage: ModelDownload['stage']) => Promise<ModelDownload>;
}

async function desk(t: TestContext, free?: number): Promise<Desk> {
  const hub = await openFakeHub(bundledFiles());
  const root = await mkdtemp(join(tmpdir(), 'waggle-downloads-'));
  const made: ModelDownloads[] = [];
  const told: ModelDownload[] = [];
  const arrived: string[] = [];
  const looks = new Set<() => void>();
  const { config: settings } = loadConfig({ flags: { data: root } });
  const make = (): ModelDownloads => {
    const downloads: ModelDownloads = new ModelDownloads({
      settings,
      path: join(root, 'downloads.json'),
      env: { HF_HOME: join(root, 'hf'), HF_ENDPOINT: hub.endpoint.href },
      log: createLog({ directory: null }).for('engine'),
      onChange: () => {
        told.push(...downloads.rows());
        for (const look of looks) look();
      },
      onArrived: (id) => arrived.push(id),
      tuning: {
        pieceBytes: 500_000,
        retry: { attempts: 3, firstWaitMs: 1, maxWaitMs: 2, maxRetryAfterMs: 50, sleep: () => Promise.resolve(), random: () => 0.5 }, // prettier-ignore
        ...(free === undefined ? {} : { freeBytes: () => Promise.resolve(free) }),
      },
    });
    made.push(downloads);
    return downloads;
  };
  const downloads = make();
  t.after(async () => {
    await Promise.all(made.map((each) => each.close()));
    await hub.close();
    await rm(root, { recursive: true, force: true });
  });
  const until = (stage: ModelDownload['stage']): Promise<ModelDownload> =>
    new Promise((reached) => {
      const look = (): void => {
        const row = made
          .at(-1)!
          .rows()
          .find((each) => each.stage === stage);
        if (!row) return;
        looks.delete(look);
        reached(row);
      };
      looks.add(look);
      look();
    });
  return { hub, downloads, root, told, arrived, again: make, until };
}

const directoryOf = (root: string): string => join(root, 'models', ...MODEL.split('/'));

test('a download goes from space over bytes to verified, and is told once it is there', async (t) => {
  const { downloads, told, arrived, until, root } = await desk(t);
  await downloads.start(MODEL);
  await downloads.start(MODEL); // nothing more happens
  const { doneBytes, totalBytes, fault } = await until('done');
  const bytes = Object.values(bundledFiles()).reduce((sum, content) => sum + content.length, 0);
  assert.deepEqual([doneBytes, totalBytes, fault], [bytes, bytes, null]);
  assert.deepEqual(arrived, [MODEL]);
  const stages = [...new Set(told.map(({ stage }) => stage))];
  assert.deepEqual([stages[0], stages[1], stages.at(-1)], ['checkingSpace', 'fetching', 'done']);
  assert.ok(existsSync(join(directoryOf(root), 'model.safetensors')));
  await downloads.cancel(MODEL);
  assert.deepEqual(downloads.rows(), [], 'taken off the list, the model stays');
  assert.ok(existsSync(directoryOf(root)));
});

test('cancelled it keeps what has arrived; ended and started again the node goes on by itself', async (t) => {
  const { hub, downloads, again, until, root, told } = await desk(t);
  hub.settings.delayMs = 20;
  hub.faults.push({ at: /cdn/, do: 'stall', afterBytes: 200_000 });
  await downloads.start(MODEL);
  await until('fetching');
  await downloads.cancel(MODEL);
  assert.deepEqual([downloads.rows(), existsSync(directoryOf(root))], [[], false]);
  hub.faults.splice(0);
  hub.faults.push({ at: /cdn/, do: 'stall', afterBytes: 200_000 });
  await downloads.start(MODEL);
  await until('fetching');
  await downloads.close();
  assert.deepEqual(JSON.parse(readFileSync(join(root, 'downloads.json'), 'utf8')), { version: 1, ids: [MODEL] });
  hub.faults.splice(0);
  hub.settings.delayMs = 0;
  const next = again();
  await next.resume();
  assert.equal((await until('done')).fault, null);
  assert.ok(told.every(({ stage }) => stage !== 'failed'));
  assert.deepEqual(JSON.parse(readFileSync(join(root, 'downloads.json'), 'utf8')), { version: 1, ids: [] });
});

test('each failure says what to do, and trying again goes on', async (t) => {
  const { hub, downloads, until } = await desk(t);
  const fail = async (code: string, fix: RegExp): Promise<void> => {
    await downloads.start(MODEL);
    const { fault, stage } = await until('failed');
    assert.deepEqual([stage, fault?.code], ['failed', code], fault?.message);
    assert.match(fault!.fix, fix);
  };
  hub.settings.token = 'needed';
  await fail('hubGated', /HF_TOKEN/);
  hub.settings.token = null;
  hub.faults.push(...Array.from({ length: 3 }, () => ({ at: /api/, do: 'status' as const, status: 429, headers: { 'retry-after': '0' } }))); // prettier-ignore
  await fail('hubBusy', /\w/);
  const weights = hub.siblings.findIndex(({ rfilename }) => rfilename === 'model.safetensors');
  const honest = hub.siblings[weights]!;
  hub.siblings[weights] = { ...honest, lfs: { sha256: 'ab'.repeat(32), size: honest['size'] } };
  await fail('hubWrongHash', /\w/);
  hub.siblings[weights] = honest;
  await downloads.start(MODEL);
  assert.equal((await until('done')).fault, null);
});

test('a full disk is said before anything is fetched, without a command line in the words', async (t) => {
  const { downloads, until, hub } = await desk(t, 1_000_000);
  await downloads.start(MODEL);
  const { fault } = await until('failed');
  assert.equal(fault?.code, 'diskFull');
  assert.ok(!fault.fix.includes('--'), fault.fix);
  assert.ok(!hub.requests.some(({ line }) => line.includes('/cdn')));
});

test('a model that cannot be computed is refused before its weights; an id that is none at once; a hub that is not there', async (t) => {
  const { downloads, until, hub } = await desk(t);
  hub.files.set('config.json', Buffer.from('{"model_type":"mamba"}'));
  hub.siblings = listFiles(hub.files);
  await downloads.start(MODEL);
  assert.equal((await until('failed')).fault?.code, 'policyUnsupported');
  for (const id of ['../../etc', 'a/b/c', '', 'acme/..'])
    await assert.rejects(downloads.start(id), { code: 'hubBadRequest' }, id);
  await hub.close();
  await downloads.start(MODEL);
  assert.equal((await until('failed')).fault?.code, 'hubOffline');
});

test('a list of downloads that is damaged or hostile begins nothing', async (t) => {
  const { again, root } = await desk(t);
  for (const text of [
    '{"version":1,"ids":["../../etc"]}',
    'no JSON',
    '{"version":2}',
    `{"version":1,"ids":["${'a'.repeat(70_000)}"]}`,
  ]) {
    await writeFile(join(root, 'downloads.json'), text);
    const next = again();
    await next.resume();
    assert.deepEqual(next.rows(), [], text.slice(0, 40));
  }
});

test('two are fetched at once, the third waits', async (t) => {
  const { hub, downloads } = await desk(t);
  hub.faults.push(...Array.from({ length: 8 }, () => ({ at: /api/, do: 'silence' as const })));
  for (const id of ['acme/a', 'acme/b', 'acme/c']) await downloads.start(id);
  assert.deepEqual(
    downloads.rows().map(({ id, stage }) => [id, stage]),
    [
      ['acme/a', 'checkingSpace'],
      ['acme/b', 'checkingSpace'],
      ['acme/c', 'waiting'],
    ],
  );
  await downloads.cancel('acme/a');
  assert.equal(downloads.rows().find(({ id }) => id === 'acme/c')?.stage, 'checkingSpace');
});
