/** What is deleted lies in the node's own models folder and nowhere else; folders of the owner are listed, never touched. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadConfig } from '../../../src-main/config.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import {
  addModelFolder,
  deleteModel,
  forgetModelFolder,
  readModelFolders,
  removeLeaving,
} from '../../../src-main/models/owned-models.ts';
import { chosenPolicy, writePolicyChoice } from '../../../src-main/models/policy-choice.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'waggle-owned-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('a fetched model goes with what has arrived of it, and nothing else goes', async (t) => {
  const root = await folder(t);
  const half = `acme--tiny--${'c'.repeat(40)}`;
  for (const path of [
    'acme/tiny',
    'acme/other',
    `.partial/${half}`,
    `.partial/acme--tiny-2--${'c'.repeat(40)}`,
    '.removing-1-2',
  ])
    await mkdir(join(root, path), { recursive: true });
  await writeFile(join(root, 'acme/tiny/config.json'), '{}');
  await deleteModel(root, 'acme/tiny');
  await deleteModel(root, 'acme/tiny'); // already gone
  await removeLeaving(root);
  assert.deepEqual((await readdir(root)).sort(), ['.partial', 'acme']);
  assert.deepEqual(await readdir(join(root, 'acme')), ['other']);
  assert.deepEqual(await readdir(join(root, '.partial')), [`acme--tiny-2--${'c'.repeat(40)}`]);
});

test('ids that lead elsewhere and links out of the folder delete nothing', async (t) => {
  const [root, outside] = [await folder(t), await folder(t)];
  await writeFile(join(outside, 'precious'), 'x');
  await mkdir(join(outside, 'tiny'));
  await writeFile(join(outside, 'tiny', 'precious'), 'x');
  for (const id of ['..', '../x', 'a/../../x', '/etc', '.partial', 'a/b/c'])
    await assert.rejects(deleteModel(root, id), { code: 'hubBadRequest' }, id);
  await symlink(outside, join(root, 'acme'));
  await assert.rejects(deleteModel(root, 'acme/tiny'), { code: 'notOurModel' });
  await mkdir(join(root, 'beta'));
  await symlink(join(outside, 'tiny'), join(root, 'beta', 'linked'));
  await assert.rejects(deleteModel(root, 'beta/linked'), { code: 'notOurModel' });
  assert.ok(existsSync(join(outside, 'precious')) && existsSync(join(outside, 'tiny', 'precious')));
});

test('folders are kept once each, only whole models, and forgotten without being touched; a damaged list is empty', async (t) => {
  const data = await folder(t);
  const mine = join(await folder(t), 'mine');
  await cp(bundledPolicyDirectory(), mine, { recursive: true });
  assert.equal(await addModelFolder(data, `${mine}/`), mine);
  await addModelFolder(data, mine);
  assert.deepEqual(await readModelFolders(data), [mine]);
  await rm(join(mine, 'tokenizer.json'));
  await assert.rejects(addModelFolder(data, mine), { code: 'notAModelFolder', message: /tokenizer\.json/ });
  await forgetModelFolder(data, mine);
  assert.deepEqual([await readModelFolders(data), existsSync(join(mine, 'config.json'))], [[], true]);
  await writeFile(join(data, 'model-folders.json'), '{"version":1,"folders":[7]}');
  assert.deepEqual(await readModelFolders(data), []);
});

test('the choice of a policy: settings before choice before bundled; a damaged choice is none', async (t) => {
  const data = await folder(t);
  const bundled = (): string => '/bundled';
  const chosen = (flags: Record<string, string> = {}) =>
    chosenPolicy(loadConfig({ flags: { data, ...flags } }).config, bundled);
  assert.deepEqual(await chosen(), { directory: '/bundled', origin: 'bundled' });
  await writePolicyChoice(data, '/chosen');
  assert.deepEqual(await chosen(), { directory: '/chosen', origin: 'choice' });
  assert.deepEqual(await chosen({ policy: '/stated' }), { directory: '/stated', origin: 'settings' });
  await writeFile(join(data, 'policy.json'), '{"version":1,"directory":');
  assert.equal((await chosen()).origin, 'bundled');
  await writePolicyChoice(data, '/chosen');
  await writePolicyChoice(data, null);
  assert.equal((await chosen()).origin, 'bundled');
});
