/**
 * `waggle-model.json`: where a fetched model folder came from and what was verified, written last. And the one place that says
 * which folder a model id has: ORG/NAME below the models folder.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { FileHash } from './file-hash.ts';
import { checkModelId } from './model-listing.ts';

export interface ModelOrigin {
  id: string;
  revision: string;
  commit: string;
  endpoint: string;
  files: { path: string; bytes: number; hash: FileHash }[];
}

export const ORIGIN_FILE = 'waggle-model.json';

/** @throws HubError for an id that is none */
export function modelFolder(modelsDirectory: string, id: string): string {
  checkModelId(id);
  return join(resolve(modelsDirectory), ...id.split('/'));
}

/** Null for a folder that was not fetched by this program, or whose file is damaged. */
export async function readOrigin(directory: string): Promise<ModelOrigin | null> {
  try {
    const raw = JSON.parse(await readFile(join(directory, ORIGIN_FILE), 'utf8')) as Partial<ModelOrigin>;
    const { id, revision, commit, endpoint, files } = raw;
    const texts = [id, revision, commit, endpoint];
    if (texts.some((text) => typeof text !== 'string') || !Array.isArray(files)) return null;
    return raw as ModelOrigin;
  } catch {
    return null;
  }
}
