/**
 * `runtime.json` in the data folder: how programs of the same user reach the node that runs on it (port, token, process id).
 * Knows nothing of the server or the API.
 *
 * Invariants: readable by its owner only; written atomically once the port is open; removed on an orderly end; a file left
 * behind by a crash is recognised by its process id.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { errnoCode } from '../../base/errors.ts';

const runtimeSchema = z.object({
  pid: z.int().min(1),
  port: z.int().min(1).max(65_535),
  token: z.string().min(16).max(512),
  /** Address for a browser, with the token. */
  url: z.string().max(1024),
  startedAt: z.number(),
});

export type RuntimeInfo = z.infer<typeof runtimeSchema>;

export type FoundRuntime =
  { ok: true; info: RuntimeInfo } | { ok: false; reason: 'missing' | 'stale' | 'unreadable'; path: string };

export const runtimeFileName = 'runtime.json';

export async function writeRuntimeFile(dataDirectory: string, info: RuntimeInfo): Promise<void> {
  await writeFileAtomic(join(dataDirectory, runtimeFileName), `${JSON.stringify(info, null, 2)}\n`, { mode: 0o600 });
}

/** Removes the file if it is still this process's. */
export async function removeRuntimeFile(dataDirectory: string, pid: number): Promise<void> {
  const found = await readRuntimeFile(dataDirectory);
  if (found.ok && found.info.pid === pid) await rm(join(dataDirectory, runtimeFileName), { force: true });
}

export async function readRuntimeFile(dataDirectory: string): Promise<FoundRuntime> {
  const path = join(dataDirectory, runtimeFileName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    return { ok: false, reason: errnoCode(error) === 'ENOENT' ? 'missing' : 'unreadable', path };
  }
  const parsed = runtimeSchema.safeParse(parseJson(text));
  if (!parsed.success) return { ok: false, reason: 'unreadable', path };
  return isAlive(parsed.data.pid) ? { ok: true, info: parsed.data } : { ok: false, reason: 'stale', path };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoCode(error) === 'EPERM'; // alive, of another user
  }
}
