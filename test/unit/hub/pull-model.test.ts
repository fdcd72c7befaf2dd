/** Pulling a model from a hub that behaves: what arrives, what is asked for, resuming, ranges, redirects, tokens, proxies. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { hubSettings } from '../../../native-models/hub/hub-settings.ts';
import { MODEL, listFiles, portOf, sha256 } from './fake-hub.ts';
import { hubError, impatient, someBytes, tiny, tinyModel } from './pull-tiny.ts';

const NEEDED = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'] as const;

test('a model arrives whole, with the needed files only, in parallel ranges, and is not fetched twice', async (t) => {
  const { hub, models, pull, written, holds, progress } = await tiny(t);
  hub.settings.delayMs = 30;
  const pulled = await pull();
  assert.equal(pulled.directory, join(models, 'acme', 'tiny-1'));
  assert.equal(pulled.alreadyThere, false);
  assert.deepEqual(await written(), [...NEEDED, 'waggle-model.json'].map((name) => `${MODEL}/${name}`).sort());
  for (const name of NEEDED) assert.ok(await holds(`${MODEL}/${name}`, tinyModel[name]), name);
  const ranges = hub.requests.filter(({ line }) => line.startsWith('GET /cdn')).map(({ range }) => range);
  assert.equal(new Set(ranges).size, 10);
  assert.ok(hub.settings.mostOpen > 1 && hub.settings.mostOpen <= 4, `${hub.settings.mostOpen} connections`);
  const last = progress.at(-1)!;
  assert.ok(last.phase === 'checking' && last.doneBytes === pulled.bytes && last.totalBytes === pulled.bytes);
  const origin = JSON.parse(await readFile(join(pulled.directory, 'waggle-model.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  assert.equal(origin['commit'], hub.settings.commit);

  const before = hub.requests.length;
  assert.equal((await pull()).alreadyThere, true);
  assert.equal(hub.requests.length, before + 1, 'only the list was asked for');
});

test('a pull that was cancelled goes on where it stopped', async (t) => {
  const { hub, pull, written, holds } = await tiny(t);
  const stop = new AbortController();
  const onProgress = (event: { phase: string; doneBytes?: number }): void => {
    if (event.phase === 'fetching' && (event.doneBytes ?? 0) > 40_000) stop.abort();
  };
  await assert.rejects(pull({ signal: stop.signal, onProgress, tuning: { connections: 1 } }), hubError('cancelled'));
  assert.ok(!(await written()).some((name) => name.startsWith('acme')), 'nothing has its final name');
  const before = hub.requests.length;
  await pull({ tuning: { connections: 1 } });
  assert.ok(await holds(`${MODEL}/model.safetensors`, tinyModel['model.safetensors']));
  const again = hub.requests.slice(before).filter(({ line }) => line.startsWith('GET /cdn'));
  assert.ok(again.length >= 1 && again.length < 7, `${again.length} ranges for what was missing`);
  assert.ok(!hub.requests.slice(before).some(({ line }) => line.endsWith('/config.json')), 'small files were there');
});

test('a pull whose signal has fired already asks for nothing', async (t) => {
  const { hub, pull } = await tiny(t);
  await assert.rejects(pull({ signal: AbortSignal.abort() }), hubError('cancelled'));
  assert.equal(hub.requests.length, 0);
});

test('what an earlier run left is not believed: a damaged half file is fetched again', async (t) => {
  const { models, pull, holds, progress } = await tiny(t);
  const stop = new AbortController();
  const onProgress = (event: { phase: string; doneBytes?: number }): void => {
    if (event.phase === 'fetching' && (event.doneBytes ?? 0) > 40_000) stop.abort();
  };
  await assert.rejects(pull({ signal: stop.signal, onProgress }), hubError('cancelled'));
  const half = join(models, '.partial', `acme--tiny-1--${'c'.repeat(40)}`, 'model.safetensors.partial');
  const bytes = await readFile(half);
  bytes[5] = bytes[5]! ^ 1;
  await writeFile(half, bytes);
  await pull();
  assert.ok(progress.some(({ phase }) => phase === 'again'));
  assert.ok(await holds(`${MODEL}/model.safetensors`, tinyModel['model.safetensors']));
});

test('a journal that is not one is no reason to fail', async (t) => {
  const { models, pull, holds } = await tiny(t);
  const stop = new AbortController();
  const onProgress = (event: { phase: string }): void => {
    if (event.phase === 'fetching') stop.abort();
  };
  await assert.rejects(pull({ signal: stop.signal, onProgress }), hubError('cancelled'));
  const staging = join(models, '.partial', `acme--tiny-1--${'c'.repeat(40)}`);
  for (const journal of [
    '',
    '[]',
    '{"pieces":[[0,-1,5]]}',
    JSON.stringify({ name: 'model.safetensors', bytes: 1e5, pieces: [[0, 1e5, 2e5]] }),
  ]) {
    await writeFile(join(staging, 'model.safetensors.partial'), 'x');
    await writeFile(join(staging, 'model.safetensors.partial.json'), journal);
  }
  await pull();
  assert.ok(await holds(`${MODEL}/model.safetensors`, tinyModel['model.safetensors']));
});

test('shards and their index are fetched; an incomplete set is refused before anything is', async (t) => {
  const shards = {
    'model-00001-of-00002.safetensors': someBytes(5000),
    'model-00002-of-00002.safetensors': someBytes(7000, 4),
  };
  const small = { 'config.json': '{}', 'tokenizer.json': '{}', 'model.safetensors.index.json': '{"weight_map":{}}' };
  const { hub, pull, written } = await tiny(t, { ...small, ...shards });
  await pull();
  assert.deepEqual(
    await written(),
    [...Object.keys({ ...small, ...shards }), 'waggle-model.json'].map((name) => `${MODEL}/${name}`).sort(),
  );
  const listing = hub.siblings;
  for (const missing of [
    'model-00001-of-00002.safetensors',
    'model.safetensors.index.json',
    'config.json',
    'tokenizer.json',
  ]) {
    hub.siblings = listing.filter(({ rfilename }) => rfilename !== missing);
    await assert.rejects(pull(), hubError('hubUnsupported'), missing);
  }
});

test('a new commit replaces the folder in one step and its leftovers go', async (t) => {
  const { hub, pull, written, holds } = await tiny(t);
  await pull();
  hub.settings.commit = 'd'.repeat(40);
  hub.files.set('model.safetensors', someBytes(50_000, 9));
  hub.siblings = listFiles(hub.files);
  const stop = new AbortController();
  await assert.rejects(
    pull({ signal: stop.signal, onProgress: (event) => event.phase === 'fetching' && stop.abort() }),
    hubError('cancelled'),
  );
  assert.ok(await holds(`${MODEL}/model.safetensors`, tinyModel['model.safetensors']), 'the former one still stands');
  assert.equal((await pull()).alreadyThere, false);
  assert.ok(await holds(`${MODEL}/model.safetensors`, someBytes(50_000, 9)));
  assert.ok(!(await written()).some((name) => name.startsWith('.partial')));
});

test('a server without ranges is read in one go', async (t) => {
  const { hub, pull, holds } = await tiny(t);
  hub.settings.ranges = false;
  await pull();
  assert.ok(await holds(`${MODEL}/model.safetensors`, tinyModel['model.safetensors']));
});

test('a list without sizes and hashes is completed from the headers of each file', async (t) => {
  const { hub, pull, holds } = await tiny(t);
  hub.settings.sizesInList = false;
  await pull();
  assert.equal(hub.requests.filter(({ line }) => line.startsWith('HEAD /acme')).length, NEEDED.length);
  assert.ok(await holds(`${MODEL}/model.safetensors`, tinyModel['model.safetensors']));
});

test('the token goes to the endpoint and never to where it redirects', async (t) => {
  const { hub, models, pull } = await tiny(t);
  hub.settings.token = 'hf_abc';
  const settings = await hubSettings({ HF_HOME: models, HF_ENDPOINT: hub.endpoint.href, HF_TOKEN: 'hf_abc' });
  await pull({ settings });
  assert.ok(
    hub.requests.every(({ line, authorization }) => (authorization === 'Bearer hf_abc') === !line.includes('/cdn/')),
  );
});

test('a look at the small files before the weights can end the pull', async (t) => {
  const { hub, pull } = await tiny(t);
  const beforeWeights = async (directory: string): Promise<void> => {
    assert.equal(await readFile(join(directory, 'config.json'), 'utf8'), tinyModel['config.json']);
    throw new Error('not this one');
  };
  await assert.rejects(pull({ beforeWeights }), /not this one/);
  assert.ok(!hub.requests.some(({ line }) => line.includes('/cdn/')));
});

test('the proxy of the environment is used, and NO_PROXY holds', async (t) => {
  const { hub, models, pull } = await tiny(t);
  const asked: string[] = [];
  const proxy = createServer((request, response) => {
    asked.push(request.url ?? '');
    const to = new URL(request.url ?? '');
    const target = to.hostname === 'hub.invalid' ? new URL(to.pathname + to.search, hub.endpoint) : to;
    const headers = { ...request.headers, host: target.host };
    request.pipe(
      httpRequest(target, { method: request.method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      }),
    );
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => proxy.close());
  const env = { HF_HOME: models, HF_ENDPOINT: 'http://hub.invalid', http_proxy: `http://127.0.0.1:${portOf(proxy)}` };
  await pull({ settings: await hubSettings(env) });
  assert.ok(asked.length > 5 && asked.some((url) => url.startsWith('http://hub.invalid/')));
  asked.length = 0;
  await pull({ settings: await hubSettings({ ...env, HF_ENDPOINT: hub.endpoint.href, NO_PROXY: '127.0.0.1' }) });
  assert.deepEqual(asked, []);
  for (const HTTP_PROXY of ['socks5://127.0.0.1:1', 'nonsense']) {
    const settings = await hubSettings({ HF_HOME: models, HF_ENDPOINT: hub.endpoint.href, HTTP_PROXY });
    await assert.rejects(pull({ settings }), hubError('hubProxy'), HTTP_PROXY);
  }
});

test('two pulls of one model do not mix; a lock left by a dead process is taken over', async (t) => {
  const { hub, models, pull } = await tiny(t);
  hub.faults.push({ at: /\/cdn\//, do: 'crawl', everyMs: 20 });
  const first = pull({ tuning: { timeouts: impatient } });
  while (!hub.requests.some(({ line }) => line.includes('/cdn/')))
    await new Promise((resolve) => setTimeout(resolve, 5));
  await assert.rejects(pull(), hubError('hubLocked'));
  await first;
  hub.settings.commit = 'd'.repeat(40);
  const staging = join(models, '.partial', `acme--tiny-1--${'d'.repeat(40)}`);
  const { mkdir } = await import('node:fs/promises');
  await mkdir(staging, { recursive: true });
  await writeFile(join(staging, '.lock'), '4194304');
  await pull();
  assert.ok(!existsSync(join(models, MODEL, '.lock')));
});

test('a process that is killed while it fetches leaves nothing that counts as a model, and the next one goes on', async (t) => {
  const { hub, models, pull, written, holds } = await tiny(t, {
    ...tinyModel,
    'model.safetensors': someBytes(400_000),
  });
  hub.settings.delayMs = 150;
  const at = (path: string): string =>
    JSON.stringify(new URL(`../../../native-models/hub/${path}`, import.meta.url).href);
  const env = { HF_HOME: models, HF_ENDPOINT: hub.endpoint.href };
  const script = `import { pullModel } from ${at('pull-model.ts')}; import { hubSettings } from ${at('hub-settings.ts')};
    await pullModel({ id: '${MODEL}', modelsDirectory: ${JSON.stringify(models)}, settings: await hubSettings(${JSON.stringify(env)}),
      tuning: { pieceBytes: 10_000, connections: 1 } });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'inherit' });
  const parts = (): number => hub.requests.filter(({ line }) => line.includes('/cdn/')).length;
  // The journal is written once a second; twelve parts take nearly two.
  while (parts() < 12 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(!(await written()).some((name) => name.startsWith('acme')));
  hub.settings.delayMs = 0;
  const before = parts();
  await pull();
  assert.ok(await holds(`${MODEL}/model.safetensors`, someBytes(400_000)));
  assert.ok(parts() - before < 40, `${parts() - before} of 40 parts were fetched again`);
});

test('files with one hash are one content: the origin file names what was verified', async (t) => {
  const { pull } = await tiny(t);
  const { origin } = await pull();
  const weights = origin.files.find(({ path }) => path === 'model.safetensors');
  assert.deepEqual(weights?.hash, { algorithm: 'sha256', hex: sha256(Buffer.from(tinyModel['model.safetensors'])) });
  assert.deepEqual(origin.files.find(({ path }) => path === 'config.json')?.hash.algorithm, 'gitBlob');
});
