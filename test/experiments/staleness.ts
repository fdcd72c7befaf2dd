/**
 * Experiment: does an objective still learn from rollouts that are K rounds old? The bundled policy trains on what its own past self
 * wrote K rounds ago, under each objective, through the real compute process; everything else is the same.
 *
 * Claim (arXiv 2606.03070): the naive objective collapses on stale rollouts, because by then worse answers are less likely
 * than better ones and their loss terms outweigh; ASymPO (and, with a fixed factor, SPO) stays near a
 * behaviour-corrected GRPO without knowing any behaviour log-probabilities.
 *
 * Seeded and resumable: finished cells are kept in the folder. Writes staleness.json, staleness.svg (final reward over K),
 * staleness-balance.svg (the scale imbalance itself).
 * `node test/experiments/staleness.ts --rounds 200 --seeds 1,2 --ages 0,16,32,64,128`
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { configSchema } from '../../src-main/config/schema.ts';
import { describeMachine } from '../bench/machine.ts';
import { runCells, spread, type Cell } from './cells.ts';
import { starterSet } from './lab/round-tasks.ts';
import { runStalenessCell, type StalenessCurves } from './lab/staleness-cell.ts';
import { summariseCurve, windowMeans } from './lab/summary.ts';
import { subjects, type SubjectName } from './lab/subjects.ts';
import { TrainedPolicy } from './lab/trained-policy.ts';
import { lineChart } from './line-chart.ts';

const WINDOW_ROUNDS = 20;

interface Settings {
  subject: SubjectName;
  staleness: number;
  rounds: number;
  learningRate: number;
  promptsPerRound: number;
}

const numbers = (text: string): number[] => text.split(',').map(Number);
const options = new Command('staleness')
  .option('--folder <path>', 'where results go, and are found again', '.cache/experiments/staleness')
  .option('--rounds <number>', 'rounds of each cell', Number, 200)
  .option('--seeds <list>', 'seeds, comma-separated', numbers, [1, 2, 3])
  .option('--ages <list>', 'K, comma-separated', numbers, [0, 16, 32, 64, 128])
  .option('--prompts <number>', 'tasks of each round, 8 answers each', Number, 4)
  .option('--learning-rate <number>', 'of every cell', Number, 4e-4)
  .option('--parallel <number>', 'cells at a time, one thread each', Number, availableParallelism())
  .parse()
  .opts<{
    folder: string;
    rounds: number;
    seeds: number[];
    ages: number[];
    prompts: number;
    learningRate: number;
    parallel: number;
  }>();

const names = Object.keys(subjects) as SubjectName[];
const cells = options.seeds.flatMap((seed) =>
  options.ages.flatMap((staleness) =>
    names.map((subject): Cell<Settings> => {
      const { rounds, learningRate, prompts: promptsPerRound } = options;
      const settings = { subject, staleness, rounds, learningRate, promptsPerRound };
      return { arm: `${subject} K=${staleness}`, seed, settings };
    }),
  ),
);

async function measure({ settings, seed }: Cell<Settings>): Promise<StalenessCurves> {
  const { learningRate, promptsPerRound } = settings;
  const config = configSchema.parse({ learningRate, promptsPerRound });
  const policy = await TrainedPolicy.open({ config, threads: 1 });
  try {
    return await runStalenessCell(policy, { ...settings, seed, tasks: starterSet(), config });
  } finally {
    await policy.close();
  }
}

const results = await runCells(options.folder, cells, measure, console.log, options.parallel);

const rows = names.flatMap((subject) =>
  options.ages.map((staleness) => {
    const own = results.filter(({ settings }) => settings.subject === subject && settings.staleness === staleness);
    const curves = own.map(({ result }) => summariseCurve(result.reward, WINDOW_ROUNDS));
    const balance = own.map(({ result }) => windowMeans(result.balance, WINDOW_ROUNDS).at(-1)!);
    return {
      subject,
      staleness,
      first: spread(curves.map(({ first }) => first)),
      peak: spread(curves.map(({ peak }) => peak)),
      last: spread(curves.map(({ last }) => last)),
      balance: spread(balance),
    };
  }),
);

function chart(title: string, yLabel: string, value: 'last' | 'balance'): string {
  return lineChart({
    title,
    xLabel: 'age of the trained rollouts (rounds)',
    yLabel,
    lines: names.map((name) => {
      const own = rows.filter(({ subject }) => subject === name);
      return {
        name,
        x: own.map(({ staleness }) => staleness),
        y: own.map((row) => row[value].mean),
        ...(options.seeds.length > 1 ? { band: own.map((row) => row[value].deviation) } : {}),
      };
    }),
  });
}
const count = `${options.seeds.length} seed${options.seeds.length === 1 ? '' : 's'}`;
const summary = { machine: describeMachine(), ...options, folder: undefined, windowRounds: WINDOW_ROUNDS, rows };
await writeFile(join(options.folder, 'staleness.json'), `${JSON.stringify(summary, null, 1)}\n`);
await writeFile(
  join(options.folder, 'staleness.svg'),
  chart('Training on rollouts that are K rounds old', `reward, last ${WINDOW_ROUNDS} rounds (${count})`, 'last'),
);
await writeFile(
  join(options.folder, 'staleness-balance.svg'),
  chart('Weight of worse answers over that of better ones', `realised balance (${count})`, 'balance'),
);
console.table(
  rows.map(({ subject, staleness, first, peak, last, balance }) => ({
    subject,
    K: staleness,
    first: first.mean.toFixed(3),
    peak: peak.mean.toFixed(3),
    last: last.mean.toFixed(3),
    'sd over seeds': last.deviation.toFixed(3),
    'lost from peak': `${(100 * (1 - last.mean / peak.mean)).toFixed(0)} %`,
    balance: balance.mean.toFixed(2),
  })),
);
console.log(`Written: ${join(options.folder, 'staleness.json')}, staleness.svg and staleness-balance.svg`);
