/**
 * A real engine with a real compute process and the bundled policy, training alone on tiny rounds in a temporary folder.
 * Knows nothing of what is checked. Whatever is opened is closed and removed when the file's tests are over.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { forkCompute } from '../../../native-models/runtime/compute-host.ts';
import { openCheckpointStore } from '../../../native-models/checkpoint/checkpoint-store.ts';
import { createLog, type LogRow } from '../../../src-main/base/log.ts';
import { loadConfig } from '../../../src-main/config.ts';
import type { Events, NodeStatus, RunStateName } from '../../../src-main/engine/api.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { openEngine, type Engine, type EngineOptions } from '../../../src-main/engine/engine.ts';
import { openPolicyHome, redoLogOf, type PolicyHome } from '../../../src-main/engine/policy/policy-home.ts';
import { RedoLog } from '../../../src-main/train/redo-log.ts';

const root = mkdtempSync(join(tmpdir(), 'waggle-node-'));
const engines = new Set<Engine>();
let folders = 0;

after(async () => {
  await Promise.all([...engines].map((engine) => engine.close()));
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

export const newFolder = (): string => join(root, String(folders++));

/** Rounds of some tenths of a second; few enough tokens that the processor's speed hardly matters. The exam would be ten times a round. */
export const tinyRounds = {
  provider: 'cpu',
  swarmEnabled: false,
  seed: 7,
  promptsPerRound: 3,
  groupSize: 4,
  maxNewTokens: 24,
  learningRate: 1e-4,
  warmupSteps: 0,
  checkpointSeconds: 3600,
  examRounds: 0,
} as const;

export interface TestNode {
  engine: Engine;
  directory: string;
  log: LogRow[];
  status(): Promise<NodeStatus>;
  invoke: Engine['api']['invoke'];
  /** The first event that is as wanted, from now on. */
  next<K extends keyof Events>(name: K, wanted?: (event: Events[K]) => boolean, timeoutMs?: number): Promise<Events[K]>;
  /** The status, now or later, in which the node is in this state. */
  until(name: RunStateName, reason?: string, timeoutMs?: number): Promise<NodeStatus>;
  /** Of all compute processes so far, the present one last. */
  computePids: number[];
  /** Ends the present compute process at the first event that is as wanted. */
  killComputeAt<K extends keyof Events>(name: K, wanted: (event: Events[K]) => boolean): Promise<void>;
}

export async function openNode(
  flags: Readonly<Record<string, unknown>> = {},
  directory: string = newFolder(),
  seams: Pick<EngineOptions, 'spawnTrial' | 'spawnCompute' | 'silenceBaseMs' | 'env'> = {},
): Promise<TestNode> {
  const { config } = loadConfig({ flags: { ...tinyRounds, dataDirectory: directory, ...flags } });
  const log = createLog({ directory: null, level: 'debug' });
  const rows: LogRow[] = [];
  log.subscribe((row) => rows.push(row));
  const computePids: number[] = [];
  const spawnCompute = () => {
    const channel = (seams.spawnCompute ?? forkCompute)();
    if (channel.pid !== null) computePids.push(channel.pid);
    return channel;
  };
  const engine = await openEngine({ config, log, ...seams, spawnCompute });
  engines.add(engine);
  void engine.closed.then(() => engines.delete(engine));
  const invoke: TestNode['invoke'] = (name, args) => engine.api.invoke(name, args);
  const status = () => invoke('status', null);
  const said = () => rows.map(({ message }) => message).join('\n');
  const next: TestNode['next'] = (name, wanted = () => true, timeoutMs = 60_000) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => finish(() => reject(new Error(`No such ${name} event\n${said()}`))), timeoutMs);
      late.unref(); // the node itself keeps the test alive; a wait that nobody needs any more must not
      const leave = engine.api.subscribe(name, (event) => {
        if (wanted(event)) finish(() => resolve(event));
      });
      const finish = (settle: () => void): void => {
        clearTimeout(late);
        leave();
        settle();
      };
    });
  const until: TestNode['until'] = async (name, reason, timeoutMs = 60_000) => {
    const holds = ({ state }: NodeStatus): boolean =>
      state.name === name && (reason === undefined || state.reason?.kind === reason);
    const reached = next('status', holds, timeoutMs);
    const now = await status();
    if (!holds(now)) return reached;
    reached.catch(() => undefined);
    return now;
  };
  const killComputeAt: TestNode['killComputeAt'] = async (name, wanted) => {
    await next(name, (event) => {
      if (!wanted(event)) return false;
      process.kill(computePids.at(-1)!, 'SIGKILL'); // within the event, so that nothing else happens before
      return true;
    });
  };
  return { engine, directory, log: rows, status, invoke, next, until, computePids, killComputeAt };
}

/** Where a node of this data folder keeps the checkpoints and the redo log of a policy. */
export async function progressOf(directory: string, policyDirectory = bundledPolicyDirectory()): Promise<PolicyHome> {
  return openPolicyHome(policyDirectory, join(directory, 'checkpoints'));
}

/** Makes another policy of a copied folder: the last number of its weights is not what it was. */
export async function changeOneWeight(policyDirectory: string): Promise<void> {
  const path = join(policyDirectory, 'model.safetensors');
  const bytes = await readFile(path);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(path, bytes);
}

/** What the newest checkpoint of a policy holds: its round, and the bits of weights and both moments in short. */
export async function savedPolicy(directory: string, policyDirectory?: string) {
  const { checkpoints, identity } = await progressOf(directory, policyDirectory);
  const store = await openCheckpointStore(checkpoints, { keep: 2, identity });
  const { checkpoint } = await store.loadLatest();
  assert.ok(checkpoint, 'there is a checkpoint');
  const digest = (key: string): string => {
    const { buffer, byteOffset, byteLength } = checkpoint.tensors[key]!.data;
    return createHash('sha256')
      .update(new Uint8Array(buffer, byteOffset, byteLength))
      .digest('hex')
      .slice(0, 16);
  };
  const { optimizerStep, node } = checkpoint.state as { optimizerStep: number; node: { round: number } };
  return {
    round: node.round,
    optimizerStep,
    weights: digest('weights'),
    firstMoment: digest('adamw.m'),
    secondMoment: digest('adamw.v'),
  };
}

/** The last round that would survive if everything died now. */
export async function durableRound(directory: string): Promise<number> {
  const { log, entries } = await RedoLog.open<{ round: number }>(redoLogOf(await progressOf(directory)));
  await log.close();
  const logged = entries.at(-1)?.round;
  return logged ?? (await savedPolicy(directory)).round;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function eventually(
  holds: () => boolean | Promise<boolean>,
  words: string,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `Within ${timeoutMs / 1000} s not: ${words}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
