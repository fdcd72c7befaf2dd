/**
 * What a node's owner has added and may delete: model folders elsewhere on this machine, kept as a list, and models that were
 * fetched. Deletes nothing but what lies in the node's own models folder.
 */
import { mkdir, readdir, realpath, rename, rm } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { inspectFolder } from '../../native-models/hub/find-models.ts';
import { findHalfModels } from '../../native-models/hub/half-models.ts';
import { modelFolder } from '../../native-models/hub/model-origin.ts';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { WaggleError } from '../base/errors.ts';
import { readKeptJson } from '../base/kept-json.ts';

const MOST_FOLDERS = 64;
const LEAVING = '.removing';
const folderFile = z.object({ version: z.literal(1), folders: z.array(z.string().min(1).max(4096)).max(MOST_FOLDERS) });

/** Absolute paths, in the order they were added. A damaged list is an empty one: the folders themselves are untouched. */
export async function readModelFolders(dataDirectory: string): Promise<string[]> {
  return (await readKeptJson(listPath(dataDirectory), folderFile))?.folders ?? [];
}

/** @returns the folder's absolute path. @throws WaggleError notAModelFolder, tooManyFolders; DiskFullError */
export async function addModelFolder(dataDirectory: string, directory: string): Promise<string> {
  const folder = await requireModelFolder(directory);
  const folders = await readModelFolders(dataDirectory);
  if (folders.includes(folder)) return folder;
  if (folders.length >= MOST_FOLDERS) {
    throw new WaggleError({
      code: 'tooManyFolders',
      message: `${MOST_FOLDERS} folders are on the list already, which is the most.`,
      fix: 'Take some off the list first.',
    });
  }
  await writeFolders(dataDirectory, [...folders, folder]);
  return folder;
}

/** Takes it off the list; the folder itself stays as it is. */
export async function forgetModelFolder(dataDirectory: string, directory: string): Promise<void> {
  const folders = await readModelFolders(dataDirectory);
  await writeFolders(
    dataDirectory,
    folders.filter((folder) => folder !== directory),
  );
}

/** Its absolute path, where it holds a whole model. @throws WaggleError notAModelFolder */
export async function requireModelFolder(directory: string): Promise<string> {
  const path = directory.trim();
  const seen = isAbsolute(path) ? await inspectFolder(resolve(path)) : null;
  if (seen?.lacks === null) return resolve(path);
  const why = !isAbsolute(path) ? 'is no full path' : seen === null ? 'has no config.json' : `has no ${seen.lacks}`;
  throw new WaggleError({
    code: 'notAModelFolder',
    message: `${JSON.stringify(path.slice(0, 300))} ${why}.`,
    fix: 'Name the full path of a folder in Hugging Face layout: config.json, tokenizer.json and model.safetensors (or its shards).',
    values: { path: path.slice(0, 300) },
  });
}

/**
 * Deletes a fetched model and what has arrived of it. Out of the way first, in one step, so that no half model stays under its name.
 * @throws HubError for an id that is none, WaggleError notOurModel for one that lies elsewhere
 */
export async function deleteModel(modelsDirectory: string, id: string): Promise<void> {
  const root = resolve(modelsDirectory);
  const folder = modelFolder(root, id);
  const real = await realpath(folder).catch(() => null);
  if (real !== null) {
    // A link in its place, or above it, leads out of our folder: what is there is not ours to delete.
    if (real !== join(await realpath(root), ...id.split('/'))) throw notOurs(id);
    const leaving = join(root, `${LEAVING}-${process.pid}-${Date.now()}`);
    await rename(real, leaving);
    await rm(leaving, { recursive: true, force: true });
  }
  for (const { directory } of await findHalfModels(root, id)) await rm(directory, { recursive: true, force: true });
}

/** What an interrupted deletion left. */
export async function removeLeaving(modelsDirectory: string): Promise<void> {
  for (const name of await readdir(modelsDirectory).catch(() => [])) {
    if (basename(name).startsWith(`${LEAVING}-`))
      await rm(join(modelsDirectory, name), { recursive: true, force: true });
  }
}

async function writeFolders(dataDirectory: string, folders: readonly string[]): Promise<void> {
  await mkdir(dataDirectory, { recursive: true });
  await writeFileAtomic(listPath(dataDirectory), `${JSON.stringify({ version: 1, folders })}\n`);
}

function listPath(dataDirectory: string): string {
  return join(dataDirectory, 'model-folders.json');
}

function notOurs(id: string): WaggleError {
  return new WaggleError({
    code: 'notOurModel',
    message: `${id} does not lie in Waggle's own models folder, so it is not deleted.`,
    fix: 'Delete it with the program that put it there.',
  });
}
