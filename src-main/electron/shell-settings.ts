/**
 * The few things the shell itself remembers (not the node): today only that closing to the tray was explained.
 * Invariant: an unreadable or foreign file means the defaults, never a failed start; writes are atomic.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { readKeptJson } from '../base/kept-json.ts';

const schema = z.object({ closeToTrayExplained: z.boolean().default(false) });
export type ShellSettings = z.infer<typeof schema>;

export async function readShellSettings(path: string): Promise<ShellSettings> {
  return (await readKeptJson(path, schema).catch(() => null)) ?? schema.parse({});
}

export async function writeShellSettings(path: string, settings: ShellSettings): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${String(process.pid)}.draft`;
  await writeFile(draft, `${JSON.stringify(settings, null, 2)}\n`);
  await rename(draft, path);
}
