/**
 * What `npm test` runs: type check, lint, build of the page, then the tests folder by folder, each stage timed, stopping at
 * the first stage that fails. `npm test -- unit/store` runs only the test files whose path contains the filter.
 * Knows the order and the commands, nothing of what is tested. Invariants: every test process is kept on loopback by
 * network-guard.ts; settings of the caller (WAGGLE_*) do not reach the tests; a folder without tests is a failure.
 */
import { resolve } from 'node:path';
import { findTestFiles, runTestFolder } from './run/test-folders.ts';
import type { FolderResult } from './run/test-folders.ts';
import { runTools } from './run/tools.ts';
import type { Tool } from './run/tools.ts';
import { requireChromium } from './run/chromium.ts';

interface ToolStage {
  name: string;
  tools: Tool[];
}

const cache = '.cache';
const eslintCache = `${cache}/eslint/`;
const prettierCache = `${cache}/prettier`;

const typeCheck: ToolStage = {
  name: 'Type check',
  tools: [
    { name: 'tsc', script: 'typescript/bin/tsc', args: ['-b'] },
    {
      name: 'svelte-check',
      script: 'svelte-check/bin/svelte-check',
      args: ['--tsconfig', 'src-renderer/tsconfig.json', '--output', 'human', '--fail-on-warnings'],
    },
  ],
};
const lint: ToolStage = {
  name: 'Lint',
  tools: [
    {
      name: 'eslint',
      script: 'eslint/bin/eslint.js',
      args: [
        '--config',
        '.config/eslint.config.js',
        '--cache',
        '--cache-location',
        eslintCache,
        '--max-warnings',
        '0',
        '.',
      ],
    },
    {
      name: 'prettier',
      script: 'prettier/bin/prettier.cjs',
      args: ['--check', '--log-level', 'warn', '--cache', '--cache-location', prettierCache, '.'],
    },
    { name: 'knip', script: 'knip/bin/knip.js', args: ['--config', '.config/knip.json', '--no-progress'] },
  ],
};
const build: ToolStage = {
  name: 'Build of the page',
  tools: [
    {
      name: 'vite',
      script: 'vite/bin/vite.js',
      args: ['build', '--config', 'src-renderer/vite.config.ts', '--logLevel', 'warn'],
    },
  ],
};

/** Test folders in order: cheap ones first. `concurrency` is in files; what measures time or fills memory runs alone. */
const folders = [
  { name: 'unit', concurrency: 2, timeoutMs: 180_000, needsPage: false },
  { name: 'golden', concurrency: 2, timeoutMs: 180_000, needsPage: false },
  { name: 'property', concurrency: 2, timeoutMs: 180_000, needsPage: false },
  { name: 'swarm', concurrency: 2, timeoutMs: 180_000, needsPage: false },
  { name: 'renderer', concurrency: 2, timeoutMs: 300_000, needsPage: true },
  { name: 'learning', concurrency: 2, timeoutMs: 900_000, needsPage: false },
  { name: 'e2e', concurrency: 1, timeoutMs: 600_000, needsPage: true },
] as const;

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

class StageFailed extends Error {}

async function stage(name: string, work: () => Promise<string>): Promise<void> {
  const startedAt = performance.now();
  process.stdout.write(`\n${name}\n`);
  try {
    const outcome = await work();
    process.stdout.write(`  ok: ${outcome} (${seconds(performance.now() - startedAt)})\n`);
  } catch (error) {
    process.stdout.write(`  FAILED after ${seconds(performance.now() - startedAt)}: ${(error as Error).message}\n`);
    throw new StageFailed(name, { cause: error });
  }
}

function toolStage({ name, tools }: ToolStage): Promise<void> {
  return stage(name, async () => {
    const failed = await runTools(tools);
    if (failed.length > 0) throw new Error(`${failed.join(', ')} found faults, see above`);
    return tools.map((tool) => tool.name).join(', ');
  });
}

const totals: FolderResult = { passed: 0, failed: 0, skipped: [] };

function testStage(folder: (typeof folders)[number], files: string[]): Promise<void> {
  return stage(`Tests: ${folder.name} (${String(files.length)} files)`, async () => {
    const result = await runTestFolder(files, folder);
    totals.passed += result.passed;
    totals.failed += result.failed;
    totals.skipped.push(...result.skipped);
    if (result.failed > 0)
      throw new Error(`${String(result.failed)} of ${String(result.passed + result.failed)} tests failed`);
    if (result.passed === 0) throw new Error(`there is no test in test/${folder.name}`);
    return `${String(result.passed)} passed`;
  });
}

function isolateEnvironment(): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('WAGGLE_') && name !== 'WAGGLE_CHROMIUM') Reflect.deleteProperty(process.env, name);
  }
}

async function runAll(filter: string | undefined): Promise<void> {
  const chosen = folders
    .map((folder) => ({ folder, files: findTestFiles(folder.name, filter) }))
    .filter(({ files }) => filter === undefined || files.length > 0);
  if (chosen.length === 0) {
    const names = folders.map(({ name }) => name).join(', ');
    throw new Error(`No test file under test/ matches "${filter ?? ''}". The folders are ${names}.`);
  }
  const needsPage = chosen.some(({ folder }) => folder.needsPage);
  if (needsPage) await stage('Chromium', requireChromium);
  if (filter === undefined) {
    await toolStage(typeCheck);
    await toolStage(lint);
  }
  if (needsPage) await toolStage(build);
  for (const { folder, files } of chosen) await testStage(folder, files);
}

const startedAt = performance.now();
process.chdir(new URL('..', import.meta.url).pathname);
isolateEnvironment();
// Hundreds of processes load the same TypeScript files: each is stripped and compiled once.
process.env['NODE_COMPILE_CACHE'] ??= resolve(cache, 'compile');
let failure: unknown = null;
try {
  await runAll(process.argv[2]);
} catch (error) {
  failure = error;
  if (!(error instanceof StageFailed)) process.stdout.write(`${(error as Error).message}\n`);
}
if (totals.skipped.length > 0)
  process.stdout.write(`\nSkipped:\n${totals.skipped.map((name) => `  ${name}\n`).join('')}`);
const stopped = failure instanceof StageFailed ? `, stopped at: ${failure.message}` : '';
process.stdout.write(
  `\n${String(totals.passed)} passed, ${String(totals.failed)} failed, ${String(totals.skipped.length)} skipped ` +
    `in ${seconds(performance.now() - startedAt)}${stopped}\n`,
);
process.exitCode = failure === null ? 0 : 1;
