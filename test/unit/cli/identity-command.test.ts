/** `waggle identity`: backup on one machine, restore on another, as the same device or a further one, and key rotation. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCli } from '../../../src-main/cli/program.ts';
import { openDataFolder } from '../../../src-main/engine/data-folder.ts';
import { isDeviceOf, openIdentity } from '../../../src-main/swarm/identity/identity.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'waggle-identity-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function identity(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const terminal = {
    print: (text: string) => void (said.out += `${text}\n`),
    complain: (text: string) => void (said.err += `${text}\n`),
    colours: false,
  };
  const interrupted = new AbortController().signal;
  const code = await runCli(['identity', ...args], { terminal, env: {}, version: '0', interrupted });
  return { code, ...said };
}
const json = (said: { out: string }) => JSON.parse(said.out) as Record<string, string> & { words: string[] };

test('24 words bring the same key back elsewhere, or a further device of the same owner', async (t) => {
  const [home, laptop, desktop] = [await folder(t), await folder(t), await folder(t)];
  const original = await openIdentity(join(home, 'identity'));
  const { words } = json(await identity('backup', '--data', home, '--json'));
  assert.equal(words.length, 24);
  const shown = await identity('backup', '--data', home);
  for (const [i, word] of words.entries()) assert.ok(shown.out.includes(`${String(i + 1)} ${word}`));

  const paper = join(laptop, 'paper.txt');
  await writeFile(paper, words.join('\n'));
  const same = await identity('restore', '--data', laptop, '--words-file', paper, '--json');
  assert.equal(same.code, 0);
  assert.equal(json(same)['publicKey'], original.publicKey);
  assert.equal((await openIdentity(join(laptop, 'identity'))).publicKey, original.publicKey);
  assert.equal((await stat(join(laptop, 'identity'))).mode & 0o777, 0o600);

  await identity('restore', '--data', desktop, '--words-file', paper, '--another-device', '--json');
  const further = await openIdentity(join(desktop, 'identity'));
  assert.notEqual(further.publicKey, original.publicKey);
  assert.equal(further.owner.publicKey, original.publicKey);
  const ownerKey = Buffer.from(further.owner.publicKey, 'hex');
  assert.ok(isDeviceOf(further.keyPair.publicKey, ownerKey, further.owner.signature));
  assert.ok(!isDeviceOf(original.keyPair.publicKey, further.keyPair.publicKey, further.owner.signature));
  assert.ok(!isDeviceOf(further.keyPair.publicKey, ownerKey, null));
  assert.deepEqual(
    json(await identity('backup', '--data', desktop, '--json')).words,
    words,
    'one backup for all devices',
  );
  const leftovers = (await readdir(desktop)).filter((name) => name.endsWith('.new'));
  assert.deepEqual(leftovers, []);
});

test('rotation keeps the owner and the old file; a running node keeps its key', async (t) => {
  const home = await folder(t);
  const before = await openIdentity(join(home, 'identity'));
  const rotated = json(await identity('rotate', '--data', home, '--json'));
  assert.notEqual(rotated['publicKey'], before.publicKey);
  assert.equal(rotated['owner'], before.publicKey);
  assert.match(await readFile(rotated['before']!, 'utf8'), /^waggle-identity-1 /);
  assert.equal((await stat(rotated['before']!)).mode & 0o777, 0o600);
  assert.equal(json(await identity('show', '--data', home, '--json'))['publicKey'], rotated['publicKey']);

  const running = await openDataFolder(home);
  const refused = await identity('rotate', '--data', home, '--json');
  assert.equal(refused.code, 1);
  assert.match(refused.out, /dataFolderLocked/);
  await running.close();
});

test('wrong words, no words, no identity: a fault with a fix, and nothing changes', async (t) => {
  const home = await folder(t);
  const none = await identity('backup', '--data', home, '--json');
  assert.equal(none.code, 1);
  assert.match(none.out, /noIdentity/);
  const { publicKey } = await openIdentity(join(home, 'identity'));
  const paper = join(home, 'paper.txt');
  await writeFile(paper, 'abandon '.repeat(24));
  const refused = await identity('restore', '--data', home, '--words-file', paper, '--json');
  assert.equal(refused.code, 1);
  assert.match(refused.out, /badRecoveryPhrase.*do not belong together.*Nothing was changed/);
  const missing = await identity('restore', '--data', home, '--words-file', join(home, 'nowhere'), '--json');
  assert.match(missing.out, /wordsUnreadable/);
  assert.equal((await openIdentity(join(home, 'identity'))).publicKey, publicKey);
});

test('a damaged identity file is what restoring is for; the damaged one is kept', async (t) => {
  const home = await folder(t);
  const { publicKey } = await openIdentity(join(home, 'identity'));
  const { words } = json(await identity('backup', '--data', home, '--json'));
  await writeFile(join(home, 'identity'), 'garbage');
  const paper = join(home, 'paper.txt');
  await writeFile(paper, words.join(' '));
  const restored = json(await identity('restore', '--data', home, '--words-file', paper, '--json'));
  assert.equal(restored['publicKey'], publicKey);
  assert.equal(await readFile(restored['before']!, 'utf8'), 'garbage');
});

test('an identity sealed by the app’s keyring: said so, never lost, and replaced by a restore only', async (t) => {
  const [home, other] = [await folder(t), await folder(t)];
  const path = join(home, 'identity');
  const sealed = `waggle-identity-3 ${Buffer.from('what a keyring made of it').toString('base64')}\n`;
  await writeFile(path, sealed);
  for (const command of ['show', 'backup', 'rotate']) {
    const refused = await identity(command, '--data', home, '--json');
    assert.equal(refused.code, 1);
    assert.match(refused.out, /identityInKeyring.*waggle identity restore/);
    assert.equal(await readFile(path, 'utf8'), sealed);
  }
  const { publicKey } = await openIdentity(join(other, 'identity'));
  const paper = join(other, 'paper.txt');
  await writeFile(paper, json(await identity('backup', '--data', other, '--json')).words.join(' '));
  const restored = json(await identity('restore', '--data', home, '--words-file', paper, '--json'));
  assert.equal(restored['publicKey'], publicKey);
  assert.equal(await readFile(restored['before']!, 'utf8'), sealed);
});
