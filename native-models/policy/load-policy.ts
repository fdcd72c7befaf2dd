/**
 * Model folders in Hugging Face layout <-> the flat weights: config.json, safetensors (F32, F16 or BF16;
 * one file or shards), tokenizer files.
 * Untrusted input: every tensor's name and shape is checked against config.json before memory for the weights is taken, every
 * value for being finite. Knows nothing of sessions. Whatever is wrong becomes a PolicyError that says what to do.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { writeSafetensors } from '../checkpoint/safetensors.ts';
import { SafetensorsError } from '../checkpoint/safetensors-error.ts';
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.ts';
import { TokenizerError } from '../text/tokenizer-error.ts';
import { ANOTHER_FOLDER, copyTokenizer, writeDurably, writeFolder } from './model-folder.ts';
import { parameterCount, parameterSlots, type ParameterSlot } from './parameters.ts';
import { formatPolicyConfig, namedEnds, parsePolicyConfig, type PolicyConfig } from './policy-config.ts';
import { PolicyError } from './policy-error.ts';
import { openWeightFiles, requireTensors, type WeightFiles } from './weight-files.ts';

export type StoredAs = 'float16' | 'bfloat16' | 'float32';

export interface LoadedPolicy {
  config: PolicyConfig;
  /** Flat, in the order of `parameterSlots(config)`. */
  weights: Float32Array;
  /** Precision of the file: what a trained copy is worth storing in. */
  storedAs: StoredAs;
  tokenizer: Tokenizer;
  /** The folder's name. */
  name: string;
}
export interface PolicyToSave {
  config: PolicyConfig;
  weights: Float32Array;
  dtype: StoredAs;
  /** Folder whose tokenizer files are copied; null for none. */
  tokenizerFrom: string | null;
  /** Markdown for README.md. */
  card?: string;
}

const MAX_CONFIG_BYTES = 1024 * 1024;
const STORED_AS = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;
const DTYPE = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const;
const LARGEST_HALF = 65_504;

/** @throws PolicyError */
export async function loadPolicyFolder(directory: string): Promise<LoadedPolicy> {
  const { config, weights, eosTokenIds, storedAs } = await loadPolicyWeights(directory);
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
  return { config, weights, storedAs, tokenizer, name: basename(resolve(directory)) };
}

/** The same without the tokenizer. @throws PolicyError */
export async function loadPolicyWeights(
  directory: string,
): Promise<{ config: PolicyConfig; weights: Float32Array; storedAs: StoredAs; eosTokenIds: readonly number[] }> {
  const raw = await readPolicyJson(join(directory, 'config.json'));
  const config = parsePolicyConfig(raw);
  return { config, ...(await readWeights(directory, config)), eosTokenIds: namedEnds(raw) };
}

/** What config.json says, not yet judged. @throws PolicyError */
export async function readPolicyJson(path: string): Promise<unknown> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_CONFIG_BYTES)
      throw new PolicyError('policyInvalid', `${path} is ${size} bytes long, which no config.json is`, ANOTHER_FOLDER);
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

async function readWeights(
  directory: string,
  config: PolicyConfig,
): Promise<{ weights: Float32Array; storedAs: StoredAs }> {
  let files: WeightFiles | null = null;
  try {
    files = await openWeightFiles(directory);
    const slots = slotsIn(files, config);
    const weights = allocate(parameterCount(slots));
    for (const { name, offset, length } of slots)
      await files.readFloatsInto(name, weights.subarray(offset, offset + length), { requireFinite: true });
    return { weights, storedAs: STORED_AS[files.entries.get(slots[0]!.name)!.dtype as 'F32' | 'F16' | 'BF16'] };
  } catch (cause) {
    throw asPolicyError(cause);
  } finally {
    await files?.close();
  }
}

function allocate(count: number): Float32Array {
  try {
    return new Float32Array(count);
  } catch (cause) {
    throw new PolicyError(
      'policyUnsupported',
      `The policy has ${count} weights, ${(count * 4) / 2 ** 30} GiB, more than this process can hold`,
      'Choose a smaller model.',
      { cause },
    );
  }
}

/** The slots of a policy, once it is certain that the file has exactly these tensors. */
function slotsIn(file: WeightFiles, config: PolicyConfig): ParameterSlot[] {
  // Sizes are read off the file first: a hostile config.json must not make us list or add up what is not there.
  if (config.layers * 9 > file.entries.size) {
    throw new PolicyError(
      'policyInvalid',
      `config.json names ${config.layers} layers, ${file.label} has only ${file.entries.size} tensors`,
      ANOTHER_FOLDER,
    );
  }
  const slots = parameterSlots(config);
  requireTensors(file, slots);
  const expected = new Set(slots.map(({ name }) => name));
  for (const name of file.entries.keys()) {
    if (!expected.has(name) && !mayBeIgnored(name, config)) {
      throw new PolicyError(
        'policyUnsupported',
        `${file.label} has a tensor this engine would leave out: ${JSON.stringify(name.slice(0, 120))}`,
        ANOTHER_FOLDER,
      );
    }
  }
  return slots;
}

/** A stored copy of a tied head, and rotary tables that old versions of transformers saved. */
function mayBeIgnored(name: string, config: PolicyConfig): boolean {
  return (config.tiedHead && name === 'lm_head.weight') || name.endsWith('.rotary_emb.inv_freq');
}

/** Errors of the layers below as errors of this one. */
export function asPolicyError(cause: unknown): unknown {
  if (cause instanceof SafetensorsError || cause instanceof TokenizerError) {
    const missing = cause.code === 'missingFile';
    return new PolicyError(missing ? 'policyMissing' : 'policyInvalid', cause.message, cause.fix, { cause });
  }
  return cause;
}

/**
 * Writes a model folder that transformers reads; in an existing one the weights are replaced last.
 * @throws PolicyError for weights that are not finite or too large for float16; SafetensorsError when the disk is full.
 */
export async function savePolicyFolder(directory: string, policy: PolicyToSave): Promise<void> {
  const tensors = tensorsOf(policy);
  await writeFolder(directory, async (work) => {
    const files = policy.tokenizerFrom === null ? [] : await copyTokenizer(policy.tokenizerFrom, work);
    if (policy.card !== undefined) {
      await writeDurably(join(work, 'README.md'), policy.card);
      files.push('README.md');
    }
    const config = { ...formatPolicyConfig(policy.config), torch_dtype: policy.dtype };
    await writeDurably(join(work, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
    await writeSafetensors(join(work, 'model.safetensors'), tensors, { format: 'pt' });
    return [...files, 'config.json', 'model.safetensors'];
  });
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
      return [name, { dtype: DTYPE[dtype], shape, data }];
    }),
  );
}
