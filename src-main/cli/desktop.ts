/**
 * Whether the desktop app can run here, and running it. Electron's program is fetched once, by Electron's own installer and
 * with a time limit. Knows nothing of the headless node.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { appRoot } from '../base/app-root.ts';

export interface DesktopQuestion {
  platform: NodeJS.Platform;
  env: Readonly<Record<string, string | undefined>>;
  /** User id; null where there is none (Windows). */
  userId: number | null;
}

/** Why no window can open, in a few words; null when nothing is known against it. */
export function whyNoDisplay({ platform, env, userId }: DesktopQuestion): string | null {
  if (platform !== 'linux') return null;
  const set = (name: string) => (env[name] ?? '') !== '';
  if (!set('DISPLAY') && !set('WAYLAND_DISPLAY'))
    return 'there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)';
  if (userId === 0) return 'Electron does not run as root';
  return null;
}

const electronFolder = join(appRoot, 'node_modules', 'electron');

/** Path of Electron's program, or null when it has not been fetched. */
export function findElectron(folder: string = electronFolder, env: NodeJS.ProcessEnv = process.env): string | null {
  try {
    const name = readFileSync(join(folder, 'path.txt'), 'utf8');
    const program = join(env['ELECTRON_OVERRIDE_DIST_PATH'] ?? join(folder, 'dist'), name);
    return existsSync(program) ? program : null;
  } catch {
    return null;
  }
}

export type Fetched = { ok: true; program: string } | { ok: false; reason: string };

export async function fetchElectron(timeoutMs: number, folder: string = electronFolder): Promise<Fetched> {
  const installer = join(folder, 'install.js');
  if (!existsSync(installer)) return { ok: false, reason: 'Electron is not installed (npm ci installs it)' };
  const child = spawn(process.execPath, [installer], { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (complaint = (complaint + part).slice(0, 4000)));
  const startedAtMs = Date.now();
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await new Promise<void>((resolve) => child.once('error', () => resolve()).once('close', () => resolve()));
  clearTimeout(timer);
  const program = findElectron(folder);
  if (program !== null) return { ok: true, program };
  if (Date.now() - startedAtMs >= timeoutMs)
    return { ok: false, reason: `Electron's program could not be fetched within ${timeoutMs / 1000} s` };
  return { ok: false, reason: `Electron's program could not be fetched (${firstLine(complaint)})` };
}

function firstLine(text: string): string {
  const line = text.split('\n').find((candidate) => /error/i.test(candidate)) ?? text.split('\n')[0] ?? '';
  return line.trim().slice(0, 160) || 'no reason given';
}

export type DesktopEnd = { opened: true; exitCode: number } | { opened: false; reason: string };

/** A shell that ends with an error this soon counts as never opened. */
const openingMs = 8000;

/** Runs the app until its window and tray are closed; Ctrl-C ends it too. */
export async function runDesktop(program: string, args: readonly string[]): Promise<DesktopEnd> {
  const startedAtMs = Date.now();
  const child = spawn(program, [appRoot, ...args], { stdio: ['ignore', 'inherit', 'pipe'], windowsHide: false });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    process.stderr.write(part);
    complaint = (complaint + part).slice(-2000);
  });
  const asked: NodeJS.Signals[] = [];
  const forward = (signal: NodeJS.Signals): void => {
    asked.push(signal);
    child.kill(signal);
  };
  process.on('SIGINT', forward).on('SIGTERM', forward);
  const code = await new Promise<number | null>((resolve) =>
    child.once('error', () => resolve(null)).once('close', resolve),
  );
  process.off('SIGINT', forward).off('SIGTERM', forward);
  if (asked.length > 0 || code === 0) return { opened: true, exitCode: 0 };
  if (Date.now() - startedAtMs < openingMs)
    return { opened: false, reason: `Electron could not open its window (${firstLine(complaint)})` };
  return { opened: true, exitCode: 1 };
}
