/**
 * How fast nodes learn, alone and trading, with the default settings: real nodes, CPU, a local DHT. Per arm the mean reward of
 * own answers over the rounds, mean and standard deviation over seeds, as a table, JSON and SVG. The chart of the README.
 * Resumable: finished cells are kept in the folder. `npm run experiment:learning -- --rounds 200 --seeds 1,2,3 --nodes 1,2`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { trainNodes } from '../learning/train-nodes.ts';
import { grid, runCells, spread } from './cells.ts';
import { lineChart } from './line-chart.ts';

interface LearningOptions {
  folder: string;
  rounds: number;
  seeds: number[];
  nodes: number[];
}
interface Arm {
  nodes: number;
  rounds: number;
}
interface Learned {
  /** Mean reward of each round, averaged over the nodes of the swarm. */
  rewards: number[];
  adoptedPerNode: number;
}

const numbers = (text: string): number[] => text.split(',').map(Number);
const { folder, rounds, seeds, nodes } = new Command('learning')
  .option('--folder <path>', 'where results go, and are found again', '.cache/experiments/learning')
  .option('--rounds <number>', 'rounds of each node', Number, 200)
  .option('--seeds <list>', 'seeds, comma-separated', numbers, [1, 2, 3])
  .option('--nodes <list>', 'swarm sizes, comma-separated', numbers, [1, 2])
  .parse()
  .opts<LearningOptions>();

const arms = Object.fromEntries(
  nodes.map((count): [string, Arm] => [count === 1 ? 'alone' : `${count} nodes trading`, { nodes: count, rounds }]),
);

async function learn({ settings, seed }: { settings: Arm; seed: number }): Promise<Learned> {
  const trained = await trainNodes({ ...settings, seed: seed * 100 });
  const rewards = Array.from({ length: settings.rounds }, (_, round) => {
    const known = trained.map((node) => node.rounds[round]?.metrics.ownReward ?? NaN);
    return known.reduce((sum, reward) => sum + reward, 0) / known.length;
  });
  return { rewards, adoptedPerNode: trained.reduce((sum, node) => sum + node.groupsAdopted, 0) / trained.length };
}

const results = await runCells(folder, grid(arms, seeds), learn);

const WINDOW = Math.max(1, Math.floor(rounds / 20));
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const summary = Object.keys(arms).map((arm) => {
  const cells = results.filter((cell) => cell.arm === arm);
  const windows = Array.from({ length: Math.floor(rounds / WINDOW) }, (_, w) =>
    spread(cells.map(({ result }) => mean(result.rewards.slice(w * WINDOW, (w + 1) * WINDOW)))),
  );
  return {
    arm,
    first: windows[0]!,
    last: windows.at(-1)!,
    adoptedPerNode: mean(cells.map(({ result }) => result.adoptedPerNode)),
    secondsPerRun: mean(cells.map(({ seconds }) => seconds)),
    windows,
  };
});

await writeFile(
  join(folder, 'learning.json'),
  `${JSON.stringify({ rounds, seeds, window: WINDOW, summary }, null, 1)}\n`,
);
await writeFile(
  join(folder, 'learning.svg'),
  lineChart({
    title: 'Mean reward while training the bundled policy',
    xLabel: 'round',
    yLabel: `reward (mean of ${WINDOW} rounds, ${seeds.length} seeds)`,
    lines: summary.map(({ arm, windows }) => ({
      name: arm,
      x: windows.map((_, w) => (w + 0.5) * WINDOW),
      y: windows.map((window) => window.mean),
      ...(seeds.length > 1 ? { band: windows.map((window) => window.deviation) } : {}),
    })),
  }),
);
console.table(
  Object.fromEntries(
    summary.map(({ arm, first, last, adoptedPerNode, secondsPerRun }) => [
      arm,
      {
        [`first ${WINDOW} rounds`]: first.mean.toFixed(3),
        [`last ${WINDOW} rounds`]: last.mean.toFixed(3),
        'sd over seeds': last.deviation.toFixed(3),
        'groups adopted per node': Math.round(adoptedPerNode),
        'seconds per run': Math.round(secondsPerRun),
      },
    ]),
  ),
);
console.log(`Written: ${join(folder, 'learning.json')} and learning.svg`);
