import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  decodeSafetensors,
  writeSafetensors,
  type TensorToWrite,
} from '../../../native-models/checkpoint/safetensors.ts';
import { loadPolicyFolder, savePolicyFolder } from '../../../native-models/policy/load-policy.ts';
import { formatPolicyConfig, parsePolicyConfig } from '../../../native-models/policy/policy-config.ts';
import { PolicyError } from '../../../native-models/policy/policy-error.ts';
import { policyFolder } from '../../golden/policy/folders.ts';

const { directory } = policyFolder('tied');

async function copy(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-policy-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(directory, folder, { recursive: true });
  return folder;
}

async function tensors(): Promise<Record<string, TensorToWrite>> {
  const file = decodeSafetensors(await readFile(join(directory, 'model.safetensors')));
  return Object.fromEntries(
    [...file.entries.values()].map(({ name, shape }) => [name, { shape, data: file.readFloats(name) }]),
  );
}

async function changeConfig(folder: string, change: Record<string, unknown>): Promise<void> {
  const path = join(folder, 'config.json');
  await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as object), ...change }));
}

async function refused(folder: string, code: PolicyError['code'], message: RegExp): Promise<void> {
  await assert.rejects(loadPolicyFolder(folder), (error) => {
    assert.ok(error instanceof PolicyError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.ok(error.fix.length > 10);
    return true;
  });
}

test('a folder of transformers is loaded', async () => {
  const { config, weights, tokenizer, name } = await loadPolicyFolder(directory);
  assert.equal(name, 'tied');
  assert.equal(weights.length, 15_584);
  assert.deepEqual([config.ropeTheta, config.headDim, config.tiedHead, config.eosTokenId], [500, 16, true, 3]);
  assert.equal(tokenizer.decode(tokenizer.encode('3 + 4')), '3 + 4');
});

test('saving and loading gives the same weights, exactly in float32 and rounded in float16', async (t) => {
  const folder = await copy(t);
  const { config, weights } = await loadPolicyFolder(folder);
  for (const dtype of ['float32', 'float16'] as const) {
    for (const target of [join(folder, 'new', dtype), folder]) {
      await savePolicyFolder(target, { config, weights, dtype, tokenizerFrom: directory });
      const again = await loadPolicyFolder(target);
      assert.deepEqual(again.config, config);
      const difference = Math.max(...again.weights.map((x, i) => Math.abs(x - weights[i]!)));
      assert.ok(dtype === 'float32' ? difference === 0 : difference > 0 && difference < 2 ** -10, `${difference}`);
    }
  }
  assert.deepEqual((await readdir(join(folder, 'new'))).sort(), ['float16', 'float32'], 'no partial folder is left');
  const plain = join(folder, 'new', 'plain');
  await mkdir(plain);
  const modeOf = async (path: string): Promise<number> => (await stat(path)).mode;
  assert.equal(await modeOf(join(folder, 'new', 'float16')), await modeOf(plain), 'readable like any new folder');
});

test('bfloat16 is read', async (t) => {
  const folder = await copy(t);
  const narrowed = Object.fromEntries(
    Object.entries(await tensors()).map(([name, tensor]) => [name, { ...tensor, dtype: 'BF16' as const }]),
  );
  await writeSafetensors(join(folder, 'model.safetensors'), narrowed);
  const [a, b] = [await loadPolicyFolder(folder), await loadPolicyFolder(directory)];
  assert.ok(a.weights.every((x, i) => Math.abs(x - b.weights[i]!) <= Math.abs(b.weights[i]!) / 256));
});

test('weights that cannot be saved are refused and nothing is written', async (t) => {
  const folder = await copy(t);
  const { config, weights } = await loadPolicyFolder(folder);
  const target = join(folder, 'saved');
  for (const [value, dtype, fix] of [
    [NaN, 'float32', /earlier/],
    [Infinity, 'float16', /earlier/],
    [70_000, 'float16', /float32/],
  ] as const) {
    const bad = weights.slice();
    bad[100] = value;
    await assert.rejects(
      savePolicyFolder(target, { config, weights: bad, dtype, tokenizerFrom: directory }),
      (error) => error instanceof PolicyError && fix.test(error.fix),
    );
  }
  await assert.rejects(
    savePolicyFolder(target, { config, weights, dtype: 'float32', tokenizerFrom: join(folder, 'none') }),
    PolicyError,
  );
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('saved')),
    [],
  );
});

test('missing and damaged files are refused', async (t) => {
  await refused(join(tmpdir(), 'waggle-no-such-folder'), 'policyMissing', /config\.json cannot be read/);
  const folder = await copy(t);
  await rm(join(folder, 'tokenizer.json'));
  await refused(folder, 'policyMissing', /tokenizer\.json/);
  await writeFile(
    join(folder, 'model.safetensors'),
    (await readFile(join(directory, 'model.safetensors'))).subarray(0, 40_000),
  );
  await refused(folder, 'policyInvalid', /model\.safetensors/);
  await rm(join(folder, 'model.safetensors'));
  await refused(folder, 'policyMissing', /model\.safetensors/);
  await writeFile(join(folder, 'model.safetensors.index.json'), '{}');
  await refused(folder, 'policyInvalid', /weight_map/);
  await writeFile(join(folder, 'config.json'), '{"model_type": ');
  await refused(folder, 'policyInvalid', /not JSON/);
  await writeFile(join(folder, 'config.json'), ' '.repeat(2 ** 20 + 1));
  await refused(folder, 'policyInvalid', /bytes long/);
});

