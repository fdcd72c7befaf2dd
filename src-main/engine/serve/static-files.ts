/**
 * The built renderer as a table of files: a request names a row or gets nothing, so no request path is ever resolved
 * against the disk. Knows nothing of HTTP or tokens.
 *
 * Invariants: only regular files below the directory are in the table (no links); the table is read again after a miss,
 * at most once a second, so that a fresh build appears without a restart.
 */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

const relistAfterMs = 1000;

export interface StaticFile {
  body: Buffer;
  contentType: string;
  /** True for files whose name holds a hash of their content. */
  immutable: boolean;
}

/** Looks up `/index.html`-like paths; null when there is no such file (or not any more). */
export type FindFile = (path: string) => Promise<StaticFile | null>;

export function listStaticFiles(directory: string, now: () => number = Date.now): FindFile {
  let listing: Promise<Map<string, string>> | null = null;
  let listedAtMs = 0;

  const list = (): Promise<Map<string, string>> => {
    listedAtMs = now();
    return (listing = listFiles(directory));
  };

  return async (path) => {
    let file = (await (listing ?? list())).get(path);
    if (file === undefined && now() - listedAtMs >= relistAfterMs) file = (await list()).get(path);
    if (file === undefined) return null;
    try {
      const body = await readFile(file);
      const contentType = contentTypes[extname(file)] ?? 'application/octet-stream';
      return { body, contentType, immutable: path.startsWith('/assets/') };
    } catch {
      listing = null; // rebuilt meanwhile
      return null;
    }
  };
}

/** Request path to absolute path; empty when the directory does not exist. */
async function listFiles(directory: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  try {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith('.')) continue;
      const file = join(entry.parentPath, entry.name);
      files.set('/' + relative(directory, file).split(sep).join('/'), file);
    }
  } catch {
    files.clear();
  }
  return files;
}
