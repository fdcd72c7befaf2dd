/**
 * Builds what is missing or older than its sources in a clone of the repository: the renderer with Vite, the app with tsc.
 * Knows nothing of what is started then. The renderer is built beside the former one and swapped in when it is whole.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NodeFault } from '../engine/serve/faults.ts';
import { appRoot, rendererDirectory } from '../base/app-root.ts';

const at = (...parts: string[]): string => join(appRoot, ...parts);

export function rendererIsStale(): boolean {
  return isOlder(join(rendererDirectory, 'index.html'), [at('src-renderer'), at('package.json')]);
}

export function appIsStale(): boolean {
  return isOlder(at('dist', '.tsbuild', 'src-main.json'), [at('src-main'), at('native-models'), at('package.json')]);
}

/** Each build has a folder named after its process until it is swapped in. */
const freshPrefix = 'renderer.building-';

/** Whether another Waggle builds it at this moment, as when the demo has started several nodes. */
export function rendererIsBeingBuilt(): boolean {
  return buildsInProgress().some(({ alive }) => alive);
}

function buildsInProgress(): { folder: string; alive: boolean }[] {
  const dist = statSync(at('dist'), { throwIfNoEntry: false });
  const names = dist === undefined ? [] : readdirSync(at('dist'));
  return names
    .filter((name) => name.startsWith(freshPrefix))
    .map((name) => ({ folder: at('dist', name), alive: isAlive(Number(name.slice(freshPrefix.length))) }));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Throws `NodeFault` with code `buildFailed` and the tool's last lines. */
export async function buildRenderer(onChild?: (child: ChildProcess) => void): Promise<void> {
  for (const { folder, alive } of buildsInProgress()) if (!alive) rmSync(folder, { recursive: true, force: true });
  const fresh = `${freshPrefix}${process.pid}`;
  mkdirSync(at('dist', fresh), { recursive: true });
  const config = [
    '--config',
    at('src-renderer', 'vite.config.ts'),
    '--outDir',
    join('..', 'dist', fresh),
    '--emptyOutDir',
  ];
  try {
    await runTool(
      [at('node_modules', 'vite', 'bin', 'vite.js'), 'build', ...config, '--logLevel', 'warn'],
      'npm run build:renderer',
      onChild,
    );
    rmSync(rendererDirectory, { recursive: true, force: true });
    renameSync(at('dist', fresh), rendererDirectory);
  } finally {
    rmSync(at('dist', fresh), { recursive: true, force: true });
  }
}

export async function buildApp(): Promise<void> {
  await runTool([at('node_modules', 'typescript', 'bin', 'tsc'), '-b', 'src-main'], 'npx tsc -b src-main');
}

async function runTool(
  args: readonly string[],
  byHand: string,
  onChild?: (child: ChildProcess) => void,
): Promise<void> {
  // In a group of its own: the terminal's Ctrl-C is for us, who end the tool and do not mistake that for a failed build.
  const detached = process.platform !== 'win32';
  const child = spawn(process.execPath, args, { cwd: appRoot, stdio: ['ignore', 'pipe', 'pipe'], detached });
  onChild?.(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => (output = (output + part).slice(-2000)));
  }
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  if (code === 0) return;
  const detail = output.trim().split('\n').slice(-6).join('\n');
  throw new NodeFault({
    code: 'buildFailed',
    message: `Building failed (${byHand}):\n${detail}`,
    fix: `Run it by hand to see all of it: ${byHand}`,
  });
}

/** Whether `product` is missing or older than the newest file among the sources. */
function isOlder(product: string, sources: readonly string[]): boolean {
  const made = modifiedMs(product);
  return made === null || sources.some((source) => newestMs(source) > made);
}

function newestMs(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(
    0,
    ...readdirSync(path, { recursive: true }).map((name) => {
      const entry = statSync(join(path, String(name)), { throwIfNoEntry: false });
      return entry?.isFile() === true ? entry.mtimeMs : 0;
    }),
  );
}

function modifiedMs(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
}
