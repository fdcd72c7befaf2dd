/**
 * `npm run -s bench:swarm -- --nodes N --rounds R [--round-seconds S] [--per-process K] [--json]`: what the swarm costs a node.
 * Nodes without a policy: tasks of the starter set, synthetic completions of 0.3 to 8 KB a group, the real verifier, real
 * Hyperswarm connections on 127.0.0.1 over a DHT of its own. A round is shorter or longer than a policy's, and pulls come faster or
 * slower by as much: what a node asks for per round (64 groups) is the product's. Rounds are the product's 16 s unless told
 * otherwise, and longer with more than 128 nodes on the machine. The first process holds one node, whose memory is reported, with
 * its growth after the first fifth of the rounds (a soak: `--nodes 8 --rounds 500 --round-seconds 4`, 35 minutes); the others share processes, one a core.
 * Processes run as those of an installed node do: plain JavaScript, compiled into dist/ first, with the same flags of V8.
 * Other work on the machine shows in the figures; `worstStallMs` tells how long a process stood still. Leaves nothing behind.
 */
import { execFileSync, fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import createTestnet from 'hyperdht/testnet.js';
import { COLLECT_EVERY_MS, collectGarbageEvery } from '../../src-main/base/collect-garbage.ts';
import { createRandom } from '../../src-main/base/random.ts';
import { randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import { DEFAULT_LIMITS } from '../../src-main/swarm/limits.ts';
import { createSwarm } from '../../src-main/swarm/swarm.ts';
import type { ShareableGroup, Swarm } from '../../src-main/swarm/swarm.ts';
import { isTaskOfKey, seedOfKey } from '../../src-main/engine/rounds/task-stream.ts';
import { instantiate } from '../../src-main/tasks/task-ref.ts';
import { getTaskSet, sampleTaskRefs } from '../../src-main/tasks/task-sets.ts';
import { verifyGroup } from '../../src-main/tasks/verify-completions.ts';
import { WORDS } from '../../src-main/tasks/words.ts';

const ROOT = join(import.meta.dirname, '../..');
const COMPILED = join(ROOT, 'dist/.swarm-bench/test/bench/swarm-bench.js');
const GROUPS_SHARED = 8;
const GROUPS_WANTED = 64;
const COMPLETIONS = 8;
/** Nodes join one after the other, about so fast: that all start in one instant happens on one machine only. */
const JOIN_EVERY_MS = 60;
const MIN_JOIN_SPREAD_MS = 3_000;
/** Fewer and no hole can be punched (test/swarm/local-swarm.ts). */
const DHT_NODES = 5;
/**
 * What `npm start` and the command set, too: a young generation of 1 MB, where V8 takes 16 and more by itself for a process that has little to
 * do, one helper thread instead of four, each of which keeps memory of its own, no TurboFan, which alone takes 8 MB, after Maglev has done most
 * of its work, and compilation on the main thread, which saves what another one keeps.
 */
const PROCESS_FLAGS = ['--v8-pool-size=1', '--max-opt=2', '--no-concurrent-recompilation'];
const SEMI_SPACE_MB = { ofNode: 1, atMost: 16 };
/** A node finds its neighbours in these. */
const JOINING_ROUNDS = 2;
const SAMPLES = 100;
/** A timer this often is what seeing stalls costs; at 10 ms it was a tenth of what a quiet node takes. */
const STALL_STEP_MS = 100;
/** Share of the rounds after which memory should grow no more. */
const WARM_UP = 0.2;
/** Length of a round for which the product's pull rates are made: 64 groups at 4 a second. */
const PRODUCT_ROUND_SECONDS = GROUPS_WANTED / DEFAULT_LIMITS.recordsPerSecond;

interface Plan {
  port: number;
  nodes: number;
  rounds: number;
  roundSeconds: number;
  firstIndex: number;
  joinSpreadMs: number;
}
interface NodeFigures {
  connectedSeconds: number | null;
  firstAdoptedSeconds: number | null;
  bytesIn: number;
  bytesOut: number;
  adopted: number;
  /** Distinct origins among what was adopted, mean over rounds. */
  distinctOrigins: number;
  failedPulls: number;
  refused: number;
  peers: number;
}
interface Usage {
  cpuSeconds: number;
  wallSeconds: number;
}
interface WorkerFigures extends Usage {
  nodes: NodeFigures[];
  /** The same from the third round on; the whole where there is none. */
  settled: Usage;
  /** Resident bytes before joining, and now and then with the round. */
  memory: { round: number; rssBytes: number }[];
  worstStallMs: number;
}

const plan = process.env['WAGGLE_SWARM_BENCH'];
if (plan === undefined) await lead();
else await work(JSON.parse(plan) as Plan);

async function lead(): Promise<void> {
  const options = readOptions();
  const env = { ...process.env, WAGGLE_LOCAL_NETWORK_ONLY: '1' };
  compile();
  const testnet = await createTestnet(DHT_NODES, { host: '127.0.0.1' });
  const { port } = testnet.bootstrap[0]!;
  const children: ChildProcess[] = [];
  try {
    // One node alone in the first process, the others together.
    const sizes = [1];
    for (let left = options.nodes - 1; left > 0; left -= options.perProcess)
      sizes.push(Math.min(left, options.perProcess));
    let firstIndex = 0;
    for (const nodes of sizes) {
      const { rounds, roundSeconds } = options;
      const joinSpreadMs = Math.max(MIN_JOIN_SPREAD_MS, options.nodes * JOIN_EVERY_MS);
      const childPlan: Plan = { port, nodes, rounds, roundSeconds, firstIndex, joinSpreadMs };
      firstIndex += nodes;
      children.push(startWorker(childPlan, env));
    }
    await Promise.all(children.map((child) => once(child, 'message')));
    process.stderr.write(
      `${String(options.nodes)} nodes in ${String(sizes.length)} processes, ${String(options.rounds)} rounds...\n`,
    );
    const results = Promise.all(children.map(async (child) => ((await once(child, 'message')) as [WorkerFigures])[0]));
    for (const child of children) child.send('start');
    report(await results, options);
    for (const child of children) child.send('end');
    await Promise.all(children.filter((child) => child.exitCode === null).map((child) => once(child, 'exit')));
  } finally {
    for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
    await testnet.destroy();
  }
}

function startWorker(childPlan: Plan, env: NodeJS.ProcessEnv): ChildProcess {
  const mine = { ...env, WAGGLE_SWARM_BENCH: JSON.stringify(childPlan) };
  // Nodes that share a process share its young generation: with that of one, what they have in hand would count as old.
  const semiSpace = Math.min(SEMI_SPACE_MB.atMost, Math.max(1, childPlan.nodes) * SEMI_SPACE_MB.ofNode);
  const flags = [...PROCESS_FLAGS, `--max-semi-space-size=${String(semiSpace)}`];
  return fork(COMPILED, { env: mine, execArgv: [...process.execArgv, ...flags] });
}

function compile(): void {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const project = join(ROOT, 'test/bench/tsconfig.swarm.json');
  execFileSync(process.execPath, [tsc, '--project', project], { stdio: 'inherit' });
}

function readOptions() {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      nodes: text,
      rounds: text,
      'round-seconds': text,
      'per-process': text,
      json: { type: 'boolean', default: false },
    },
  });
  const whole = (name: 'nodes' | 'rounds' | 'round-seconds' | 'per-process', preset: number, max: number): number => {
    const given = values[name];
    const value = given === undefined ? preset : Number(given);
    if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
    process.stderr.write(`bench:swarm: --${name} must be a whole number from 1 to ${String(max)}\n`);
    process.exit(2);
  };
  const nodes = whole('nodes', 16, 512);
  return {
    nodes,
    rounds: whole('rounds', 10, 10_000),
    roundSeconds: whole('round-seconds', Math.max(PRODUCT_ROUND_SECONDS, Math.ceil(nodes / 8)), 120),
    perProcess: whole('per-process', Math.min(64, Math.ceil(nodes / Math.max(2, availableParallelism()))), 128),
    json: values.json,
  };
}

