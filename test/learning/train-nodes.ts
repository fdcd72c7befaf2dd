/**
 * Runs real nodes (engine, compute process, store, swarm on a local DHT) for a number of rounds and returns what each recorded.
 * Shared by the learning tests and the experiment behind the README's figures.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import createTestnet from 'hyperdht/testnet.js';
import { createLog } from '../../src-main/base/log.ts';
import { loadConfig } from '../../src-main/config.ts';
import type { ExamRow, RolloutRow, RoundRow } from '../../src-main/engine/api.ts';
import { openEngine, type Engine } from '../../src-main/engine/engine.ts';

export interface TrainNodesOptions {
  nodes: number;
  rounds: number;
  /** Config fields on top of seed, provider and rounds; the same for all nodes. */
  settings?: Record<string, unknown>;
  /** More of them, node by node. A node of 0 rounds goes on until the others are done. */
  settingsOf?: (node: number) => Record<string, unknown>;
  /**
   * A node begins a round, other than its first, only when so many groups of peers wait in its pool. Rounds of a node that
   * generates little are over sooner than peers can send anything.
   */
  groupsToWaitFor?: (node: number) => number;
  seed?: number;
  onRound?: (node: number, row: RoundRow) => void;
}
export interface TrainedNode {
  rounds: RoundRow[];
  groupsAdopted: number;
  groupsShared: number;
  rejected: Record<string, number>;
  exams: ExamRow[];
  /** The latest, own and peers'. */
  rollouts: RolloutRow[];
}

/** Node i gets seed + i, so that nodes practise different tasks. */
export async function trainNodes({
  nodes,
  rounds,
  settings = {},
  settingsOf = () => ({}),
  groupsToWaitFor = () => 0,
  seed = 1,
  onRound,
}: TrainNodesOptions): Promise<TrainedNode[]> {
  const root = await mkdtemp(join(tmpdir(), 'waggle-learning-'));
  const testnet = nodes > 1 ? await createTestnet(4, { host: '127.0.0.1' }) : null;
  const bootstrap = testnet?.bootstrap.map(({ host, port }) => `${host}:${port}`) ?? [];
  const engines: Engine[] = [];
  try {
    const configs = Array.from({ length: nodes }, (_, i) => {
      const preset = {
        dataDirectory: join(root, `node-${i}`),
        provider: 'cpu',
        seed: seed + i,
        rounds,
        swarmEnabled: nodes > 1,
        bootstrap,
        swarmName: 'learning-test',
        // Would take its share of the computing, and says nothing that is looked at here.
        benefitPercent: 0,
      };
      return loadConfig({ flags: { ...preset, ...settings, ...settingsOf(i) } }).config;
    });
    const runs = configs.map(async (config, i) => {
      const engine = await openEngine({ config, log: createLog({ directory: null, level: 'warn' }) });
      engines[i] = engine;
      const pacing = paceBy(engine, groupsToWaitFor(i), config.rounds);
      await untilRoundsDone(engine, (row) => onRound?.(i, row)).finally(() => clearInterval(pacing));
    });
    await Promise.all(runs.filter((_, i) => configs[i]!.rounds > 0));
    return await Promise.all(engines.map((engine) => trained(engine, rounds)));
  } finally {
    // One that could not be opened leaves a gap.
    await Promise.all(Object.values(engines).map((engine) => engine.close()));
    await testnet?.destroy();
    await rm(root, { recursive: true, force: true });
  }
}

async function trained({ api }: Engine, rounds: number): Promise<TrainedNode> {
  const { swarm } = await api.invoke('status', null);
  return {
    rounds: await api.invoke('rounds', { sinceRound: 0, limit: Math.max(rounds, ANY_NUMBER) }),
    groupsAdopted: swarm.groupsAdopted,
    groupsShared: swarm.groupsShared,
    rejected: swarm.rejected,
    exams: await api.invoke('exams', { limit: 100 }),
    rollouts: await api.invoke('rollouts', { limit: 200, beforeId: null, origin: 'all' }),
  };
}

const ANY_NUMBER = 1000;
const PACE_MS = 50;

/** Lets each round end in a pause until so many groups of peers wait. */
function paceBy(engine: Engine, groups: number, rounds: number): NodeJS.Timeout | undefined {
  if (groups === 0) return undefined;
  engine.api.subscribe('round', ({ round }) => {
    if (round < rounds) void engine.api.invoke('finish', null);
  });
  return setInterval(() => {
    void engine.api.invoke('status', null).then(({ state, swarm }) => {
      if (state.name === 'paused' && swarm.groupsPooled >= groups) void engine.api.invoke('resume', null);
    });
  }, PACE_MS);
}

/** Settles when the node waits because its rounds are done; rejects when it stops for another reason. */
function untilRoundsDone(engine: Engine, onRound: (row: RoundRow) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    engine.api.subscribe('round', onRound);
    engine.api.subscribe('status', ({ state }) => {
      if (state.reason?.kind === 'roundsDone') resolve();
      if (state.name === 'error') reject(new Error(state.text));
    });
  });
}

/** Mean reward of own answers over rounds [from, to). */
export function meanReward(rounds: readonly RoundRow[], from: number, to: number): number {
  const rewards = rounds.slice(from, to).map(({ metrics }) => metrics.ownReward ?? NaN);
  return rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
}
