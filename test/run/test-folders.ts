/**
 * Finds the test files of a folder and runs them with node:test, a process a file, under the network guard. Prints
 * failures with their error and what the file wrote to stderr, and files that took long; says nothing of the rest.
 */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

export interface FolderResult {
  passed: number;
  failed: number;
  /** Names of tests that were skipped or are to do, with the reason where one is given. */
  skipped: string[];
}

export interface FolderOptions {
  concurrency: number;
  timeoutMs: number;
}

const testRoot = fileURLToPath(new URL('..', import.meta.url));
const guardFlag = `--import=${JSON.stringify(join(testRoot, 'network-guard.ts'))}`;
const slowFileMs = 5000;
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

/** Runs the files; never throws for a failing test. */
export async function runTestFolder(files: string[], options: FolderOptions): Promise<FolderResult> {
  const result: FolderResult = { passed: 0, failed: 0, skipped: [] };
  if (files.length === 0) return result;
  process.env['NODE_OPTIONS'] = guardFlag;
  const stderr = new Map<string, string>();
  const failedFiles = new Set<string>();
  const stream = run({ files, concurrency: options.concurrency, timeout: options.timeoutMs });
  stream.on('test:stderr', (event: { file: string; message: string }) => {
    stderr.set(event.file, ((stderr.get(event.file) ?? '') + event.message).slice(-maxShownOutput));
  });
  stream.on('test:fail', (event) => {
    const error = event.details.error as Error & { failureType?: string };
    // A parent of failed tests fails too, and says no more than they did.
    if (error.failureType === 'subtestsFailed') return;
    const where = event.file === undefined ? '' : ` (${relative(testRoot, event.file)}:${String(event.line ?? 0)})`;
    if (event.file !== undefined) failedFiles.add(event.file);
    process.stdout.write(`  ✖ ${event.name}${where}\n${indent(inspect(error.cause ?? error, { depth: 4 }))}\n`);
  });
  stream.on('test:pass', (event) => {
    const why = event.skip ?? event.todo;
    if (why !== undefined && why !== false)
      result.skipped.push(typeof why === 'string' ? `${event.name}: ${why}` : event.name);
  });
  stream.on('test:summary', (summary) => {
    if (summary.file === undefined) {
      // Cancelled ones (timed out, or left pending) have failed as well.
      const { tests, passed, skipped, todo } = summary.counts;
      result.passed = passed;
      result.failed = tests - passed - skipped - todo;
      if (!summary.success && result.failed === 0) result.failed = 1;
    } else if (summary.duration_ms > slowFileMs) {
      process.stdout.write(`    ${relative(testRoot, summary.file)} ${(summary.duration_ms / 1000).toFixed(1)} s\n`);
    }
  });
  // Reading the stream to its end is what drives it.
  stream.resume();
  await finished(stream);
  delete process.env['NODE_OPTIONS'];
  for (const file of failedFiles) {
    const output = stderr.get(file);
    if (output) process.stdout.write(`  stderr of ${relative(testRoot, file)}:\n${indent(output)}\n`);
  }
  return result;
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '      ');
}
