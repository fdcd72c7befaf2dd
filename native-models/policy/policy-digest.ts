/**
 * What a policy is, whatever its folder is called: a digest of its base weights and of the fields of config.json that say what is
 * computed with them. By it a checkpoint knows its policy.
 *
 * Cheap enough for every start: of each tensor name, kind, shape and bytes count; of one above 1 MiB three stretches (start, middle,
 * end), so that gigabytes are not read. Training any layer changes it; editing single numbers elsewhere in a large tensor may not.
 * Invariant: for ever the same for the same folder. Whoever must change what is hashed raises VERSION and says what becomes of checkpoints.
 */
import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { isObject } from './json-fields.ts';
import { asPolicyError, readPolicyJson } from './load-policy.ts';
import { openWeightFiles, type WeightFiles } from './weight-files.ts';

const VERSION = 'waggle-policy-1';
const WHOLE_UP_TO_BYTES = 1024 * 1024;
const STRETCH_BYTES = 16 * 1024;
/** Fields that change what the same numbers compute; cosmetic ones (versions, dtype, generation) do not count. */
const FIELDS = [
  'model_type',
  'hidden_size',
  'num_attention_heads',
  'num_key_value_heads',
  'head_dim',
  'num_hidden_layers',
  'rms_norm_eps',
  'rope_theta',
  'rope_scaling',
  'rope_parameters',
  'tie_word_embeddings',
] as const;

/** 32 hexadecimal digits. @throws PolicyError */
export async function policyDigest(directory: string): Promise<string> {
  const config = await readPolicyJson(join(directory, 'config.json'));
  const hash = createHash('sha256').update(VERSION);
  for (const field of FIELDS) hash.update(`\n${field}=${canonical(isObject(config) ? config[field] : undefined)}`);
  let files: WeightFiles | null = null;
  try {
    files = await openWeightFiles(directory);
    for (const name of [...files.entries.keys()].sort()) await addTensor(hash, files, name);
  } catch (cause) {
    throw asPolicyError(cause);
  } finally {
    await files?.close();
  }
  return hash.digest('hex').slice(0, 32);
}

async function addTensor(hash: Hash, files: WeightFiles, name: string): Promise<void> {
  const { dtype, shape, byteLength } = files.entries.get(name)!;
  hash.update(`\n${JSON.stringify([name, dtype, shape])}`);
  if (byteLength <= WHOLE_UP_TO_BYTES) {
    hash.update(await files.readBytes(name, 0, byteLength));
    return;
  }
  const last = byteLength - STRETCH_BYTES;
  for (const start of [0, Math.floor(last / 2), last]) hash.update(await files.readBytes(name, start, STRETCH_BYTES));
}

/** JSON with sorted keys, so that the order in the file does not count. */
function canonical(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  const fields = keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${fields.join(',')}}`;
}
