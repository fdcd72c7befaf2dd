/**
 * What `npm test` runs: type check and build of the page, then lint and the tests folder by folder, side by side, each stage
 * timed, stopping early when one fails. `npm test -- unit/store` runs only the test files whose path contains the filter.
 * Knows the order and the commands, nothing of what is tested. Invariants: every test process is kept on loopback by
 * network-guard.ts; settings of the caller (WAGGLE_*) do not reach the tests; a folder without tests is a failure.
 */
import { resolve } from 'node:path';
import { findChromium } from './renderer/find-chromium.ts';
import { runLanes } from './run/lanes.ts';
import type { Lane, Stage } from './run/lanes.ts';
import { findTestFiles, runTestFile } from './run/test-files.ts';
import { runTool } from './run/tools.ts';
import type { Tool } from './run/tools.ts';

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

type Folder = 'golden' | 'property' | 'unit' | 'renderer' | 'learning' | 'swarm' | 'e2e';

/**
 * Test folders by lane, cheap ones first. What computes has one place a core. What mostly waits for timers and peers runs
 * beside it; of the end-to-end tests one at a time, for one is several nodes and a browser. Lint has a lane of its own, too.
 */
const lanes: readonly { places: number; folders: readonly Folder[] }[] = [
  { places: 2, folders: ['golden', 'property', 'unit', 'renderer', 'learning'] },
  { places: 2, folders: ['swarm'] },
  { places: 1, folders: ['e2e'] },
];
const minute = 60_000;
/** Of a file; several times what it takes on a machine that does nothing else. */
const timeoutMs: Record<Folder, number> = {
  golden: 5 * minute,
  property: 5 * minute,
  unit: 10 * minute,
  renderer: 10 * minute,
  learning: 15 * minute,
  swarm: 10 * minute,
  e2e: 10 * minute,
};
const needsPage: readonly Folder[] = ['renderer', 'e2e'];
/** The longest last. */
const longFiles: readonly string[] = [
  'renderer/swarm.test.ts',
  'unit/runtime/provider-trial.test.ts',
  'learning/bridge.test.ts',
  'unit/compute/on-card.test.ts',
  'renderer/access.test.ts',
  'renderer/access-views.test.ts',
  'learning/foreign-mix.test.ts',
  'learning/staleness.test.ts',
  'learning/sapo.test.ts',
  'unit/runtime/webgpu.test.ts',
  'learning/learning.test.ts',
];

const totals = { passed: 0, failed: 0, skipped: [] as string[] };

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

function toolStage({ name, tools }: ToolStage): Stage {
  const faulty: string[] = [];
  const jobs = tools.map((tool) => ({
    length: 0,
    run: async () => {
      const fine = await runTool(tool);
      if (!fine) faulty.push(tool.name);
      return fine;
    },
  }));
  const names = tools.map((tool) => tool.name).join(', ');
  return { name, jobs, outcome: () => (faulty.length > 0 ? `${faulty.join(', ')} found faults, see above` : names) };
}

function testStage(folder: Folder, files: readonly string[]): Stage {
  let [passed, failed, left] = [0, 0, files.length];
  const jobs = files.map((file) => ({
    length: 1 + longFiles.findIndex((long) => file.endsWith(`/test/${long}`)),
    run: async () => {
      const result = await runTestFile(file, timeoutMs[folder]);
      passed += result.passed;
      failed += result.failed;
      totals.passed += result.passed;
      totals.failed += result.failed;
      totals.skipped.push(...result.skipped);
      left--;
      return result.failed === 0 && (left > 0 || passed > 0);
    },
  }));
  const outcome = () =>
    failed > 0 ? `${failed} of ${passed + failed} tests failed` : passed > 0 ? `${passed} passed` : 'no test was run';
  return { name: `Tests: ${folder} (${files.length} files)`, jobs, outcome };
}

function isolateEnvironment(): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('WAGGLE_') && name !== 'WAGGLE_CHROMIUM') Reflect.deleteProperty(process.env, name);
  }
}

class StageFailed extends Error {}

async function sideBySide(title: string, wanted: readonly Lane[]): Promise<void> {
  process.stdout.write(`\n${title}\n`);
  const failed = await runLanes(wanted);
  if (failed.length > 0) throw new StageFailed(failed.join(', '));
}

async function runAll(filter: string | undefined): Promise<void> {
  const chosen = lanes
    .map(({ places, folders }) => ({
      places,
      folders: folders
        .map((name) => ({ name, files: findTestFiles(name, filter) }))
        .filter(({ files }) => filter === undefined || files.length > 0),
    }))
    .filter(({ folders }) => folders.length > 0);
  const wanted = chosen.flatMap(({ folders }) => folders);
  if (wanted.length === 0) {
    const names = lanes.flatMap(({ folders }) => folders).join(', ');
    throw new Error(`No test file under test/ matches "${filter ?? ''}". The folders are ${names}.`);
  }
  const empty = wanted.find(({ files }) => files.length === 0);
  if (empty) throw new Error(`There is no test in test/${empty.name}.`);
  const page = wanted.some(({ name }) => needsPage.includes(name));
  // Minutes of other tests are no use to somebody who lacks a browser for the last.
  if (page) process.stdout.write(`Chromium: ${findChromium()}\n`);

  const first = [...(filter === undefined ? [typeCheck] : []), ...(page ? [build] : [])].map(toolStage);
  if (first.length > 0) await sideBySide(first.map(({ name }) => name).join(', '), [{ places: 2, stages: first }]);
  const testLanes = chosen.map(({ places, folders }) => ({
    places,
    stages: folders.map(({ name, files }) => testStage(name, files)),
  }));
  if (filter !== undefined) await sideBySide('Tests', testLanes);
  else await sideBySide('Lint and tests', [{ places: 1, stages: [toolStage(lint)] }, ...testLanes]);
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
