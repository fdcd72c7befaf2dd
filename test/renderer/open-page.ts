/**
 * Starts what a renderer test needs: the built bundle, a fake node, one Chromium for the file. Everything is closed by the test's
 * own clean-up. Builds the bundle first when a source file is newer than it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { FakeNode } from './fake-node.ts';
import { launchChromium } from './find-chromium.ts';
import type { ScenarioName } from './scenarios.ts';

const root = join(import.meta.dirname, '..', '..');
const source = join(root, 'src-renderer');
const built = join(root, 'dist', 'renderer', 'index.html');

function newestSourceMs(): number {
  const times = readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs);
  return Math.max(...times);
}

/** Throws when the build fails, with what it said. */
export function buildWhenStale(): void {
  if (existsSync(built) && statSync(built).mtimeMs >= newestSourceMs()) return;
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  const run = spawnSync(process.execPath, [vite, 'build', '--config', 'src-renderer/vite.config.ts'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(`The renderer does not build:\n${run.stdout}\n${run.stderr}`);
}

/** Nothing here waits a fixed time, so patience costs nothing on an idle machine and saves a busy one. */
export const patienceMs = 60_000;

let browser: Promise<Browser> | null = null;
after(async () => {
  if (browser) await (await browser).close();
});

export interface Opened {
  page: Page;
  node: FakeNode;
  /** Uncaught errors, and refusals of the content security policy. */
  errors: string[];
}

export interface Look {
  view?: string;
  scheme?: 'light' | 'dark';
  width?: number;
  height?: number;
  motion?: 'reduce' | 'no-preference';
}

export async function openPage(t: TestContext, scenario: ScenarioName, look: Look = {}): Promise<Opened> {
  buildWhenStale();
  browser ??= launchChromium();
  const node = new FakeNode(scenario);
  await node.start();
  t.after(() => node.stop());
  const context = await (
    await browser
  ).newContext({
    viewport: { width: look.width ?? 1280, height: look.height ?? 900 },
    colorScheme: look.scheme ?? 'light',
    reducedMotion: look.motion ?? 'reduce',
  });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(patienceMs);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) errors.push(message.text());
  });
  await page.goto(`${node.url}#/${look.view ?? 'home'}`);
  return { page, node, errors };
}

/** Repeats until the check passes; throws its last failure after the time is up. */
export async function eventually(check: () => void | Promise<void>, timeoutMs = patienceMs): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
