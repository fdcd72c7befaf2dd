/**
 * Model folders in Hugging Face layout <-> the flat weights: config.json, model.safetensors (F32, F16 or BF16), tokenizer files.
 * Untrusted input: every tensor's name and shape is checked against config.json before memory for the weights is taken, every
 * value for being finite. Knows nothing of sessions. Whatever is wrong becomes a PolicyError that says what to do.
 */
import { copyFile, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { openSafetensors, syncFolder, writeSafetensors, type SafetensorsFile } from '../checkpoint/safetensors.ts';
import { SafetensorsError } from '../checkpoint/safetensors-error.ts';
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.ts';
import { TokenizerError } from '../text/tokenizer-error.ts';
import { parameterCount, parameterSlots, type ParameterSlot } from './parameters.ts';
import { formatPolicyConfig, parsePolicyConfig, PolicyError, type PolicyConfig } from './policy-config.ts';

export interface LoadedPolicy {
  config: PolicyConfig;
  /** Flat, in the order of `parameterSlots(config)`. */
  weights: Float32Array;
  tokenizer: Tokenizer;
  /** The folder's name. */
  name: string;
}
export interface PolicyToSave {
  config: PolicyConfig;
  weights: Float32Array;
  dtype: 'float16' | 'float32';
  /** Folder whose tokenizer files are copied; null for none. */
  tokenizerFrom: string | null;
}

const MAX_CONFIG_BYTES = 1024 * 1024;
const ANOTHER = 'Choose another model folder (--policy-directory), or leave it empty for the bundled policy.';
const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
];
const FLOAT_DTYPES = new Set(['F32', 'F16', 'BF16']);
const LARGEST_HALF = 65_504;

/** @throws PolicyError */
export async function loadPolicyFolder(directory: string): Promise<LoadedPolicy> {
  const { config, weights, eosTokenIds } = await loadPolicyWeights(directory);
  const tokenizer = await loadTokenizer(directory).catch((cause: unknown) => {
    throw asPolicyError(cause);
  });
  if (tokenizer.vocabularySize > config.vocabularySize) {
    throw new PolicyError(
      'policyInvalid',
      `The tokenizer has ${tokenizer.vocabularySize} tokens, the policy only ${config.vocabularySize} (${directory})`,
      'Copy the tokenizer files that belong to this model, or choose another model folder.',
    );
  }
  // A chat model may name several ends; the tokenizer's own is the one its completions are written with.
  if (eosTokenIds.includes(tokenizer.eosId)) config.eosTokenId = tokenizer.eosId;
  return { config, weights, tokenizer, name: basename(resolve(directory)) };
}

/** The same without the tokenizer. @throws PolicyError */
export async function loadPolicyWeights(
  directory: string,
): Promise<{ config: PolicyConfig; weights: Float32Array; eosTokenIds: readonly number[] }> {
  const raw = await readConfig(join(directory, 'config.json'));
  const config = parsePolicyConfig(raw);
  const eos = (raw as { eos_token_id: unknown }).eos_token_id;
  const eosTokenIds = (Array.isArray(eos) ? (eos as unknown[]) : [eos]).filter(
    (id): id is number => typeof id === 'number',
  );
  return { config, weights: await readWeights(directory, config), eosTokenIds };
}

async function readConfig(path: string): Promise<unknown> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_CONFIG_BYTES)
      throw new PolicyError('policyInvalid', `${path} is ${size} bytes long, which no config.json is`, ANOTHER);
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof PolicyError) throw cause;
    throw new PolicyError(
      'policyMissing',
      `${path} cannot be read: ${String(cause)}`,
      'Name a folder that holds config.json, model.safetensors and tokenizer.json.',
      { cause },
    );
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PolicyError(
      'policyInvalid',
      `${path} is not JSON`,
      'Copy config.json again from where the model came from.',
      { cause },
    );
  }
}

async function readWeights(directory: string, config: PolicyConfig): Promise<Float32Array> {
  const path = join(directory, 'model.safetensors');
  let file: SafetensorsFile | null = null;
  try {
    file = await openSafetensors(path);
    const slots = slotsIn(file, config);
    const weights = new Float32Array(parameterCount(slots));
    for (const { name, offset } of slots) weights.set(await file.readFloats(name, { requireFinite: true }), offset);
    return weights;
  } catch (cause) {
    if (cause instanceof SafetensorsError && cause.code === 'missingFile' && (await isSharded(directory))) {
      throw new PolicyError(
        'policyUnsupported',
        `${directory} holds its weights in several files, which is not supported yet`,
        'Save the model as one model.safetensors (save_pretrained with a large max_shard_size).',
        { cause },
      );
    }
    throw asPolicyError(cause);
  } finally {
    await file?.close();
  }
}

async function isSharded(directory: string): Promise<boolean> {
  return (await readdir(directory)).includes('model.safetensors.index.json');
}

