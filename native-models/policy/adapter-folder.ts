/**
 * Adapters in PEFT's folder layout (adapter_config.json, adapter_model.safetensors) <-> the flat matrices. Untrusted input:
 * what PEFT can do beyond plain LoRA is refused by name, every matrix is checked against the policy's config before it is read.
 * Knows nothing of sessions or of training.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors, writeSafetensors, type SafetensorsFile } from '../checkpoint/safetensors.ts';
import { adapterConfig, adapterSlots, type AdapterConfig } from './adapter.ts';
import { isObject, quoted, type Json } from './json-fields.ts';
import { asPolicyError } from './load-policy.ts';
import { writeDurably, writeFolder } from './model-folder.ts';
import { parameterCount } from './parameters.ts';
import type { PolicyConfig } from './policy-config.ts';
import { PolicyError } from './policy-error.ts';
import { requireTensors } from './weight-files.ts';

export interface LoadedAdapter {
  config: AdapterConfig;
  /** Flat, in the order of `adapterSlots`. */
  weights: Float32Array;
}
export interface AdapterToSave extends LoadedAdapter {
  policy: PolicyConfig;
  /** Name or folder of the base model, for whoever loads the adapter. */
  baseModel: string;
  /** Markdown for README.md. */
  card: string;
}

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
const PREFIX = 'base_model.model.';
const MAX_CONFIG_BYTES = 1024 * 1024;
const ANOTHER = 'Use a plain LoRA adapter of this very policy, as Waggle or PEFT saves it.';

/** Options of PEFT under which the matrices mean something else. Off: null, false, empty. */
const REFUSED = [
  'use_dora use_rslora use_qalora use_bdlora lora_bias fan_in_fan_out modules_to_save layers_to_transform layers_pattern rank_pattern ',
  'alpha_pattern layer_replication trainable_token_indices target_parameters exclude_modules alora_invocation_tokens',
].flatMap((keys) => keys.split(' ').filter(Boolean));

const invalid = (what: string): never => {
  throw new PolicyError('policyInvalid', what, ANOTHER);
};

/** @throws PolicyError */
export async function loadAdapterFolder(directory: string, policy: PolicyConfig): Promise<LoadedAdapter> {
  const config = parseAdapterConfig(await readJson(join(directory, CONFIG)));
  let file: SafetensorsFile | null = null;
  try {
    file = await openSafetensors(join(directory, WEIGHTS));
    const slots = adapterSlots(policy, config);
    const named = slots.map((slot) => ({ ...slot, name: PREFIX + slot.name }));
    requireTensors({ label: file.file, entries: file.entries }, named);
    if (file.entries.size !== slots.length)
      invalid(`${file.file} has ${file.entries.size} tensors, the adapter of this policy ${slots.length}`);
    const weights = new Float32Array(parameterCount(slots));
    for (const { name, offset, length } of named)
      await file.readFloatsInto(name, weights.subarray(offset, offset + length), { requireFinite: true });
    return { config, weights };
  } catch (cause) {
    throw asPolicyError(cause);
  } finally {
    await file?.close();
  }
}

async function readJson(path: string): Promise<Json> {
  let value: unknown;
  try {
    if ((await stat(path)).size > MAX_CONFIG_BYTES) invalid(`${path} is too large`);
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    if (cause instanceof PolicyError) throw cause;
    throw new PolicyError('policyMissing', `${path} cannot be read: ${String(cause)}`, ANOTHER, { cause });
  }
  return isObject(value) ? value : invalid(`${path} holds no JSON object`);
}

/** @throws PolicyError */
export function parseAdapterConfig(raw: Json): AdapterConfig {
  const refuse = (what: string): never => {
    throw new PolicyError('policyUnsupported', `${CONFIG}: ${what} is not supported`, ANOTHER);
  };
  if (raw.peft_type !== 'LORA') refuse(`peft_type ${quoted(raw.peft_type)}`);
  if ((raw.bias ?? 'none') !== 'none') refuse(`bias ${quoted(raw.bias)}`);
  for (const key of REFUSED) {
    const value = raw[key];
    const isOff = value === undefined || value === null || value === false || isEmpty(value);
    if (!isOff) refuse(`${key} (${quoted(value)})`);
  }
  const targets = raw.target_modules;
  if (!Array.isArray(targets) || !targets.every((name) => typeof name === 'string'))
    return refuse(`target_modules ${quoted(targets)}`);
  return adapterConfig(Number(raw.r), Number(raw.lora_alpha), targets);
}

const isEmpty = (value: unknown): boolean =>
  (Array.isArray(value) && value.length === 0) || (isObject(value) && Object.keys(value).length === 0);

/** Writes a folder that `peft.PeftModel.from_pretrained` reads. @throws SafetensorsError when the disk is full */
export async function saveAdapterFolder(directory: string, adapter: AdapterToSave): Promise<void> {
  const slots = adapterSlots(adapter.policy, adapter.config);
  const tensors = Object.fromEntries(
    slots.map(({ name, shape, offset, length }) => [
      PREFIX + name,
      { shape, data: adapter.weights.subarray(offset, offset + length) },
    ]),
  );
  if (adapter.weights.some((x) => !Number.isFinite(x)))
    throw new PolicyError(
      'policyInvalid',
      'The adapter holds a number that is not finite',
      'Go back to an earlier checkpoint.',
    );
  const { rank, alpha, targets } = adapter.config;
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: adapter.baseModel,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    target_modules: targets,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
  };
  await writeFolder(directory, async (work) => {
    await writeDurably(join(work, 'README.md'), adapter.card);
    await writeDurably(join(work, CONFIG), `${JSON.stringify(config, null, 2)}\n`);
    await writeSafetensors(join(work, WEIGHTS), tensors, { format: 'pt' });
    return ['README.md', CONFIG, WEIGHTS];
  });
}
