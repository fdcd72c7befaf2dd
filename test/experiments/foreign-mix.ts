/**
 * Experiment: which objective learns from text that quite another policy wrote? Each round the bundled policy trains on 8 groups, J of
 * which come from a frozen policy of another initialisation (the same tasks, 1/5 of the pre-training, made here once).
 *
 * Claim (arXiv 2606.03070, and the premise of SAPO, arXiv 2509.08721): groups of other policies can be trained on without their
 * log-probs; the naive objective breaks on them, ASymPO does not.
 *
 * Seeded and resumable: the frozen policy and finished cells are kept in the folder. Writes foreign-mix.json and foreign-mix.svg.
 * `node test/experiments/foreign-mix.ts --rounds 150 --seeds 1,2 --foreign 0,2,4,6`
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { configSchema } from '../../src-main/config/schema.ts';
import { describeMachine } from '../bench/machine.ts';
import { runCells, spread, type Cell } from './cells.ts';
import { runForeignCell, type ForeignCurves } from './lab/foreign-cell.ts';
import { starterSet } from './lab/round-tasks.ts';
import { subjects, type SubjectName } from './lab/subjects.ts';
import { summariseCurve, windowMeans } from './lab/summary.ts';
import { TrainedPolicy } from './lab/trained-policy.ts';
import { lineChart } from './line-chart.ts';

const WINDOW_ROUNDS = 15;
const GROUPS = 8;
const PEER_SEED = 77;

interface Settings {
  subject: SubjectName;
  foreign: number;
  rounds: number;
  learningRate: number;
  promptsPerRound: number;
  peerSteps: number;
}

const numbers = (text: string): number[] => text.split(',').map(Number);
const options = new Command('foreign-mix')
  .option('--folder <path>', 'where results go, and are found again', '.cache/experiments/foreign-mix')
  .option('--rounds <number>', 'rounds of each cell', Number, 150)
  .option('--seeds <list>', 'seeds, comma-separated', numbers, [1, 2])
  .option('--foreign <list>', 'J, comma-separated', numbers, [0, 2, 4, 6])
  .option('--prompts <number>', 'tasks of each round, 8 answers each', Number, GROUPS)
  .option('--learning-rate <number>', 'of every cell', Number, 4e-4)
  .option('--peer-steps <number>', 'pre-training steps of the frozen policy', Number, 1000)
  .option('--parallel <number>', 'cells at a time, one thread each', Number, availableParallelism())
  .parse()
  .opts<{
    folder: string;
    rounds: number;
    seeds: number[];
    foreign: number[];
    prompts: number;
    learningRate: number;
    peerSteps: number;
    parallel: number;
  }>();

/** The script that made the bundled policy, with another seed and fewer steps; goes on where it was interrupted. */
function peerDirectory(): string {
  const { folder, peerSteps } = options;
  const out = join(folder, `peer-${PEER_SEED}-${peerSteps}`);
  if (existsSync(join(out, 'model.safetensors'))) return out;
  const script = fileURLToPath(new URL('../../native-models/bundled/build/build-policy.ts', import.meta.url));
  const flags = ['--seed', String(PEER_SEED), '--steps', String(peerSteps), '--out', out, '--work', `${out}-build`];
  const { status } = spawnSync(process.execPath, [script, ...flags], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`build-policy ended with code ${String(status)}; run this again to go on`);
  return out;
}

async function measure(peerPath: string, { settings, seed }: Cell<Settings>): Promise<ForeignCurves> {
  const { learningRate, promptsPerRound } = settings;
  const config = configSchema.parse({ learningRate, promptsPerRound });
  const policy = await TrainedPolicy.open({ config, threads: 1 });
  try {
    const peer = await TrainedPolicy.open({ config, threads: 1, policyDirectory: peerPath });
    try {
      const cell = { ...settings, groups: GROUPS, seed, tasks: starterSet(), config };
      return await runForeignCell(policy, peer, cell);
    } finally {
      await peer.close();
    }
  } finally {
    await policy.close();
  }
}

const names = Object.keys(subjects) as SubjectName[];
const { rounds, learningRate, prompts: promptsPerRound, peerSteps } = options;
const cells = options.seeds.flatMap((seed) =>
  options.foreign.flatMap((foreign) =>
    // Without foreign groups the objective for them plays no part: one cell serves all.
    (foreign === 0 ? names.slice(0, 1) : names).map((subject): Cell<Settings> => {
      const settings = { subject, foreign, rounds, learningRate, promptsPerRound, peerSteps };
      return { arm: foreign === 0 ? 'J=0' : `${subject} J=${foreign}`, seed, settings };
    }),
  ),
);

await mkdir(options.folder, { recursive: true });
const peerPath = peerDirectory();
const results = await runCells(options.folder, cells, (cell) => measure(peerPath, cell), console.log, options.parallel);

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const rows = names.flatMap((subject) =>
  options.foreign.map((foreign) => {
    const own = results.filter(
      ({ settings }) => settings.foreign === foreign && (foreign === 0 || settings.subject === subject),
    );
    const curves = own.map(({ result }) => summariseCurve(result.reward, WINDOW_ROUNDS));
    const last = (pick: (result: ForeignCurves) => (number | null)[]): number =>
      mean(own.map(({ result }) => windowMeans(pick(result), WINDOW_ROUNDS).at(-1)!));
    return {
      subject,
      foreign,
      first: spread(curves.map(({ first }) => first)),
      peak: spread(curves.map(({ peak }) => peak)),
      last: spread(curves.map(({ last: end }) => end)),
      meanReward: spread(own.map(({ result }) => mean(result.reward))),
      peerReward: mean(own.map(({ result }) => mean(result.peerReward))),
      foreignPerRound: mean(own.map(({ result }) => mean(result.foreign))),
      ownNll: last(({ ownNll }) => ownNll),
      foreignNll: last(({ foreignNll }) => foreignNll),
      foreignBalance: last(({ foreignBalance }) => foreignBalance),
    };
  }),
);

const count = `${options.seeds.length} seed${options.seeds.length === 1 ? '' : 's'}`;
await writeFile(
  join(options.folder, 'foreign-mix.json'),
  `${JSON.stringify({ machine: describeMachine(), ...options, folder: undefined, windowRounds: WINDOW_ROUNDS, rows }, null, 1)}\n`,
);
await writeFile(
  join(options.folder, 'foreign-mix.svg'),
  lineChart({
    title: 'Training on J groups of another policy, of 8',
    xLabel: 'foreign groups a round (J)',
    yLabel: `reward, last ${WINDOW_ROUNDS} rounds (${count})`,
    lines: names.map((name) => {
      const own = rows.filter(({ subject }) => subject === name);
      return {
        name,
        x: own.map(({ foreign }) => foreign),
        y: own.map(({ last }) => last.mean),
        ...(options.seeds.length > 1 ? { band: own.map(({ last }) => last.deviation) } : {}),
      };
    }),
  }),
);
console.table(
  rows.map((row) => ({
    subject: row.subject,
    J: row.foreign,
    first: row.first.mean.toFixed(3),
    peak: row.peak.mean.toFixed(3),
    last: row.last.mean.toFixed(3),
    'sd over seeds': row.last.deviation.toFixed(3),
    'S own': row.ownNll.toFixed(2),
    'S foreign': row.foreignNll.toFixed(2),
    balance: row.foreignBalance.toFixed(2),
    'peer right': row.peerReward.toFixed(2),
  })),
);
console.log(`Written: ${join(options.folder, 'foreign-mix.json')} and foreign-mix.svg`);