/** The slots of a policy, once it is certain that the file has exactly these tensors. */
function slotsIn(file: SafetensorsFile, config: PolicyConfig): ParameterSlot[] {
  const expected = new Map<string, string>();
  // Sizes are read off the file first: a hostile config.json must not make us list or add up what is not there.
  if (config.layers * 9 > file.entries.size) {
    throw new PolicyError(
      'policyInvalid',
      `config.json names ${config.layers} layers, ${file.file} has only ${file.entries.size} tensors`,
      ANOTHER,
    );
  }
  const slots = parameterSlots(config);
  for (const { name, shape } of slots) expected.set(name, `[${shape.join(', ')}]`);
  for (const [name, shape] of expected) {
    const entry = file.entries.get(name);
    if (!entry) throw new PolicyError('policyInvalid', `${file.file} lacks the tensor ${name}`, ANOTHER);
    const found = `[${entry.shape.join(', ')}]`;
    if (found !== shape) {
      throw new PolicyError(
        'policyInvalid',
        `${file.file}: ${name} is ${found}, by config.json it must be ${shape}`,
        'Use config.json and model.safetensors of the same model.',
      );
    }
    if (!FLOAT_DTYPES.has(entry.dtype)) {
      throw new PolicyError(
        'policyUnsupported',
        `${file.file}: ${name} is stored as ${entry.dtype.slice(0, 20)}`,
        'Convert the model to F32, F16 or BF16 first.',
      );
    }
  }
  for (const name of file.entries.keys()) {
    if (!expected.has(name) && !mayBeIgnored(name, config)) {
      throw new PolicyError(
        'policyUnsupported',
        `${file.file} has a tensor this engine would leave out: ${JSON.stringify(name.slice(0, 120))}`,
        ANOTHER,
      );
    }
  }
  return slots;
}

/** A stored copy of a tied head, and rotary tables that old versions of transformers saved. */
function mayBeIgnored(name: string, config: PolicyConfig): boolean {
  return (config.tiedHead && name === 'lm_head.weight') || name.endsWith('.rotary_emb.inv_freq');
}

function asPolicyError(cause: unknown): unknown {
  if (cause instanceof SafetensorsError || cause instanceof TokenizerError) {
    const missing = cause.code === 'missingFile';
    return new PolicyError(missing ? 'policyMissing' : 'policyInvalid', cause.message, cause.fix, { cause });
  }
  return cause;
}

/**
 * Writes a model folder that transformers reads. The files are made in a folder beside it: a new folder appears whole; in an
 * existing one each file is replaced in one step, the weights last.
 * @throws PolicyError for weights that are not finite or too large for float16; SafetensorsError when the disk is full.
 */
export async function savePolicyFolder(directory: string, policy: PolicyToSave): Promise<void> {
  const target = resolve(directory);
  const tensors = tensorsOf(policy);
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(`${target}.partial-`);
  try {
    const files = policy.tokenizerFrom === null ? [] : await copyTokenizer(policy.tokenizerFrom, work);
    const config = { ...formatPolicyConfig(policy.config), torch_dtype: policy.dtype };
    await writeDurably(join(work, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
    await writeSafetensors(join(work, 'model.safetensors'), tensors, { format: 'pt' });
    await putInPlace(work, target, [...files, 'config.json', 'model.safetensors']);
    await syncFolder(dirname(target));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function tensorsOf({ config, weights, dtype }: PolicyToSave): Parameters<typeof writeSafetensors>[1] {
  const slots = parameterSlots(config);
  if (weights.length !== parameterCount(slots))
    throw new Error(`savePolicyFolder: ${weights.length} weights, the config needs ${parameterCount(slots)}`);
  return Object.fromEntries(
    slots.map(({ name, shape, offset, length }) => {
      const data = weights.subarray(offset, offset + length);
      const bad = data.find((x) => !Number.isFinite(x) || (dtype === 'float16' && Math.abs(x) > LARGEST_HALF));
      if (bad !== undefined) {
        const fix = Number.isFinite(bad)
          ? 'Save it as float32.'
          : 'Go back to an earlier checkpoint: the run has diverged.';
        throw new PolicyError('policyInvalid', `${name} holds ${bad}, which cannot be saved as ${dtype}`, fix);
      }
      return [name, { dtype: dtype === 'float16' ? ('F16' as const) : ('F32' as const), shape, data }];
    }),
  );
}

async function copyTokenizer(from: string, to: string): Promise<string[]> {
  const present = new Set(
    await readdir(from).catch((cause: unknown) => {
      throw new PolicyError(
        'policyMissing',
        `${from} cannot be read: ${String(cause)}`,
        'Check that the folder of the policy is still there.',
        { cause },
      );
    }),
  );
  const files = TOKENIZER_FILES.filter((name) => present.has(name));
  if (!present.has('tokenizer.json')) throw new PolicyError('policyMissing', `${from} has no tokenizer.json`, ANOTHER);
  for (const name of files) await copyFile(join(from, name), join(to, name));
  return files;
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function putInPlace(work: string, target: string, files: readonly string[]): Promise<void> {
  const exists = await stat(target).then(
    () => true,
    () => false,
  );
  if (!exists) {
    await rename(work, target);
    return;
  }
  for (const name of files) await rename(join(work, name), join(target, name));
  await syncFolder(target);
}