function report(workers: WorkerFigures[], options: ReturnType<typeof readOptions>): void {
  const nodes = workers.flatMap((worker) => worker.nodes);
  const nodeRounds = nodes.length * options.rounds;
  const sum = (of: (node: NodeFigures) => number) => nodes.reduce((total, node) => total + of(node), 0);
  const cpu = workers.reduce((total, worker) => total + cpuShare(worker) / 100, 0);
  const { memory } = workers[0]!;
  const rss = memory.map(({ rssBytes }) => rssBytes);
  const tenth = Math.max(1, Math.ceil(rss.length / 10));
  const figures = {
    nodes: options.nodes,
    rounds: options.rounds,
    roundSeconds: options.roundSeconds,
    bytesPerNodeRound: Math.round(sum((node) => node.bytesIn) / nodeRounds),
    bytesOutPerNodeRound: Math.round(sum((node) => node.bytesOut) / nodeRounds),
    /** At a round as long as the product's rates are made for, the same work spreads over so much more time. */
    cpuPercentPerNode: round((100 * cpu * options.roundSeconds) / PRODUCT_ROUND_SECONDS / options.nodes, 3),
    /** Of the node that has a process to itself, once it has joined; what joining took, compiling included. */
    cpuPercentOfNodeAlone: round((cpuShare(workers[0]!.settled) * options.roundSeconds) / PRODUCT_ROUND_SECONDS, 3),
    cpuSecondsToJoin: round(workers[0]!.cpuSeconds - workers[0]!.settled.cpuSeconds, 2),
    cpuPercentPerNodeMeasured: round((100 * cpu) / options.nodes, 3),
    memoryMbPerNode: round((rss.at(-1) ?? 0) / 1e6, 1),
    memoryMbOverRounds: rss.filter((_bytes, i) => i % tenth === 0).map((bytes) => round(bytes / 1e6, 1)),
    memoryGrowthMbPer100Rounds: round(growthPerRound(memory, options.rounds) / 1e4, 2),
    firstConnectedSeconds: round(median(nodes.map((node) => node.connectedSeconds ?? Number.NaN)), 2),
    firstAdoptedSeconds: round(median(nodes.map((node) => node.firstAdoptedSeconds ?? Number.NaN)), 2),
    adoptedPerNodeRound: round(sum((node) => node.adopted) / nodeRounds, 1),
    distinctOrigins: round(sum((node) => node.distinctOrigins) / nodes.length, 1),
    failedPulls: sum((node) => node.failedPulls),
    refusedRecords: sum((node) => node.refused),
    meanPeers: round(sum((node) => node.peers) / nodes.length, 1),
    worstStallMs: Math.round(Math.max(...workers.map((worker) => worker.worstStallMs))),
    loadAverage: round(loadavg()[0]!, 1),
  };
  if (options.json) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
  else
    for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(26)} ${String(value)}\n`);
}

/** Percent of a core, of all nodes of a process. */
function cpuShare({ cpuSeconds, wallSeconds }: Usage): number {
  return (100 * cpuSeconds) / wallSeconds;
}

/** Bytes a round: the slope of the best straight line after the warm-up; NaN with fewer than ten samples. */
function growthPerRound(memory: WorkerFigures['memory'], rounds: number): number {
  const late = memory.filter((sample) => sample.round >= rounds * WARM_UP);
  if (late.length < 10) return Number.NaN;
  const mean = (of: (sample: { round: number; rssBytes: number }) => number) =>
    late.reduce((sum, sample) => sum + of(sample), 0) / late.length;
  const x = mean((sample) => sample.round);
  const y = mean((sample) => sample.rssBytes);
  const covariance = mean((sample) => (sample.round - x) * (sample.rssBytes - y));
  return covariance / mean((sample) => (sample.round - x) ** 2);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
function median(values: number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** One process with some nodes: joins, waits for the start, runs the rounds, reports, waits for the end. */
async function work(mine: Plan): Promise<void> {
  const speed = PRODUCT_ROUND_SECONDS / mine.roundSeconds;
  // Whoever leads was killed: nobody will ask for the figures.
  process.once('disconnect', () => process.exit(1));
  const nodes = Array.from({ length: mine.nodes }, (_, i) => openNode(mine, mine.firstIndex + i, speed));
  process.send?.('ready');
  await once(process, 'message');
  const startMs = performance.now();
  const whole = meter(nodes);
  let settled = whole;
  const memory = [{ round: 0, rssBytes: process.memoryUsage.rss() }];
  const delays = monitorEventLoopDelay({ resolution: STALL_STEP_MS });
  // Its timer would be a tenth of what a process with a single node takes.
  if (mine.nodes > 1) delays.enable();
  const stopCollecting = collectGarbageEvery(COLLECT_EVERY_MS / speed);
  await Promise.all(nodes.map((node) => node.begin()));
  for (let turn = 1; turn <= mine.rounds; turn++) {
    if (turn === JOINING_ROUNDS + 1) settled = meter(nodes);
    await Promise.all(nodes.map((node) => node.round(turn, startMs)));
    if (turn === mine.rounds || turn % Math.ceil(mine.rounds / SAMPLES) === 0)
      memory.push({ round: turn, rssBytes: process.memoryUsage.rss() });
  }
  const figures: WorkerFigures = {
    nodes: nodes.map((node) => node.figures(mine.rounds)),
    ...whole(),
    settled: settled(),
    memory,
    worstStallMs: delays.max / 1e6,
  };
  process.send?.(figures);
  await once(process, 'message');
  process.removeAllListeners('disconnect');
  stopCollecting();
  await Promise.all(nodes.map((node) => node.close()));
  process.disconnect();
}

/** Of what the nodes do from now on; making up answers is no work of theirs. */
function meter(nodes: readonly BenchNode[]): () => Usage {
  const making = () => nodes.reduce((sum, node) => sum + node.makingSeconds, 0);
  const before = process.cpuUsage();
  const madeBefore = making();
  const startMs = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(before);
    const cpuSeconds = (user + system) / 1e6 - (making() - madeBefore);
    return { cpuSeconds, wallSeconds: (performance.now() - startMs) / 1_000 };
  };
}

interface BenchNode {
  /** Processor time that went into making up answers so far. */
  readonly makingSeconds: number;
  begin(): Promise<void>;
  round(turn: number, startMs: number): Promise<void>;
  figures(rounds: number): NodeFigures;
  close(): Promise<void>;
}

function openNode(mine: Plan, index: number, speed: number): BenchNode {
  const random = createRandom('swarm-bench', String(index));
  const identity = identityFromSeed(randomBytes(32));
  const seed = BigInt(`0x${seedOfKey(identity.publicKey)}`);
  let swarm: Swarm | null = null;
  let connectedAtMs: number | null = null;
  let firstAdoptedAtMs: number | null = null;
  let beganAtMs = 0;
  let makingSeconds = 0;
  let adopted = 0;
  let origins = 0;
  const open = () =>
    createSwarm({
      name: 'bench',
      bootstrap: [{ host: '127.0.0.1', port: mine.port }],
      host: '127.0.0.1',
      identity,
      isOwnTask: isTaskOfKey,
      policyName: () => 'synthetic',
      verify: (ref, texts) => {
        const checked = verifyGroup(ref, texts);
        if (!checked.ok) return checked;
        const rewards = checked.verdicts.map((verdict) => verdict.reward);
        return { ok: true, ref: checked.ref, question: checked.instance.question, rewards };
      },
      now: Date.now,
      random: () => random.float(),
      log: () => undefined,
      onChange: () => {
        if (connectedAtMs === null && (swarm?.status().peers ?? 0) > 0) connectedAtMs = performance.now();
      },
      limits: {
        pullIntervalMs: DEFAULT_LIMITS.pullIntervalMs / speed,
        pullsPerSecond: DEFAULT_LIMITS.pullsPerSecond * speed,
        messagesPerSecond: DEFAULT_LIMITS.messagesPerSecond * speed,
        bytesPerMinute: DEFAULT_LIMITS.bytesPerMinute * speed,
        recordsPerSecond: DEFAULT_LIMITS.recordsPerSecond * speed,
        recordBurst: GROUPS_WANTED,
      },
    });
  return {
    get makingSeconds() {
      return makingSeconds;
    },
    begin: async () => {
      await new Promise((resolve) => setTimeout(resolve, random.float() * mine.joinSpreadMs));
      beganAtMs = performance.now();
      swarm = await open();
    },
    round: async (turn, startMs) => {
      const beforeMaking = process.cpuUsage();
      const groups = syntheticGroups(seed, turn, () => random.float());
      const { user, system } = process.cpuUsage(beforeMaking);
      makingSeconds += (user + system) / 1e6;
      swarm?.share(groups, turn);
      const endMs = startMs + turn * mine.roundSeconds * 1_000;
      // Looks now and then to see when the first group can be had; the rest is adopted at the end.
      while (performance.now() < endMs) {
        const leftMs = Math.max(1, endMs - performance.now());
        await new Promise((resolve) => setTimeout(resolve, firstAdoptedAtMs === null ? Math.min(100, leftMs) : leftMs));
        if (firstAdoptedAtMs === null && (swarm?.status().groupsPooled ?? 0) > 0) firstAdoptedAtMs = performance.now();
      }
      const taken = swarm?.adopt(GROUPS_WANTED) ?? [];
      adopted += taken.length;
      origins += new Set(taken.map((group) => group.origin)).size;
    },
    figures: (rounds) => {
      const { bytesIn, bytesOut, rejected, peers } = swarm!.status();
      const { mute = 0, ...others } = rejected;
      return {
        connectedSeconds: connectedAtMs === null ? null : (connectedAtMs - beganAtMs) / 1_000,
        firstAdoptedSeconds: firstAdoptedAtMs === null ? null : (firstAdoptedAtMs - beganAtMs) / 1_000,
        bytesIn,
        bytesOut,
        adopted,
        distinctOrigins: origins / rounds,
        failedPulls: mute,
        refused: Object.values(others).reduce((sum, count) => sum + count, 0),
        peers,
      };
    },
    close: async () => swarm?.close(),
  };
}

/** Tasks of this node's own stream; some answers right, some not, with a train of thought of any length before them. */
function syntheticGroups(seed: bigint, turn: number, random: () => number): ShareableGroup[] {
  const set = getTaskSet('starter')!;
  const refs = sampleTaskRefs(set, { seed, from: turn * GROUPS_SHARED, count: GROUPS_SHARED });
  return refs.flatMap((task) => {
    const made = instantiate(task);
    if (!made.ok) return [];
    const wordsEach = 5 + Math.floor(random() * 160);
    const completions = Array.from({ length: COMPLETIONS }, (_, i) => {
      const thought = Array.from(
        { length: Math.floor(wordsEach * (0.5 + random())) },
        () => WORDS[Math.floor(random() * 2048)],
      );
      const answer = i % 2 === 0 ? made.instance.answer : `${String(turn)} ${String(i)}`;
      return { text: `${thought.join(' ')}\n<answer>${answer}</answer>`, ended: true };
    });
    return [{ task, completions }];
  });
}
