/**
 * The table of SAPO (arXiv 2509.08721, table 1) in miniature: a swarm of nodes with the bundled policy, the same number of
 * trained groups per round, of which 0, 2, 4 or 6 of 8 come from peers. Real nodes, real swarm code, a local DHT, CPU.
 * Cumulative reward = sum over rounds and nodes of the mean reward of own answers, as in the paper.
 *
 * The paper's claim: 8/0 561.79, 6/2 854.43 (+52 %), 4/4 1093.31 (+95 %), 2/6 945.87 (+68 %), and its authors name a confound:
 * peers' groups are filtered for advantage, the baseline's own are not. Hence the arm `8/0 refilled`, which draws twice the
 * prompts so that eight useful groups of its own can be found; it pays for that with twice the generated tokens.
 *
 * What else could tell the arms apart than J, and is therefore reported with each: how many groups were really adopted and trained per
 * node and round, in how many rounds all J were there (a short run of eight nodes on two busy cores had all of them from the second round on,
 * and the nodes stayed within one round of each other), and how many rounds adopted groups had waited. The pool is drawn from uniformly, so
 * with eight nodes a group waits some five rounds, while in the paper's rounds all nodes share and draw at once: the arm
 * `4/4 fresh` drops groups after two rounds. Nodes that adopt nothing are kept out of the swarm, which would only cost them time.
 *
 * In the arms above every node writes the answers to eight prompts, whatever it trains on. The two lean ones ask what sharing saves: a node
 * writes to two prompts a round and trains on these alone, or with six groups of peers that do the same.
 *
 * The learning rate is three times a node's default, so that fifty rounds show what takes a node 150.
 * Resumable: `npm run experiment:sapo -- --nodes 8 --rounds 50 --seeds 1,2,3`.
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
  learningRate: number;
  arms?: string[];
}
interface Arm {
  nodes: number;
  rounds: number;
  ownGroups: number;
  peerGroups: number;
  promptsPerRound: number;
  groupSize: number;
  maxGroupAgeRounds: number;
  learningRate: number;
}
interface Outcome {
  /** Mean reward of own answers per round, averaged over nodes. */
  rewards: number[];
  /** Over rounds and nodes. */
  cumulative: number;
  adoptedPerNodeRound: number;
  trainedPerNodeRound: number;
  /** Share of rounds that had all J groups. */
  fullRounds: number;
  /** Mean rounds that an adopted group had waited; null without any. */
  waitedRounds: number | null;
  generatedTokens: number;
}

const numbers = (text: string): number[] => text.split(',').map(Number);
const {
  folder,
  nodes,
  rounds,
  seeds,
  learningRate,
  arms: chosen,
} = new Command('sapo')
  .option('--folder <path>', 'where results go, and are found again', '.cache/experiments/sapo')
  .option('--nodes <number>', 'size of the swarm', Number, 8)
  .option('--rounds <number>', 'rounds of each node', Number, 50)
  .option('--seeds <list>', 'seeds, comma-separated', numbers, [1, 2, 3])
  .option('--learning-rate <number>', 'of every node', Number, 3e-4)
  .option('--arms <list>', 'some arms alone, comma-separated; 8/0 is always one', (text) => text.split(','))
  .parse()
  .opts<SapoOptions>();

const mix = (ownGroups: number, peerGroups: number, more: Partial<Arm> = {}): Arm => ({
  nodes,
  rounds,
  ownGroups,
  peerGroups,
  promptsPerRound: 8,
  groupSize: 8,
  maxGroupAgeRounds: 10,
  learningRate,
  ...more,
});
const BASELINE = '8/0';
const allArms: Record<string, Arm> = {
  [BASELINE]: mix(8, 0),
  '6/2': mix(6, 2),
  '4/4': mix(4, 4),
  '2/6': mix(2, 6),
  '4/4 fresh': mix(4, 4, { maxGroupAgeRounds: 2 }),
  '8/0 refilled': mix(8, 0, { promptsPerRound: 16 }),
  '2/0 lean': mix(2, 0, { promptsPerRound: 2 }),
  '2/6 lean': mix(2, 6, { promptsPerRound: 2 }),
};
const arms = Object.fromEntries(
  Object.entries(allArms).filter(([arm]) => arm === BASELINE || (chosen?.includes(arm) ?? true)),
);

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