test('tensors that are missing, left over, of another shape or type, or not finite are refused by name', async (t) => {
  const folder = await copy(t);
  const path = join(folder, 'model.safetensors');
  const good = await tensors();
  const norm = 'model.norm.weight';
  const { [norm]: gain, ...without } = good;
  await writeSafetensors(path, without);
  await refused(folder, 'policyInvalid', /lacks the tensor model\.norm\.weight/);
  await writeSafetensors(path, {
    ...good,
    'model.layers.0.self_attn.q_proj.bias': { shape: [32], data: new Float32Array(32) },
  });
  await refused(folder, 'policyUnsupported', /q_proj\.bias/);
  await writeSafetensors(path, { ...good, [norm]: { shape: [1, 32], data: gain!.data } });
  await refused(folder, 'policyInvalid', /model\.norm\.weight is \[1, 32\], by config\.json it must be \[32\]/);
  await writeSafetensors(path, { ...good, [norm]: { dtype: 'I32', shape: [32], data: new Int32Array(32) } });
  await refused(folder, 'policyUnsupported', /stored as I32/);
  await writeSafetensors(path, { ...good, [norm]: { shape: [32], data: new Float32Array(32).fill(NaN) } });
  await refused(folder, 'policyInvalid', /NaN.*model\.norm\.weight/);
  await writeSafetensors(path, {
    ...good,
    'lm_head.weight': { shape: [50, 32], data: new Float32Array(1600) },
    'model.layers.0.self_attn.rotary_emb.inv_freq': { shape: [1], data: new Float32Array(1) },
  });
  await loadPolicyFolder(folder);
});

test('a hostile or unsupported config.json is refused before memory is taken', async (t) => {
  const cases: [Record<string, unknown>, PolicyError['code'], RegExp][] = [
    [{ num_hidden_layers: 256 }, 'policyInvalid', /names 256 layers/],
    [{ vocab_size: 1_000_000 }, 'policyInvalid', /by config\.json it must be \[1000000, 32\]/],
    [{ hidden_size: 1e9 }, 'policyInvalid', /hidden_size/],
    [{ model_type: 'gpt2' }, 'policyUnsupported', /gpt2/],
    [{ head_dim: 24 }, 'policyUnsupported', /head_dim 24/],
    [{ rope_parameters: { rope_type: 'longrope', rope_theta: 5e5 } }, 'policyUnsupported', /longrope/],
    [{ rope_parameters: { rope_type: 'llama3', rope_theta: 5e5 } }, 'policyInvalid', /low_freq_factor/],
    [{ rope_scaling: { type: 'linear', factor: 2, bend: 3 }, rope_parameters: null }, 'policyUnsupported', /bend/],
    [{ sliding_window: 16, use_sliding_window: true }, 'policyUnsupported', /use_sliding_window/],
    [{ layer_types: ['full_attention', 'linear_attention'] }, 'policyUnsupported', /linear_attention/],
    [{ logit_softcapping: 30 }, 'policyUnsupported', /logit_softcapping/],
    [{ quantization_config: { bits: 4 } }, 'policyUnsupported', /quantization_config/],
    [{ attention_bias: true }, 'policyInvalid', /lacks the tensor .*bias/],
    [{ attention_bias: 'yes' }, 'policyInvalid', /attention_bias/],
    [{ eos_token_id: null }, 'policyInvalid', /eos_token_id/],
    [{ rms_norm_eps: 'NaN' }, 'policyInvalid', /rms_norm_eps/],
    [{ num_key_value_heads: 3 }, 'policyUnsupported', /multiple/],
  ];
  for (const [change, code, message] of cases) {
    const folder = await copy(t);
    await changeConfig(folder, change);
    await refused(folder, code, message);
  }
});

test("of several end tokens the tokenizer's own is taken; a tokenizer too large is refused", async (t) => {
  const folder = await copy(t);
  await changeConfig(folder, { eos_token_id: [7, 3] });
  assert.equal((await loadPolicyFolder(folder)).config.eosTokenId, 3);
  const path = join(folder, 'tokenizer.json');
  const json = JSON.parse(await readFile(path, 'utf8')) as { model: { vocab: Record<string, number> } };
  json.model.vocab['~'] = 50;
  await writeFile(path, JSON.stringify(json));
  await refused(folder, 'policyInvalid', /51 tokens, the policy only 50/);
});

test('formatPolicyConfig and parsePolicyConfig are inverse', async () => {
  const { config } = await loadPolicyFolder(directory);
  assert.deepEqual(parsePolicyConfig(JSON.parse(JSON.stringify(formatPolicyConfig(config)))), config);
  for (const bad of [null, [], 'x', 1]) assert.throws(() => parsePolicyConfig(bad), PolicyError);
});
