/** The identity in a keyring: sealed once, opened ever after, and never lost where the keyring is missing, broken or another. */
import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { newDevice, openIdentity, readIdentitySeed } from '../../../src-main/swarm/identity/identity.ts';
import {
  openKeptIdentity,
  readKeptSeed,
  replaceKeptIdentity,
  type KeyVault,
} from '../../../src-main/swarm/identity/kept-identity.ts';

async function file(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-kept-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'identity');
}

/** A keyring that really encrypts, with what can go wrong as switches. */
class Keyring implements KeyVault {
  key = randomBytes(32);
  missing: string | null = null;
  stale = false;
  failing: 'seal' | 'open' | 'lie' | null = null;
  sealed = 0;
  unavailable = () => Promise.resolve(this.missing);
  seal = (text: string) => {
    if (this.failing === 'seal') return Promise.reject(new Error('no space in the keyring'));
    this.sealed++;
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.key, iv);
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Promise.resolve(Buffer.concat([iv, cipher.getAuthTag(), body]));
  };
  open = (sealed: Uint8Array) => {
    if (this.failing === 'open') return Promise.reject(new Error('the keyring is locked'));
    if (this.failing === 'lie') return Promise.resolve({ text: 'waggle-identity-1 00\n', stale: false });
    const bytes = Buffer.from(sealed);
    const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(12, 28));
    return Promise.resolve().then(() => ({
      text: Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8'),
      stale: this.stale,
    }));
  };
}

test('a plain file is sealed at the first start, opened ever after, and no seed is left readable', async (t) => {
  const path = await file(t);
  const before = await openIdentity(path);
  const hex = (await readIdentitySeed(path))!.seed.toString('hex');
  const keyring = new Keyring();
  const first = await openKeptIdentity(path, keyring);
  assert.deepEqual([first.identity.publicKey, first.kept], [before.publicKey, { where: 'keyring', note: null }]);
  assert.deepEqual(await readdir(join(path, '..')), ['identity'], 'no copy beside it');
  assert.doesNotMatch(await readFile(path, 'utf8'), new RegExp(hex));
  if (process.platform !== 'win32') assert.equal((await stat(path)).mode & 0o777, 0o600);
  const again = await openKeptIdentity(path, keyring);
  assert.deepEqual([again.identity.publicKey, keyring.sealed], [before.publicKey, 1]);
  assert.equal((await readKeptSeed(path, keyring))?.seed.toString('hex'), hex);
  keyring.stale = true;
  await openKeptIdentity(path, keyring);
  assert.equal(keyring.sealed, 2, 'sealed anew when the keyring changed its key');
  await assert.rejects(openIdentity(path), { code: 'identityInKeyring' });
  await assert.rejects(openKeptIdentity(path, null), { code: 'identityInKeyring' });
});

test('a new identity, and a further device, are sealed too', async (t) => {
  const [path, other] = [await file(t), await file(t)];
  const keyring = new Keyring();
  const made = await openKeptIdentity(path, keyring);
  assert.equal(made.kept.where, 'keyring');
  const seed = (await readKeptSeed(path, keyring))!;
  const device = newDevice();
  assert.equal(await replaceKeptIdentity(other, { ...seed, device }, keyring), null);
  const further = await openKeptIdentity(other, keyring);
  assert.equal(further.identity.owner.publicKey, made.identity.publicKey);
  assert.notEqual(further.identity.publicKey, made.identity.publicKey);
  const kept = await replaceKeptIdentity(other, seed, keyring);
  assert.equal((await openKeptIdentity(other, keyring)).identity.publicKey, made.identity.publicKey);
  assert.equal((await readKeptSeed(kept!, keyring))?.device, device, 'the former one is beside it, sealed');
  assert.doesNotMatch(await readFile(kept!, 'utf8'), new RegExp(seed.seed.toString('hex')));
});

test('without a keyring, or with one that fails, the file stays as it was and says why', async (t) => {
  const path = await file(t);
  const { publicKey } = await openIdentity(path);
  const plain = await readFile(path, 'utf8');
  const keyring = new Keyring();
  const tries: [() => void, RegExp][] = [
    [() => (keyring.missing = 'No keyring is running.'), /No keyring is running/],
    [() => ((keyring.missing = null), (keyring.failing = 'seal')), /no space in the keyring/],
    [() => (keyring.failing = 'open'), /locked/],
    [() => (keyring.failing = 'lie'), /something else/],
  ];
  for (const [arrange, why] of tries) {
    arrange();
    const { identity, kept } = await openKeptIdentity(path, keyring);
    assert.deepEqual([identity.publicKey, kept.where], [publicKey, 'file']);
    assert.match(kept.note ?? '', why);
    assert.equal(await readFile(path, 'utf8'), plain);
    assert.doesNotMatch(kept.note ?? '', /[0-9a-f]{64}/);
  }
  keyring.failing = null;
  assert.equal((await openKeptIdentity(path, keyring)).kept.where, 'keyring', 'the next start tries again');
});

test('a sealed identity that does not open is a clear error, and no new one is made', async (t) => {
  const path = await file(t);
  const keyring = new Keyring();
  await openKeptIdentity(path, keyring);
  const sealed = await readFile(path, 'utf8');
  const refused = (arrange: (keyring: Keyring) => void, code: string): Promise<void> => {
    const present = new Keyring();
    present.key = keyring.key;
    arrange(present);
    return assert.rejects(openKeptIdentity(path, present), { code, fix: /24 words|backup/ });
  };
  await refused((present) => (present.missing = 'No keyring is running.'), 'identityLocked');
  await refused((present) => (present.failing = 'open'), 'identityLocked');
  await refused((present) => (present.key = randomBytes(32)), 'identityLocked');
  await refused((present) => (present.failing = 'lie'), 'identityCorrupt');
  assert.equal(await readFile(path, 'utf8'), sealed);
  for (const damaged of [
    'waggle-identity-3 \n',
    `${sealed}x`,
    sealed.replace(/=*\n/, '*'),
    `waggle-identity-3 ${'A'.repeat(9_000)}`,
  ]) {
    await writeFile(path, damaged);
    await assert.rejects(openKeptIdentity(path, keyring), { code: 'identityCorrupt' });
    assert.equal(await readFile(path, 'utf8'), damaged);
  }
});
