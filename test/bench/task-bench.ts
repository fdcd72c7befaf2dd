/**
 * How long each task generator takes to make an instance and to verify its answer and a wrong one, at each of its levels and
 * at the costliest config that a stranger may name, in milliseconds. Each is done three times and the shortest counts, so that
 * other work on the machine hardly shows. At the levels 99 of 100 must stay below 5 ms, and everything below 100 ms.
 */
import { listGenerators } from '../../src-main/tasks/registry.ts';
import { instantiate } from '../../src-main/tasks/task-ref.ts';
import type { TaskGenerator, TaskLevel } from '../../src-main/tasks/task.ts';

const AIM_P99_MS = 5;
const AIM_MAX_MS = 100;
const WARM_UP = 50;
const COSTLIEST = 'costliest';

/** Where the costliest config is not simply the hardest level. */
const COSTLIEST_CONFIGS: Readonly<Record<string, TaskLevel['config']>> = {
  arc_1d: { min_size: 100, max_size: 100, num_train: 10 },
  basic_arithmetic: { min_terms: 30, max_terms: 30, max_digits: 5, allow_parentheses: false, operators: ['*', '/'] },
  binary_alternation: { min_n: 1000, max_n: 1000 },
  binary_matrix: { min_n: 100, max_n: 100 },
  bitwise_arithmetic: { difficulty: 10 },
  decimal_arithmetic: { max_num_decimal_places: 12, min_terms: 20, max_terms: 20, precision: 50 },
  decimal_chain_sum: { min_terms: 50, max_terms: 50, max_digits: 12, max_decimal_places: 12 },
  letter_counting: { min_words: 200, max_words: 200 },
  number_sorting: { min_numbers: 1000, max_numbers: 1000, min_decimals: 8, max_decimals: 8 },
  prime_factorization: { min_value: 9_999_999_000, max_value: 10_000_000_000 },
  propositional_logic: {
    min_vars: 11,
    max_vars: 11,
    min_statements: 12,
    max_statements: 12,
    min_complexity: 6,
    max_complexity: 6,
  },
};

interface TaskTiming {
  task: string;
  level: string;
  count: number;
  generateMs: Spread;
  verifyMs: Spread;
}

interface Spread {
  p50: number;
  p99: number;
  max: number;
}

function spreadOf(samples: number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1)! };
}

function timed<T>(samples: number[], work: () => T): T {
  let shortest = Infinity;
  let result: T;
  let repetition = 0;
  do {
    const start = performance.now();
    result = work();
    shortest = Math.min(shortest, performance.now() - start);
  } while (++repetition < 3);
  samples.push(shortest);
  return result;
}

function timeLevel(generator: TaskGenerator, level: TaskLevel, count: number): TaskTiming {
  const generate: number[] = [];
  const verify: number[] = [];
  const { name, version } = generator;
  for (let index = -WARM_UP; index < count; index++) {
    const [generated, verified] = index < 0 ? [[], []] : [generate, verify];
    const ref = { generator: name, version, config: level.config, seed: '20250919', index: index + WARM_UP };
    const made = timed(generated, () => instantiate(ref));
    if (!made.ok) continue;
    timed(verified, () => {
      generator.verify(made.instance.answer, made.instance);
      generator.verify(`${made.instance.answer} 1`, made.instance);
    });
  }
  return { task: name, level: level.name, count, generateMs: spreadOf(generate), verifyMs: spreadOf(verify) };
}

function tableOf(rows: readonly TaskTiming[]): string {
  const figures = ({ p50, p99, max }: Spread): string[] => [p50, p99, max].map((ms) => ms.toFixed(3));
  const lines = [
    ['task', 'level', 'make p50', 'p99', 'max', 'verify p50', 'p99', 'max'],
    ...rows.map((row) => [row.task, row.level, ...figures(row.generateMs), ...figures(row.verifyMs)]),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const pad = (cell: string, column: number): string =>
    column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

export interface TaskFigures {
  rows: TaskTiming[];
  /** `p99` over the levels, `max` over the costliest configs too, ms. */
  worst: { p99: number; max: number };
  isWithinAims: boolean;
}

/** `count`: instances per level; a fifth of it at the costliest config. Takes some 20 s at 500. */
export function measureTasks(count: number): TaskFigures {
  const rows = listGenerators().flatMap((generator) => {
    const config = COSTLIEST_CONFIGS[generator.name];
    const levels = config ? [...generator.levels, { name: COSTLIEST, config }] : generator.levels;
    return levels.map((level) => timeLevel(generator, level, level.name === COSTLIEST ? Math.ceil(count / 5) : count));
  });
  const spreads = (of: readonly TaskTiming[]): Spread[] =>
    of.flatMap(({ generateMs, verifyMs }) => [generateMs, verifyMs]);
  const worst = {
    p99: Math.max(...spreads(rows.filter(({ level }) => level !== COSTLIEST)).map(({ p99 }) => p99)),
    max: Math.max(...spreads(rows).map(({ max }) => max)),
  };
  return { rows, worst, isWithinAims: worst.p99 < AIM_P99_MS && worst.max < AIM_MAX_MS };
}

export function renderTasks({ rows, worst, isWithinAims }: TaskFigures): string {
  const aims = `aims: p99 at the levels below ${AIM_P99_MS} ms, max below ${AIM_MAX_MS} ms`;
  const summary = `worst p99 ${worst.p99.toFixed(3)} ms, worst max ${worst.max.toFixed(3)} ms (${aims}: ${isWithinAims ? 'met' : 'missed'})`;
  return `milliseconds per instance\n\n${tableOf(rows)}\n\n${summary}`;
}
