/**
 * Model folders that are on this disk already: below the models folder (ORG/NAME), and in the cache of Hugging Face programs
 * (`models--ORG--NAME/snapshots/COMMIT` with links into `blobs`), which are used where they are, without a copy.
 * Looks at names and sizes only; what is in the files is for the loader to judge. Never writes.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { checkModelId, isModelId, isSafePath } from './model-listing.ts';

export interface FoundModel {
  /** ORG/NAME, or NAME. */
  id: string;
  directory: string;
  source: 'models' | 'cache';
  /** Of the weights, following links. */
  weightBytes: number;
  /** What is missing for it to be a model folder; null for nothing. */
  lacks: string | null;
}
export interface ModelPlaces {
  modelsDirectory: string;
  cacheDirectory: string;
}

const INDEX = 'model.safetensors.index.json';
const MAX_INDEX_BYTES = 64 * 1024 * 1024;

/** Whole ones and halves, in order of their ids; those of the models folder first where both have one. */
export async function findModels({ modelsDirectory, cacheDirectory }: ModelPlaces): Promise<FoundModel[]> {
  const [own, cached] = await Promise.all([inModelsFolder(resolve(modelsDirectory)), inCache(resolve(cacheDirectory))]);
  return [...own, ...cached].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** The folder to use for an id: one that is whole. Null when there is none. */
export async function findModel(places: ModelPlaces, id: string): Promise<FoundModel | null> {
  checkModelId(id);
  return (await findModels(places)).find((model) => model.id === id && model.lacks === null) ?? null;
}

/** Looks at one folder. Null where there is no config.json: no model at all. */
export async function inspectFolder(directory: string): Promise<Pick<FoundModel, 'weightBytes' | 'lacks'> | null> {
  if ((await sizeOf(join(directory, 'config.json'))) === null) return null;
  const names = await weightFiles(directory);
  const sizes = await Promise.all((names ?? []).map((name) => sizeOf(join(directory, name))));
  const missing = (names ?? []).filter((_, i) => sizes[i] === null || sizes[i] === 0);
  const tokenizer = await sizeOf(join(directory, 'tokenizer.json'));
  const lacks = names === null ? 'model.safetensors' : (missing[0] ?? (tokenizer === null ? 'tokenizer.json' : null));
  return { weightBytes: sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0), lacks };
}

async function inModelsFolder(root: string): Promise<FoundModel[]> {
  const found: FoundModel[] = [];
  for (const name of await foldersIn(root)) {
    const direct = await asModel(name, join(root, name), 'models');
    if (direct) found.push(direct);
    else {
      for (const inner of await foldersIn(join(root, name))) {
        const model = await asModel(`${name}/${inner}`, join(root, name, inner), 'models');
        if (model) found.push(model);
      }
    }
  }
  return found;
}

async function inCache(root: string): Promise<FoundModel[]> {
  const found: FoundModel[] = [];
  for (const folder of await foldersIn(root)) {
    if (!folder.startsWith('models--')) continue;
    const id = folder.slice('models--'.length).replaceAll('--', '/');
    const snapshots = join(root, folder, 'snapshots');
    const main = (await readFile(join(root, folder, 'refs', 'main'), 'utf8').catch(() => '')).trim();
    const commits = (await foldersIn(snapshots)).filter((name) => /^[0-9a-f]{40}$/.test(name));
    // The one that `main` points to, else the first whole one.
    const ordered = [...commits].sort((a, b) => Number(b === main) - Number(a === main) || (a < b ? -1 : 1));
    const models: FoundModel[] = [];
    for (const commit of ordered) {
      const model = await asModel(id, join(snapshots, commit), 'cache');
      if (model) models.push(model);
    }
    const best = models.find(({ lacks }) => lacks === null) ?? models[0];
    if (best) found.push(best);
  }
  return found;
}

async function asModel(id: string, directory: string, source: FoundModel['source']): Promise<FoundModel | null> {
  if (!isModelId(id)) return null; // none that could be asked for
  const seen = await inspectFolder(directory);
  return seen ? { id, directory, source, ...seen } : null;
}

/** Null when there are neither weights nor an index that can be read. */
async function weightFiles(directory: string): Promise<string[] | null> {
  if ((await sizeOf(join(directory, 'model.safetensors'))) !== null) return ['model.safetensors'];
  const bytes = await sizeOf(join(directory, INDEX));
  if (bytes === null || bytes > MAX_INDEX_BYTES) return null;
  try {
    const { weight_map: map } = JSON.parse(await readFile(join(directory, INDEX), 'utf8')) as { weight_map?: unknown };
    const names = new Set(Object.values((map ?? {}) as Record<string, unknown>));
    const safe = [...names].every((name) => typeof name === 'string' && isSafePath(name) && !name.includes('/'));
    return safe && names.size > 0 ? ([...names] as string[]) : null;
  } catch {
    return null;
  }
}

/** Follows links; null for what is not there or no file. */
async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    (stats) => (stats.isFile() ? stats.size : null),
    () => null,
  );
}

/** Names of folders, and of links to folders, in a fixed order; hidden ones are left out. */
async function foldersIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}
