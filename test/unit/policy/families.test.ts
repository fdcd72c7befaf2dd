// Families: what config.json may say and in which spellings; shards and their index; hostile forms of both.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { formatPolicyConfig, parsePolicyConfig } from '../../../native-models/policy/policy-config.ts';
import { PolicyError } from '../../../native-models/policy/policy-error.ts';
import { pairFrequencies } from '../../../native-models/policy/rope.ts';
import { policyFolder, policyNames } from '../../golden/policy/folders.ts';

type Json = Record<string, unknown>;
const configOf = async (name: string): Promise<Json> =>
  JSON.parse(await readFile(join(policyFolder(name).directory, 'config.json'), 'utf8')) as Json;

test('what is written is read back as the same policy, for every family and rope scaling', async () => {
  for (const name of policyNames) {
    const config = parsePolicyConfig(await configOf(name));
    assert.deepEqual(parsePolicyConfig(JSON.parse(JSON.stringify(formatPolicyConfig(config)))), config, name);
  }
});

test('the spellings of rope before and since transformers 5 mean the same', async () => {
  const { rope_parameters: nested, ...rest } = await configOf('families/llama-llama3');
  const { rope_theta, rope_type, ...scaling } = nested as Json;
  const config = parsePolicyConfig({ ...rest, rope_parameters: nested });
  assert.deepEqual(parsePolicyConfig({ ...rest, rope_theta, rope_scaling: { ...scaling, rope_type } }), config);
  assert.deepEqual(parsePolicyConfig({ ...rest, rope_theta, rope_scaling: { ...scaling, type: rope_type } }), config);
  assert.equal(config.ropeScaling.type, 'llama3');
  const frequencies = pairFrequencies(config);
  assert.ok(frequencies.every((x, i) => i === 0 || x < frequencies[i - 1]!));
});

test('any JSON as config.json gives a policy or a PolicyError, never another error', async () => {
  const good = await configOf('families/qwen3');
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(good), 'rope_scaling', 'sliding_window'),
      fc.jsonValue(),
      (key, value) => {
        try {
          parsePolicyConfig({ ...good, [key]: value });
        } catch (error) {
          assert.ok(error instanceof PolicyError, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

async function shardedCopy(
  t: TestContext,
): Promise<{ folder: string; index: { weight_map: Record<string, unknown> } }> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-shards-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(policyFolder('families/qwen3-untied-sharded-bf16').directory, folder, { recursive: true });
  const index = JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8')) as {
    weight_map: Record<string, unknown>;
  };
  return { folder, index };
}

test('shards are read as one; a missing, damaged, misplaced or foreign one is refused by name', async (t) => {
  const { folder, index } = await shardedCopy(t);
  const shards = (await readdir(folder)).filter((name) => name.startsWith('model-'));
  assert.ok(shards.length > 2);
  assert.equal((await loadPolicyWeights(folder)).storedAs, 'bfloat16');
  const refused = async (change: Record<string, unknown>, message: RegExp): Promise<void> => {
    const map = { weight_map: { ...index.weight_map, ...change } };
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(map));
    await assert.rejects(
      loadPolicyWeights(folder),
      (error) => error instanceof PolicyError && message.test(error.message),
    );
  };
  const norm = 'model.norm.weight';
  const elsewhere = shards.find((name) => name !== index.weight_map[norm])!;
  await refused({ [norm]: elsewhere }, /lacks the tensor model\.norm\.weight/);
  await refused({ [norm]: '../model-00001-of-00004.safetensors' }, /no file name of a shard/);
  await refused({ [norm]: '/etc/passwd' }, /no file name of a shard/);
  await refused({ [norm]: 7 }, /no file name of a shard/);
  await refused({ [norm]: 'model-00009-of-00004.safetensors' }, /00009/);
  await refused({ extra: elsewhere }, /lacks the tensor extra/);
  await cp(join(folder, shards[0]!), join(folder, 'copy.safetensors'));
  await refused({ [norm]: 'copy.safetensors' }, /in two shards/);
  const cut = (await readFile(join(folder, shards[1]!))).subarray(0, 200);
  await writeFile(join(folder, shards[1]!), cut);
  await refused({}, /model-0000/);
  await writeFile(join(folder, 'model.safetensors.index.json'), '{"weight_map": {');
  await assert.rejects(loadPolicyWeights(folder), { code: 'policyInvalid', message: /not JSON/ });
});
