/**
 * One process at a time in a folder: a file with the owner's process id. A lock whose owner has ended is taken over.
 * For processes of one machine and user; not a lock over a network disk.
 */
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HubError, systemCode } from './hub-error.ts';

/** @returns what releases it. @throws HubError `hubLocked` */
export async function lockFolder(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, '.lock');
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = await open(path, 'wx');
      await file.close();
      await writeFile(path, String(process.pid));
      return () => rm(path, { force: true });
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    const owner = Number(await readFile(path, 'utf8').catch(() => ''));
    if (owner > 0 && isAlive(owner)) break;
    await rm(path, { force: true });
  }
  throw new HubError('hubLocked', {
    message: 'Another process is fetching this model.',
    fix: `Wait for it to end. If there is none, delete ${path}.`,
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
