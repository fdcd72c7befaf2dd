import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { WaggleError } from '../../../src-main/base/errors.ts';
import { isSignedBy, sign } from '../../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed, openIdentity } from '../../../src-main/swarm/identity/identity.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'waggle-identity-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('created once, mode 600, the same ever after; ten starts at once agree', async (t) => {
  const path = join(await folder(t), 'deep', 'identity');
  const all = await Promise.all(Array.from({ length: 10 }, () => openIdentity(path)));
  assert.equal(new Set(all.map((identity) => identity.publicKey)).size, 1);
  assert.match(all[0]!.publicKey, /^[0-9a-f]{64}$/);
  assert.equal((await openIdentity(path)).publicKey, all[0]!.publicKey);
  if (process.platform !== 'win32') {
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await chmod(path, 0o644);
    await openIdentity(path);
    assert.equal((await stat(path)).mode & 0o777, 0o600, 'a mode that others can read is tightened');
  }
  assert.deepEqual(await readdir(join(path, '..')), ['identity'], 'no drafts are left');
});

test('a damaged file is an error with a fix and stays as it is', async (t) => {
  const path = join(await folder(t), 'identity');
  await openIdentity(path);
  const whole = await readFile(path, 'utf8');
  for (const damaged of ['', whole.slice(0, 40), `${whole}x`, whole.replace('waggle', 'giggle'), 'z'.repeat(100_000)]) {
    await writeFile(path, damaged);
    await assert.rejects(openIdentity(path), (error: unknown) => {
      assert.ok(error instanceof WaggleError);
      assert.equal(error.code, 'identityCorrupt');
      assert.match(error.fix, /backup/);
      assert.ok(damaged.length < 20 || !error.message.includes(damaged.slice(0, 20)), 'no seed in the message');
      return true;
    });
    assert.equal(await readFile(path, 'utf8'), damaged);
  }
});

test('a path that cannot be read is another error', async (t) => {
  const path = join(await folder(t), 'identity');
  await mkdir(path);
  await assert.rejects(openIdentity(path), (e: unknown) => e instanceof WaggleError && e.code === 'identityUnreadable');
});

test('the seed decides the key, the key signs, a signature for one purpose is none for another', () => {
  const seed = Buffer.alloc(32, 7);
  const { keyPair } = identityFromSeed(seed);
  // ed25519 public key of the seed 0x07 x 32 (RFC 8032 key generation)
  assert.equal(keyPair.publicKey.toString('hex'), 'ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c');
  const signature = sign('record', Buffer.from('text'), keyPair.secretKey);
  assert.ok(isSignedBy('record', Buffer.from('text'), signature, keyPair.publicKey));
  assert.ok(!isSignedBy('head', Buffer.from('text'), signature, keyPair.publicKey));
  assert.ok(!isSignedBy('record', Buffer.from('texT'), signature, keyPair.publicKey));
  assert.ok(!isSignedBy('record', Buffer.from('text'), signature.subarray(1), keyPair.publicKey));
  assert.throws(() => identityFromSeed(seed.subarray(1)), RangeError);
});
