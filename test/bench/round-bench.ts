/**
 * Whole rounds of a node with its default settings, by the real engine on a temporary data folder: tasks, generation, verdicts,
 * training, redo log, history, checkpoints. Alone, so that nothing waits for a peer; own groups then fill the peers' places, and the
 * batch is as large as when trading. Knows nothing of the compute process but its memory.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../src-main/base/log.ts';
import { loadConfig } from '../../src-main/config.ts';
import type { RoundRow } from '../../src-main/engine/api.ts';
import { openEngine, type Engine } from '../../src-main/engine/engine.ts';
import { watchPeakMemory } from './peak-memory.ts';
import { sampleOf, type Sample } from './sample.ts';

const warmUpRounds = 5;
const measuredRounds = 40;

export interface RoundFigures {
  roundSeconds: Sample;
  generateTokensPerSecond: Sample;
  trainTokensPerSecond: Sample;
  /** Answers a second of the whole round, its training included. */
  rolloutsPerSecond: Sample;
  peakBytes: number;
}

interface FinishedRound {
  row: RoundRow;
  seconds: number;
}

export async function measureRounds(): Promise<RoundFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-bench-'));
  const rounds = warmUpRounds + measuredRounds;
  const flags = { dataDirectory: join(folder, 'data'), provider: 'cpu', swarmEnabled: false, seed: 1, rounds };
  const { config } = loadConfig({ flags, env: {} });
  const engine = await openEngine({ config, log: createLog({ directory: null, level: 'error' }) });
  try {
    const { finished, peakBytes } = await watchRounds(engine);
    const measured = finished.slice(warmUpRounds);
    const perSecond = (name: string): Sample => sampleOf(measured.flatMap(({ row }) => row.metrics[name] ?? []));
    const seconds = measured.map((round) => round.seconds);
    return {
      roundSeconds: sampleOf(seconds),
      generateTokensPerSecond: perSecond('generateTokensPerSecond'),
      trainTokensPerSecond: perSecond('trainTokensPerSecond'),
      rolloutsPerSecond: sampleOf(seconds.map((s) => (config.promptsPerRound * config.groupSize) / s)),
      peakBytes,
    };
  } finally {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Settles when the node has done its rounds; the first one has no measured time before it and counts from the start. */
async function watchRounds(engine: Engine): Promise<{ finished: FinishedRound[]; peakBytes: number }> {
  const finished: FinishedRound[] = [];
  let last = performance.now();
  const memory = watchPeakMemory(await computePid(engine));
  try {
    await new Promise<void>((resolve, reject) => {
      engine.api.subscribe('round', (row) => {
        const now = performance.now();
        finished.push({ row, seconds: (now - last) / 1000 });
        last = now;
      });
      engine.api.subscribe('status', ({ state }) => {
        if (state.reason?.kind === 'roundsDone') resolve();
        if (state.name === 'error' || state.reason?.kind === 'computeRestarting') reject(new Error(state.text));
      });
    });
    return { finished, peakBytes: await memory.peakBytes() };
  } finally {
    memory.close();
  }
}

async function computePid(engine: Engine): Promise<number> {
  for (;;) {
    const { memory } = await engine.api.invoke('status', null);
    const found = memory.find(({ process: kind }) => kind === 'compute');
    if (found) return found.pid;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
