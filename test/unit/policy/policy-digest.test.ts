// What makes a policy the same one: its weights and what is computed with them, not its folder, its files' layout or its comments.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { writeSafetensors } from '../../../native-models/checkpoint/safetensors.ts';
import { policyDigest } from '../../../native-models/policy/policy-digest.ts';
import { policyFolder, policyNames } from '../../golden/policy/folders.ts';

const tied = policyFolder('tied').directory;

async function copy(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-digest-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(tied, join(folder, 'other-name'), { recursive: true });
  return join(folder, 'other-name');
}
async function changeConfig(folder: string, change: Record<string, unknown>): Promise<string> {
  const path = join(folder, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...change, ...config, ...change }));
  return policyDigest(folder);
}

test('is the same for a copy, whatever it is called and whatever config.json says beside', async (t) => {
  const folder = await copy(t);
  const digest = await policyDigest(tied);
  assert.match(digest, /^[0-9a-f]{32}$/);
  assert.equal(await policyDigest(folder), digest);
  assert.equal(await changeConfig(folder, { transformers_version: '99', torch_dtype: 'bfloat16' }), digest);
  assert.notEqual(await changeConfig(folder, { rope_theta: 12_345 }), digest);
});

test('is the one that checkpoints were written under: it must never change', async () => {
  assert.equal(await policyDigest(tied), '7586475ca9ecc44a2c38cb1f338f6c0a');
  assert.equal(
    await policyDigest(policyFolder('families/qwen3-untied-sharded-bf16').directory),
    'c87620ee3725165873ec9dab5a1a1d67',
  );
});

test('differs between all policies at hand', async () => {
  const digests = await Promise.all(policyNames.map((name) => policyDigest(policyFolder(name).directory)));
  assert.equal(new Set(digests).size, policyNames.length);
});

test('sees a changed number in a small tensor anywhere, in a large one at its start, middle and end', async (t) => {
  const folder = await copy(t);
  const weights = join(folder, 'model.safetensors');
  const bytes = await readFile(weights);
  const digest = await policyDigest(folder);
  bytes[bytes.length - 100]! ^= 1;
  await writeFile(weights, bytes);
  assert.notEqual(await policyDigest(folder), digest);

  const data = new Float32Array(1_000_000);
  const write = async (): Promise<string> => {
    await writeSafetensors(weights, { large: { dtype: 'F32', shape: [data.length], data } }, { format: 'pt' });
    return policyDigest(folder);
  };
  const seen = new Set([await write()]);
  for (const at of [0, 499_999, 999_999]) {
    data[at] = 1;
    seen.add(await write());
  }
  assert.equal(seen.size, 4);
});

test('says what is wrong with a folder that is none, in the words of its loader', async (t) => {
  const folder = await copy(t);
  await truncate(join(folder, 'model.safetensors'), 1000);
  await assert.rejects(policyDigest(folder), { code: 'policyInvalid', message: /model\.safetensors/ });
  await rm(join(folder, 'config.json'));
  await assert.rejects(policyDigest(folder), { code: 'policyMissing', message: /config\.json/ });
});
