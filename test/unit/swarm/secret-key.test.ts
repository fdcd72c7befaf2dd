import assert from 'node:assert/strict';
import { test } from 'node:test';
import sodium from 'sodium-native';
import { hash } from '../../../src-main/swarm/identity/crypto.ts';
import { secretKeyOf } from '../../../src-main/swarm/identity/secret-key.ts';
import { WIRE } from '../../../src-main/swarm/limits.ts';

const QUICK = { passes: 1, memoryBytes: 8 * 1024 };

test('a secret is stretched by Argon2id at its full cost, without holding up the event loop', async (t) => {
  assert.deepEqual(WIRE.secretStretch, { passes: 3, memoryBytes: 64 * 1024 * 1024 });
  let turns = 0;
  const ticking = setInterval(() => turns++, 5);
  const start = performance.now();
  const key = await secretKeyOf('hive', 'honey bee');
  const tookMs = performance.now() - start;
  clearInterval(ticking);
  t.diagnostic(`${tookMs.toFixed(0)} ms, ${String(turns)} turns of the event loop meanwhile`);
  assert.ok(turns >= 3, `${String(turns)} turns in ${tookMs.toFixed(0)} ms`);
  const expected = Buffer.alloc(32);
  const salt = hash('secretSalt', 'hive').subarray(0, 16);
  const { passes, memoryBytes } = WIRE.secretStretch;
  sodium.crypto_pwhash(expected, Buffer.from('honey bee'), Buffer.from(salt), passes, memoryBytes, 2);
  assert.deepEqual(key, expected);
});

test('asked again it is not computed again', () => {
  const first = secretKeyOf('hive', 'honey', QUICK);
  assert.equal(secretKeyOf('hive', 'honey', QUICK), first);
});

test('another secret, swarm or cost is another key; no secret is none', async () => {
  const keys = await Promise.all([
    secretKeyOf('hive', 'honey', QUICK),
    secretKeyOf('hive', 'wax', QUICK),
    secretKeyOf('other hive', 'honey', QUICK),
    secretKeyOf('hive', 'honey', { ...QUICK, passes: 2 }),
  ]);
  assert.equal(new Set(keys.map((key) => key?.toString('hex'))).size, 4);
  assert.equal(await secretKeyOf('hive', undefined), null);
  assert.equal(await secretKeyOf('hive', ''), null);
});
