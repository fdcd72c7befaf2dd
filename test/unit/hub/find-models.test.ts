/** Finding model folders: our own, the cache of Hugging Face programs with its links, halves and what is no model. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { findModel, findModels } from '../../../native-models/hub/find-models.ts';
import { hubSettings } from '../../../native-models/hub/hub-settings.ts';
import { hubError } from './pull-tiny.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);

async function disk(
  t: TestContext,
  files: Record<string, string>,
): Promise<{ root: string; places: { modelsDirectory: string; cacheDirectory: string } }> {
  const root = await mkdtemp(join(tmpdir(), 'waggle-found-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return { root, places: { modelsDirectory: join(root, 'models'), cacheDirectory: join(root, 'cache') } };
}

function folder(place: string, weights = 'abc'): Record<string, string> {
  return { [`${place}/config.json`]: '{}', [`${place}/tokenizer.json`]: '{}', [`${place}/model.safetensors`]: weights };
}

test('own folders and the cache are found, a model in both is taken from the models folder', async (t) => {
  const { root, places } = await disk(t, {
    ...folder('models/acme/one'),
    ...folder('models/plain', 'abcd'),
    ...folder('models/.partial/acme--two'),
    'models/notes/readme.txt': 'x',
    ...folder(`cache/models--acme--one/snapshots/${A}`),
    ...folder(`cache/datasets--acme--three/snapshots/${A}`),
    ...folder(`cache/models--.evil--x/snapshots/${A}`),
  });
  const found = await findModels(places);
  assert.deepEqual(
    found.map(({ id, source, weightBytes, lacks }) => [id, source, weightBytes, lacks]),
    [
      ['acme/one', 'models', 3, null],
      ['acme/one', 'cache', 3, null],
      ['plain', 'models', 4, null],
    ],
  );
  assert.equal((await findModel(places, 'acme/one'))?.directory, join(root, 'models', 'acme', 'one'));
  assert.equal(await findModel(places, 'acme/two'), null);
  await assert.rejects(findModel(places, '../x'), hubError('hubBadRequest'));
});

test('links into blobs are followed; a broken one makes the snapshot a half', async (t) => {
  const model = 'cache/models--acme--linked';
  const { root, places } = await disk(t, {
    [`${model}/blobs/w`]: 'weights',
    [`${model}/blobs/c`]: '{}',
    [`${model}/refs/main`]: B,
  });
  for (const [commit, names] of [
    [A, { config: 'c', tokenizer: 'c', model: 'w' }],
    [B, { config: 'c', tokenizer: 'c', model: 'gone' }],
  ] as const) {
    const at = join(root, model, 'snapshots', commit);
    await mkdir(at, { recursive: true });
    await symlink(`../../blobs/${names.config}`, join(at, 'config.json'));
    await symlink(`../../blobs/${names.tokenizer}`, join(at, 'tokenizer.json'));
    await symlink(`../../blobs/${names.model}`, join(at, 'model.safetensors'));
  }
  const [found] = await findModels(places);
  assert.deepEqual([found?.directory.endsWith(A), found?.weightBytes, found?.lacks], [true, 7, null]);
  await rm(join(root, model, 'snapshots', A), { recursive: true });
  assert.equal((await findModels(places))[0]?.lacks, 'model.safetensors');
  assert.equal(await findModel(places, 'acme/linked'), null);
});

test('main is preferred among whole snapshots', async (t) => {
  const { places } = await disk(t, {
    ...folder(`cache/models--acme--x/snapshots/${A}`),
    ...folder(`cache/models--acme--x/snapshots/${B}`),
    ...folder('cache/models--acme--x/snapshots/nonsense'),
    'cache/models--acme--x/refs/main': `${B}\n`,
  });
  assert.ok((await findModel(places, 'acme/x'))?.directory.endsWith(B));
});

test('sharded weights count when every shard of the index is there; an index cannot point elsewhere', async (t) => {
  const index = (...names: string[]) =>
    JSON.stringify({ weight_map: Object.fromEntries(names.map((name, i) => [`t${i}`, name])) });
  const { places } = await disk(t, {
    'models/a/whole/config.json': '{}',
    'models/a/whole/tokenizer.json': '{}',
    'models/a/whole/model.safetensors.index.json': index('m1', 'm2', 'm1'),
    'models/a/whole/m1': '12345',
    'models/a/whole/m2': '123',
    'models/a/half/config.json': '{}',
    'models/a/half/tokenizer.json': '{}',
    'models/a/half/model.safetensors.index.json': index('m1', 'm2'),
    'models/a/half/m1': '12345',
    'models/a/evil/config.json': '{}',
    'models/a/evil/tokenizer.json': '{}',
    'models/a/evil/model.safetensors.index.json': index('../whole/m1'),
    'models/a/junk/config.json': '{}',
    'models/a/junk/model.safetensors.index.json': '{"weight_map":7',
    'models/a/mute/config.json': '{}',
    'models/a/mute/model.safetensors': 'abc',
  });
  const found = new Map((await findModels(places)).map((model) => [model.id, model]));
  assert.deepEqual([found.get('a/whole')?.weightBytes, found.get('a/whole')?.lacks], [8, null]);
  assert.equal(found.get('a/half')?.lacks, 'm2');
  assert.equal(found.get('a/evil')?.lacks, 'model.safetensors');
  assert.equal(found.get('a/junk')?.lacks, 'model.safetensors');
  assert.equal(found.get('a/mute')?.lacks, 'tokenizer.json');
});

test('no folder at all is no error', async () => {
  assert.deepEqual(await findModels({ modelsDirectory: '/nonexistent/a', cacheDirectory: '/nonexistent/b' }), []);
});

test('the environment names cache, token and endpoint as huggingface_hub reads it', async (t) => {
  const { root } = await disk(t, { 'home/token': 'hf_file\n', 'mine/t': 'hf_mine' });
  const home = join(root, 'home');
  const at = async (env: Record<string, string>) => hubSettings({ HF_HOME: home, ...env });
  assert.deepEqual([(await at({})).cacheDirectory, (await at({})).token], [join(home, 'hub'), 'hf_file']);
  assert.equal((await at({})).endpoint.href, 'https://huggingface.co/');
  assert.equal((await at({ HF_TOKEN: 'hf_env' })).token, 'hf_env');
  assert.equal((await at({ HF_TOKEN_PATH: join(root, 'mine/t') })).token, 'hf_mine');
  assert.equal((await at({ HF_TOKEN: 'two words' })).token, null);
  assert.equal((await at({ HUGGINGFACE_HUB_CACHE: '/old', HF_HUB_CACHE: '/new' })).cacheDirectory, '/new');
  assert.equal((await hubSettings({ XDG_CACHE_HOME: '/xdg' })).cacheDirectory, '/xdg/huggingface/hub');
  assert.equal((await at({ HF_ENDPOINT: 'https://mirror.example/hf' })).endpoint.href, 'https://mirror.example/hf');
});
