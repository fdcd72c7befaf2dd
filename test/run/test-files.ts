/**
 * Finds the test files of a folder and runs one of them with node:test, in a process of its own under the network guard.
 * Prints at once what failed, with its error and what the file wrote to stderr, and that a file took long; says nothing of
 * the rest. Does not know what runs beside it: every line names its file.
 */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

export interface FileResult {
  passed: number;
  failed: number;
  /** Names of tests that were skipped or are to do, with the reason where one is given. */
  skipped: string[];
}

const testRoot = fileURLToPath(new URL('..', import.meta.url));
const guardFlag = `--import=${JSON.stringify(join(testRoot, 'network-guard.ts'))}`;
const slowFileMs = 5_000;
const maxShownOutput = 6000;

/** Absolute paths, sorted; with a filter only those whose path below test/ contains it. */
export function findTestFiles(folder: string, filter?: string): string[] {
  const wanted = filter?.replace(/^\.?\/?(test\/)?/, '');
  try {
    return readdirSync(join(testRoot, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((name) => name.endsWith('.test.ts') && (wanted === undefined || name.includes(wanted)))
      .map((name) => join(testRoot, name))
      .sort();
  } catch {
    return [];
  }
}

/** Never throws for a failing test. A file that is not through in time is ended with its process, which the runner's own `timeout` leaves. */
export async function runTestFile(file: string, timeoutMs: number): Promise<FileResult> {
  const result: FileResult = { passed: 0, failed: 0, skipped: [] };
  const name = relative(testRoot, file);
  let stderr = '';
  const signal = AbortSignal.timeout(timeoutMs);
  const stream = run({ files: [file], signal, env: { ...process.env, NODE_OPTIONS: guardFlag } });
  stream.on('test:stderr', (event: { message: string }) => {
    stderr = (stderr + event.message).slice(-maxShownOutput);
  });
  stream.on('test:fail', (event) => {
    const error = event.details.error as Error & { failureType?: string };
    // A parent of failed tests fails too, and says no more than they did.
    if (error.failureType === 'subtestsFailed') return;
    const where = `${name}:${String(event.line ?? 0)}`;
    process.stdout.write(`  ✖ ${event.name} (${where})\n${indent(inspect(error.cause ?? error, { depth: 4 }))}\n`);
  });
  stream.on('test:pass', (event) => {
    const why = event.skip ?? event.todo;
    if (why !== undefined && why !== false)
      result.skipped.push(typeof why === 'string' ? `${event.name}: ${why}` : event.name);
  });
  stream.on('test:summary', (summary) => {
    if (summary.file !== undefined) return;
    // Cancelled ones (timed out, or left pending) have failed as well.
    const { tests, passed, skipped, todo } = summary.counts;
    result.passed = passed;
    result.failed = tests - passed - skipped - todo;
    if (!summary.success && result.failed === 0) result.failed = 1;
    if (summary.duration_ms > slowFileMs)
      process.stdout.write(`    ${name} ${(summary.duration_ms / 1000).toFixed(1)} s\n`);
  });
  // Reading the stream to its end is what drives it.
  stream.resume();
  await finished(stream);
  if (result.failed > 0 && stderr !== '') process.stdout.write(`  stderr of ${name}:\n${indent(stderr)}\n`);
  return result;
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '      ');
}
