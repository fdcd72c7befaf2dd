/**
 * The table of SAPO (arXiv 2509.08721, table 1) in miniature: a swarm of nodes with the bundled policy, the same number of
 * trained groups per round, of which 0, 2, 4 or 6 of 8 come from peers. Real nodes, real swarm code, a local DHT, CPU.
 * Cumulative reward = sum over rounds and nodes of the mean reward of own answers, as in the paper.
 *
 * The paper's claim: 8/0 561.79, 6/2 854.43 (+52 %), 4/4 1093.31 (+95 %), 2/6 945.87 (+68 %), and its authors name a confound:
 * peers' groups are filtered for advantage, the baseline's own are not. Hence the arm `8/0 refilled`, which draws twice the
 * prompts so that eight useful groups of its own can be found; it pays for that with twice the generated tokens.
 *
 * Resumable: `npm run experiment:sapo -- --nodes 8 --rounds 100 --seeds 1,2,3`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { trainNodes } from '../learning/train-nodes.ts';
import { grid, runCells, spread, type CellResult } from './cells.ts';
import { lineChart } from './line-chart.ts';

interface SapoOptions {
  folder: string;
  nodes: number;
  rounds: number;
  seeds: number[];
}
interface Arm {
  nodes: number;
  rounds: number;
  ownGroups: number;
  peerGroups: number;
  promptsPerRound: number;
  groupSize: number;
}
interface Outcome {
  /** Mean reward of own answers per round, averaged over nodes. */
  rewards: number[];
  /** Over rounds and nodes. */
  cumulative: number;
  adoptedPerNodeRound: number;
  generatedTokens: number;
}

const numbers = (text: string): number[] => text.split(',').map(Number);
const { folder, nodes, rounds, seeds } = new Command('sapo')
  .option('--folder <path>', 'where results go, and are found again', '.cache/experiments/sapo')
  .option('--nodes <number>', 'size of the swarm', Number, 8)
  .option('--rounds <number>', 'rounds of each node', Number, 100)
  .option('--seeds <list>', 'seeds, comma-separated', numbers, [1, 2, 3])
  .parse()
  .opts<SapoOptions>();

const mix = (ownGroups: number, peerGroups: number, promptsPerRound = 8): Arm => ({
  nodes,
  rounds,
  ownGroups,
  peerGroups,
  promptsPerRound,
  groupSize: 8,
});
const BASELINE = '8/0';
const arms: Record<string, Arm> = {
  [BASELINE]: mix(8, 0),
  '6/2': mix(6, 2),
  '4/4': mix(4, 4),
  '2/6': mix(2, 6),
  '8/0 refilled': mix(8, 0, 16),
};

async function runSwarm({ settings, seed }: { settings: Arm; seed: number }): Promise<Outcome> {
  const { nodes: count, rounds: length, ...config } = settings;
  const trained = await trainNodes({
    nodes: count,
    rounds: length,
    seed: seed * 1000,
    settings: { ...config, cpuThreads: 1, sharedGroupsPerRound: config.promptsPerRound },
  });
  const rewards = Array.from(
    { length },
    (_, round) => trained.reduce((sum, node) => sum + (node.rounds[round]?.metrics.ownReward ?? 0), 0) / count,
  );
  return {
    rewards,
    cumulative: rewards.reduce((sum, reward) => sum + reward, 0) * count,
    adoptedPerNodeRound: trained.reduce((sum, node) => sum + node.groupsAdopted, 0) / (count * length),
    generatedTokens: trained
      .flatMap((node) => node.rounds)
      .reduce(
        (sum, { metrics }) => sum + (metrics.completionTokens ?? 0) * config.promptsPerRound * config.groupSize,
        0,
      ),
  };
}

const results = await runCells(folder, grid(arms, seeds), runSwarm);
const of = (arm: string): CellResult<Arm, Outcome>[] => results.filter((cell) => cell.arm === arm);
const baseline = spread(of(BASELINE).map(({ result }) => result.cumulative)).mean;
const table = Object.keys(arms).map((arm) => {
  const outcomes = of(arm).map(({ result }) => result);
  const { mean, deviation } = spread(outcomes.map(({ cumulative }) => cumulative));
  return {
    arm,
    cumulative: mean,
    deviation,
    ratio: mean / baseline,
    adoptedPerNodeRound: spread(outcomes.map(({ adoptedPerNodeRound }) => adoptedPerNodeRound)).mean,
    generatedTokens: spread(outcomes.map(({ generatedTokens }) => generatedTokens)).mean,
  };
});
await writeFile(join(folder, 'sapo.json'), `${JSON.stringify({ nodes, rounds, seeds, table }, null, 1)}\n`);

const WINDOW = Math.max(1, Math.floor(rounds / 20));
await writeFile(
  join(folder, 'sapo.svg'),
  lineChart({
    title: `${nodes} nodes, own/peers' groups per round`,
    xLabel: 'round',
    yLabel: `reward (mean of ${WINDOW} rounds, ${seeds.length} seeds)`,
    lines: Object.keys(arms).map((arm) => {
      const windows = Array.from({ length: Math.floor(rounds / WINDOW) }, (_, w) =>
        spread(
          of(arm).map(
            ({ result }) =>
              result.rewards.slice(w * WINDOW, (w + 1) * WINDOW).reduce((sum, reward) => sum + reward, 0) / WINDOW,
          ),
        ),
      );
      return {
        name: arm,
        x: windows.map((_, w) => (w + 0.5) * WINDOW),
        y: windows.map((window) => window.mean),
        ...(seeds.length > 1 ? { band: windows.map((window) => window.deviation) } : {}),
      };
    }),
  }),
);
console.table(
  Object.fromEntries(
    table.map(({ arm, cumulative, deviation, ratio, adoptedPerNodeRound, generatedTokens }) => [
      arm,
      {
        'cumulative reward': cumulative.toFixed(1),
        'sd over seeds': deviation.toFixed(1),
        'ratio to 8/0': ratio.toFixed(3),
        'adopted per node and round': adoptedPerNodeRound.toFixed(2),
        'tokens generated': Math.round(generatedTokens),
      },
    ]),
  ),
);
