/**
 * Models of which a part has arrived. Each lies in a folder of its own below the models folder, named after model and commit, until it is
 * whole; so an interrupted pull finds it again. Knows nothing of how the files get there.
 */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isModelId } from './model-listing.ts';

export interface HalfModel {
  /** ORG/NAME, or NAME. */
  id: string;
  commit: string;
  directory: string;
}

const STAGING = '.partial';
/** What `flatten` made of the id, and the commit. */
const FOLDER = /^(.+)--([0-9a-f]{40})$/;
const flatten = (id: string): string => id.replace('/', '--');

export function halfModelFolder(modelsDirectory: string, id: string, commit: string): string {
  return join(resolve(modelsDirectory), STAGING, `${flatten(id)}--${commit}`);
}

/** In order of their folders' names. `of`: those of one model alone. */
export async function findHalfModels(modelsDirectory: string, of?: string): Promise<HalfModel[]> {
  const root = join(resolve(modelsDirectory), STAGING);
  const names = await readdir(root).catch((): string[] => []);
  return names.sort().flatMap((name) => {
    const [, flat, commit] = FOLDER.exec(name) ?? [];
    if (flat === undefined || commit === undefined || (of !== undefined && flat !== flatten(of))) return [];
    const id = of ?? flat.replace('--', '/');
    return isModelId(id) ? [{ id, commit, directory: join(root, name) }] : [];
  });
}

/** What a half model takes of the disk. */
export async function halfModelBytes({ directory }: HalfModel): Promise<number> {
  const names = await readdir(directory, { recursive: true }).catch((): string[] => []);
  const sizes = await Promise.all(names.map((name) => writtenBytes(join(directory, name))));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** Of a file, by blocks on disk, not length: half files have holes. */
export async function writtenBytes(path: string): Promise<number> {
  return stat(path).then(
    (stats) => (stats.isFile() ? Math.min(stats.size, stats.blocks * 512) : 0),
    () => 0,
  );
}
