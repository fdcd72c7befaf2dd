/**
 * The grid of an experiment: one cell per arm and seed, each written to a JSON file of its own as soon as it is done, so that an
 * interrupted experiment goes on where it stopped. Knows nothing of what a cell measures.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Cell<Settings> {
  arm: string;
  seed: number;
  settings: Settings;
}
/** What a cell gave, with what it was made from; a file made from other settings is measured again. */
export interface CellResult<Settings, Result> extends Cell<Settings> {
  seconds: number;
  result: Result;
}

/** Every arm with every seed, seeds outermost: after the first seed there is already a whole, if noisy, picture. */
export function grid<Settings>(arms: Record<string, Settings>, seeds: readonly number[]): Cell<Settings>[] {
  return seeds.flatMap((seed) => Object.entries(arms).map(([arm, settings]) => ({ arm, seed, settings })));
}

/**
 * Runs the cells that `folder` does not have yet, `parallel` at a time, in their order; returns all, in the order of `cells`.
 * The first cell that fails ends the run once those in progress are done; what is done stays.
 */
export async function runCells<Settings, Result>(
  folder: string,
  cells: readonly Cell<Settings>[],
  measure: (cell: Cell<Settings>) => Promise<Result>,
  say: (text: string) => void = console.log,
  parallel = 1,
): Promise<CellResult<Settings, Result>[]> {
  await mkdir(folder, { recursive: true });
  const results: CellResult<Settings, Result>[] = [];
  let next = 0;
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    while (next < cells.length && failures.length === 0) {
      const at = next++;
      results[at] = await runCell(folder, cells[at]!, measure, (news) => say(`${at + 1}/${cells.length} ${news}`));
    }
  };
  const workers = Array.from({ length: Math.max(1, parallel) }, () =>
    worker().catch((error: unknown) => failures.push(error)),
  );
  await Promise.all(workers);
  if (failures.length > 0) throw failures[0];
  return results;
}

async function runCell<Settings, Result>(
  folder: string,
  cell: Cell<Settings>,
  measure: (cell: Cell<Settings>) => Promise<Result>,
  say: (text: string) => void,
): Promise<CellResult<Settings, Result>> {
  const file = join(folder, `${cell.arm.replaceAll(/[^\w.-]+/g, '-')}-seed${cell.seed}.json`);
  const kept = await readCell<Settings, Result>(file, cell);
  const label = `${cell.arm}, seed ${cell.seed}`;
  if (kept) {
    say(`${label}: kept from an earlier run`);
    return kept;
  }
  const startedMs = performance.now();
  const result = await measure(cell);
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  const done = { ...cell, seconds, result };
  await writeFile(`${file}.new`, `${JSON.stringify(done)}\n`);
  await rename(`${file}.new`, file);
  say(`${label}: ${seconds} s`);
  return done;
}

async function readCell<Settings, Result>(
  file: string,
  cell: Cell<Settings>,
): Promise<CellResult<Settings, Result> | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return null;
  const kept = JSON.parse(text) as CellResult<Settings, Result>;
  return JSON.stringify(kept.settings) === JSON.stringify(cell.settings) && kept.seed === cell.seed ? kept : null;
}

/** Mean and sample standard deviation (NaN for one value) of the same quantity over seeds. */
export function spread(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}
