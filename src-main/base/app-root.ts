/** Where this Waggle is installed, and which version it is: the nearest folder above with Waggle's package.json. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute; the same from source and from dist. */
export const appRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));
export const appVersion: string = (
  JSON.parse(readFileSync(join(appRoot, 'package.json'), 'utf8')) as { version: string }
).version;
export const rendererDirectory: string = join(appRoot, 'dist', 'renderer');

/** True in a clone of the repository, where the renderer and the app can be built. */
export function isSourceCheckout(): boolean {
  return existsSync(join(appRoot, 'src-renderer')) && existsSync(join(appRoot, 'node_modules', 'vite'));
}

function findRoot(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json')) && existsSync(join(at, 'native-models'))) return at;
    if (at === dirname(at)) return folder;
  }
}
