/**
 * Writing model folders: the files are made in a folder beside the target, so that a new folder appears whole and in an existing
 * one each file is replaced in one step. Knows nothing of what the files hold.
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { syncFolder } from '../checkpoint/safetensors.ts';
import { PolicyError } from './policy-error.ts';

export const ANOTHER_FOLDER = 'Choose another model folder (--policy DIR), or leave it empty for the bundled policy.';

const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
];

/** @param write makes the files in the folder it is given and returns their names in the order they are put in place */
export async function writeFolder(directory: string, write: (work: string) => Promise<string[]>): Promise<void> {
  const target = resolve(directory);
  await mkdir(dirname(target), { recursive: true });
  const work = `${target}.partial-${randomBytes(6).toString('hex')}`;
  await mkdir(work); // not mkdtemp: the folder is to be readable by whom the owner's umask lets
  try {
    await putInPlace(work, target, await write(work));
    await syncFolder(dirname(target));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Names of the files that were copied. @throws PolicyError when there is no tokenizer. */
export async function copyTokenizer(from: string, to: string): Promise<string[]> {
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
  if (!present.has('tokenizer.json'))
    throw new PolicyError('policyMissing', `${from} has no tokenizer.json`, ANOTHER_FOLDER);
  for (const name of files) await copyFile(join(from, name), join(to, name));
  return files;
}

/** The text is on the disk when it settles. */
export async function writeDurably(path: string, text: string): Promise<void> {
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