async function runSwarm({ settings, seed }: { settings: Arm; seed: number }): Promise<Outcome> {
  const { nodes: count, rounds: length, ...config } = settings;
  const trained = await trainNodes({
    nodes: count,
    rounds: length,
    seed: seed * 1000,
    settings: {
      ...config,
      cpuThreads: 1,
      sharedGroupsPerRound: config.promptsPerRound,
      swarmEnabled: config.peerGroups > 0,
      examRounds: 0,
    },
  });
  const all = trained.flatMap((node) => node.rounds.slice(0, length).map(({ metrics }) => metrics));
  const waited = all.flatMap(({ staleness }) => (staleness === undefined ? [] : [staleness]));
  const rewards = Array.from(
    { length },
    (_, round) => trained.reduce((sum, node) => sum + (node.rounds[round]?.metrics.ownReward ?? 0), 0) / count,
  );
  return {
    rewards,
    cumulative: rewards.reduce((sum, reward) => sum + reward, 0) * count,
    adoptedPerNodeRound: trained.reduce((sum, node) => sum + node.groupsAdopted, 0) / (count * length),
    trainedPerNodeRound: mean(all.map(({ ownGroups = 0, peerGroups = 0 }) => ownGroups + peerGroups)),
    fullRounds: mean(all.map(({ peerGroups = 0 }) => (peerGroups >= config.peerGroups ? 1 : 0))),
    waitedRounds: waited.length > 0 ? mean(waited) : null,
    generatedTokens: all.reduce((sum, metrics) => sum + (metrics.generatedTokens ?? 0), 0),
  };
}

const results = await runCells(folder, grid(arms, seeds), runSwarm);
const of = (arm: string): CellResult<Arm, Outcome>[] => results.filter((cell) => cell.arm === arm);
/** Of the same seed: the same nodes with the same tasks. */
const baselineOf = (seed: number): number => of(BASELINE).find((cell) => cell.seed === seed)!.result.cumulative;
const table = Object.keys(arms).map((arm) => {
  const outcomes = of(arm).map(({ result }) => result);
  const { mean: cumulative, deviation } = spread(outcomes.map((outcome) => outcome.cumulative));
  const ratio = spread(of(arm).map(({ seed, result }) => result.cumulative / baselineOf(seed)));
  return {
    arm,
    cumulative,
    deviation,
    ratio: ratio.mean,
    ratioDeviation: ratio.deviation,
    adoptedPerNodeRound: mean(outcomes.map(({ adoptedPerNodeRound }) => adoptedPerNodeRound)),
    trainedPerNodeRound: mean(outcomes.map(({ trainedPerNodeRound }) => trainedPerNodeRound)),
    fullRounds: mean(outcomes.map(({ fullRounds }) => fullRounds)),
    waitedRounds: mean(outcomes.map(({ waitedRounds }) => waitedRounds ?? NaN)),
    generatedTokens: mean(outcomes.map(({ generatedTokens }) => generatedTokens)),
  };
});
await writeFile(
  join(folder, 'sapo.json'),
  `${JSON.stringify({ nodes, rounds, seeds, learningRate, table }, null, 1)}\n`,
);

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
    table.map(({ arm, cumulative, deviation, ratio, generatedTokens, ...more }) => [
      arm,
      {
        'cumulative reward': cumulative.toFixed(1),
        'sd over seeds': deviation.toFixed(1),
        'ratio to 8/0': ratio.toFixed(3),
        'sd of the ratio': more.ratioDeviation.toFixed(3),
        'adopted per node and round': more.adoptedPerNodeRound.toFixed(2),
        'trained per node and round': more.trainedPerNodeRound.toFixed(2),
        'rounds with all J': more.fullRounds.toFixed(2),
        'rounds waited': more.waitedRounds.toFixed(1),
        'tokens generated': Math.round(generatedTokens),
      },
    ]),
  ),
);
