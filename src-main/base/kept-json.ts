/**
 * Small JSON files that are kept from one start to the next: choices, lists, names. Knows nothing of what is in them. Invariant: what is
 * damaged or foreign is as good as missing, for no such file is worth a failed start.
 */
import { readFile } from 'node:fs/promises';
import type { ZodType } from 'zod';
import { errnoCode } from './errors.ts';

/** The longest, a list of folders, comes to half of that. */
const MAX_CHARACTERS = 512 * 1024;

/** Null where there is no such file, or none that fits. @throws the system's error where it is there and cannot be read */
export async function readKeptJson<T>(path: string, schema: ZodType<T>): Promise<T | null> {
  try {
    const text = await readFile(path, 'utf8');
    if (text.length > MAX_CHARACTERS) return null;
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (error instanceof SyntaxError || errnoCode(error) === 'ENOENT') return null;
    throw error;
  }
}
