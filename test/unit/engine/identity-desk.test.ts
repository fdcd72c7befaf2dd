/** The identity as the page meets it: no secret in what is shown, words only after a yes at the machine, names made safe. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadConfig } from '../../../src-main/config.ts';
import { IdentityDesk, type OwnerAct, type OwnerSeams } from '../../../src-main/engine/swarm/identity-desk.ts';
import { OwnProfile } from '../../../src-main/engine/swarm/own-profile.ts';
import { readIdentitySeed } from '../../../src-main/swarm/identity/identity.ts';
import { openKeptIdentity, type KeyVault } from '../../../src-main/swarm/identity/kept-identity.ts';
import { phraseOfSeed } from '../../../src-main/swarm/identity/recovery-phrase.ts';
import { WORDS } from '../../../src-main/tasks/words.ts';

const noKeyring: KeyVault = {
  unavailable: () => Promise.resolve('No keyring is running.'),
  seal: () => Promise.reject(new Error('none')),
  open: () => Promise.reject(new Error('none')),
};

async function open(t: TestContext, { shell = true, flags = {} }: { shell?: boolean; flags?: object } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-desk-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'identity');
  const { identity, kept } = await openKeptIdentity(path, shell ? noKeyring : null);
  const profilePath = join(folder, 'profile.json');
  const { config } = loadConfig({ flags: { data: folder, ...flags } });
  const profile = await OwnProfile.open(profilePath, config);
  const asked: OwnerAct[] = [];
  const events = { restarts: 0, renames: 0 };
  let answer: () => Promise<boolean> = () => Promise.resolve(true);
  const owner: OwnerSeams = {
    vault: noKeyring,
    confirm: (act) => {
      asked.push(act);
      return answer();
    },
    restart: () => {
      events.restarts++;
    },
  };
  const desk = new IdentityDesk({
    identity,
    kept,
    path,
    profile,
    owner: shell ? owner : null,
    devices: () => ['ab'.repeat(32), identity.publicKey],
    onRenamed: () => {
      events.renames++;
    },
  });
  const answerWith = (next: () => Promise<boolean>) => (answer = next);
  return { desk, identity, path, profilePath, config, asked, events, answerWith };
}

test('what is shown: keys, devices, where it is kept and why, and nothing secret', async (t) => {
  const { desk, identity, path } = await open(t);
  const report = desk.report();
  assert.deepEqual(report.devices, [identity.publicKey, 'ab'.repeat(32)]);
  assert.deepEqual(report.kept, { where: 'file', note: 'No keyring is running.', path });
  assert.equal(report.words, 'window');
  const seed = (await readIdentitySeed(path))!.seed.toString('hex');
  assert.ok(!JSON.stringify(report).includes(seed));
});

test('the words come after a yes at the machine only, one question at a time, and never without a shell', async (t) => {
  const { desk, path, asked, answerWith } = await open(t);
  const seed = (await readIdentitySeed(path))!.seed;
  assert.deepEqual(await desk.words(), { words: phraseOfSeed(seed, WORDS) });
  answerWith(() => Promise.resolve(false));
  await assert.rejects(desk.words(), { code: 'notConfirmed' });
  let decide: (yes: boolean) => void = () => undefined;
  answerWith(() => new Promise((resolve) => (decide = resolve)));
  const waiting = desk.words();
  await assert.rejects(desk.words(), { code: 'alreadyAsking' });
  await assert.rejects(desk.restore({ words: phraseOfSeed(seed, WORDS).join(' '), anotherDevice: false }), {
    code: 'alreadyAsking',
  });
  decide(true);
  assert.equal((await waiting).words.length, 24);
  answerWith(() => Promise.reject(new Error('the shell is gone')));
  await assert.rejects(desk.words(), /the shell is gone/);
  await assert.rejects(desk.words(), /the shell is gone/, 'and it can be asked again');
  assert.deepEqual(new Set(asked), new Set(['showWords']));

  const headless = await open(t, { shell: false });
  assert.equal(headless.desk.report().words, 'commandLine');
  await assert.rejects(headless.desk.words(), { code: 'onlyInTheApp', fix: /waggle identity backup/ });
  await assert.rejects(headless.desk.restore({ words: 'x', anotherDevice: false }), { code: 'onlyInTheApp' });
});

test('restoring: mistyped words ask nobody; right ones, after a yes, replace the file and start the node anew', async (t) => {
  const [old, now] = [await open(t), await open(t)];
  const { words } = await old.desk.words();
  const wrong = [...words.slice(0, 23), words[23] === 'zoo' ? 'abandon' : 'zoo'];
  for (const text of ['', 'one two', wrong.join(' '), words.slice(1).join(' ')])
    await assert.rejects(now.desk.restore({ words: text, anotherDevice: false }), { code: 'badRecoveryPhrase' });
  assert.deepEqual([now.asked, now.events.restarts], [[], 0]);
  now.answerWith(() => Promise.resolve(false));
  const same = { words: ` ${words.join('\n').toUpperCase()} `, anotherDevice: false };
  await assert.rejects(now.desk.restore(same), { code: 'notConfirmed' });
  assert.equal((await openKeptIdentity(now.path, null)).identity.publicKey, now.identity.publicKey);
  now.answerWith(() => Promise.resolve(true));
  assert.deepEqual(await now.desk.restore(same), { publicKey: old.identity.publicKey });
  assert.deepEqual([now.asked, now.events.restarts], [['restoreIdentity', 'restoreIdentity'], 1]);
  assert.equal((await openKeptIdentity(now.path, null)).identity.publicKey, old.identity.publicKey);
  const kept = (await readdir(join(now.path, '..'))).find((name) => name.startsWith('identity.replaced-'));
  assert.ok(kept !== undefined);
  assert.equal((await openKeptIdentity(join(now.path, '..', kept), null)).identity.publicKey, now.identity.publicKey);
  await assert.rejects(now.desk.words(), { code: 'identityChanged' }, 'not the words of somebody else');
  const { publicKey } = await now.desk.restore({ ...same, anotherDevice: true });
  const further = (await openKeptIdentity(now.path, null)).identity;
  assert.deepEqual([further.publicKey, further.owner.publicKey], [publicKey, old.identity.publicKey]);
  assert.notEqual(publicKey, old.identity.publicKey);
});

test('names: others see one visible line; kept over a restart; what the settings state is not changed here', async (t) => {
  const { desk, events, profilePath, config } = await open(t);
  const hostile = { displayName: ' Ann\u202e\n\u200bx ', team: 'h'.repeat(150) };
  const seen = desk.preview(hostile);
  assert.equal(seen.displayName, 'Ann x');
  assert.ok(Array.from(seen.team).length <= desk.report().profile.maxCharacters);
  const report = await desk.rename(hostile);
  assert.deepEqual([report.profile.displayName, report.profile.team, events.renames], [seen.displayName, seen.team, 1]);
  assert.equal((await stat(profilePath)).mode & 0o777, 0o600);
  assert.deepEqual((await OwnProfile.open(profilePath, config)).current(), seen);
  assert.deepEqual((await desk.rename({ displayName: '', team: '' })).profile.displayName, '');
  for (const damaged of [
    '',
    '{',
    '[]',
    '{"displayName":7}',
    JSON.stringify({ displayName: 'x'.repeat(999), team: '' }),
  ]) {
    await writeFile(profilePath, damaged);
    assert.deepEqual((await OwnProfile.open(profilePath, config)).current(), { displayName: '', team: '' });
  }
  await rm(profilePath);
  assert.deepEqual((await OwnProfile.open(profilePath, config)).current(), { displayName: '', team: '' });

  const fixed = await open(t, { flags: { displayName: 'Settings' } });
  assert.deepEqual(fixed.desk.report().profile.fixed, { displayName: true, team: false });
  await assert.rejects(fixed.desk.rename({ displayName: 'Page', team: 'hive' }), { code: 'profileFixed' });
  const { profile } = await fixed.desk.rename({ displayName: 'Settings', team: 'hive' });
  assert.deepEqual([profile.displayName, profile.team], ['Settings', 'hive']);
  assert.equal(await readFile(fixed.profilePath, 'utf8'), '{"displayName":"","team":"hive"}\n');
});
