/** Where a node keeps its files when nobody said otherwise: the place each system reserves for app data. */
import { posix, win32 } from 'node:path';

export interface Surroundings {
  platform: NodeJS.Platform;
  home: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** Absolute path. Windows: %LOCALAPPDATA%; macOS: ~/Library/Application Support; else XDG_DATA_HOME (ignored unless absolute, as its specification asks). */
export function defaultDataDirectory({ platform, home, env }: Surroundings): string {
  if (platform === 'win32') return win32.join(env['LOCALAPPDATA'] ?? win32.join(home, 'AppData', 'Local'), 'Waggle');
  if (platform === 'darwin') return posix.join(home, 'Library', 'Application Support', 'Waggle');
  const stated = env['XDG_DATA_HOME'];
  const base = stated !== undefined && posix.isAbsolute(stated) ? stated : posix.join(home, '.local', 'share');
  return posix.join(base, 'waggle');
}
