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
import type { RoundRow } from '../../src-main/engine/api.ts';
import { openEngine, type Engine } from '../../src-main/engine/engine.ts';

export interface TrainNodesOptions {
  nodes: number;
  rounds: number;
  /** Config fields on top of seed, provider and rounds; the same for all nodes. */
  settings?: Record<string, unknown>;
  seed?: number;
  onRound?: (node: number, row: RoundRow) => void;
}
export interface TrainedNode {
  rounds: RoundRow[];
  groupsAdopted: number;
  groupsShared: number;
  rejected: Record<string, number>;
}

/** Node i gets seed + i, so that nodes practise different tasks. */
export async function trainNodes({
  nodes,
  rounds,
  settings = {},
  seed = 1,
  onRound,
}: TrainNodesOptions): Promise<TrainedNode[]> {
  const root = await mkdtemp(join(tmpdir(), 'waggle-learning-'));
  const testnet = nodes > 1 ? await createTestnet(3, { host: '127.0.0.1' }) : null;
  const bootstrap = testnet?.bootstrap.map(({ host, port }) => `${host}:${port}`) ?? [];
  const engines: Engine[] = [];
  try {
    const done = Array.from({ length: nodes }, async (_, i) => {
      const { config } = loadConfig({
        flags: {
          dataDirectory: join(root, `node-${i}`),
          provider: 'cpu',
          seed: seed + i,
          rounds,
          swarmEnabled: nodes > 1,
          bootstrap,
          swarmName: 'learning-test',
          ...settings,
        },
      });
      const log = createLog({ directory: null, level: 'warn' });
      const engine = await openEngine({ config, log });
      engines.push(engine);
      await untilRoundsDone(engine, (row) => onRound?.(i, row));
      const { swarm } = await engine.api.invoke('status', null);
      return {
        rounds: await engine.api.invoke('rounds', { sinceRound: 0, limit: rounds }),
        groupsAdopted: swarm.groupsAdopted,
        groupsShared: swarm.groupsShared,
        rejected: swarm.rejected,
      };
    });
    return await Promise.all(done);
  } finally {
    await Promise.all(engines.map((engine) => engine.close()));
    await testnet?.destroy();
    await rm(root, { recursive: true, force: true });
  }
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
