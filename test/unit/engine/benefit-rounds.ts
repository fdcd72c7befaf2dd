/**
 * Rounds of the real loop on a real compute server in this process, with a benefit meter between them and peers that always send the
 * same groups: what a node does, without swarm, store and run states. Knows nothing of what is checked.
 */
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import type { OpenedPolicy } from '../../../native-models/runtime/compute-protocol.ts';
import { loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import { configSchema } from '../../../src-main/config/schema.ts';
import type { Config } from '../../../src-main/config.ts';
import type { BenefitReport, BenefitRow } from '../../../src-main/engine/api.ts';
import { BenefitMeter } from '../../../src-main/engine/benefit/benefit-meter.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { runRound, type RoundResult } from '../../../src-main/engine/loop.ts';
import { Practice } from '../../../src-main/engine/rounds/practice.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import { getTaskSet, sampleTasks } from '../../../src-main/tasks/task-sets.ts';
import type { Group, JsonValue } from '../../../src-main/types.ts';
import { define, openCompute } from '../compute/in-process.ts';

/** Short rounds and short comparisons. */
export const shortRounds = {
  provider: 'cpu',
  promptsPerRound: 3,
  groupSize: 4,
  maxNewTokens: 24,
  ownGroups: 2,
  peerGroups: 2,
  learningRate: 1e-4,
  warmupSteps: 0,
  benefitRounds: 2,
  benefitTasks: 5,
  benefitPercent: 50,
} as const;
/** As kept by a node that has saved up for whatever may come. */
export const savedUp: JsonValue = { saved: 1e9, sharing: null };

const SEED = '7';
const tokenizer = await loadTokenizer(bundledPolicyDirectory());

/** Two right and two wrong answers to each of `count` tasks that only this round has. */
function peerGroups(round: number, count: number): Group[] {
  const set = getTaskSet('starter')!;
  return sampleTasks(set, { seed: 99n, from: round * count, count }).map(({ ref, question, terseAnswer }, i) => ({
    id: `${round}/${i}`,
    origin: 'aa'.repeat(32),
    task: ref,
    question,
    completions: [terseAnswer, 'no idea', terseAnswer, '?'].map((answer) => ({
      text: `<answer>${answer}</answer>`,
      ended: true,
      reward: answer === terseAnswer ? 1 : 0,
    })),
    round,
    policyName: 'peer',
    receivedAt: round,
  }));
}

type Call = ComputeHost['call'];

export interface Rounds {
  config: Config;
  meter: BenefitMeter;
  /** As stored. */
  rows: BenefitRow[];
  /** At every change. */
  told: BenefitReport[];
  log: string[];
  /** Of the last round, as a node keeps it. */
  kept: JsonValue;
  results: RoundResult[];
  /** In front of every call of the compute process; may throw in its place. */
  intercept: (name: string, args: unknown) => void;
  run(rounds: number): Promise<void>;
  chooseTasks(set: string): void;
  /** As if the compute process had been started anew and brought to the last round. */
  renewCompute(): void;
  /** What the policy makes of some fixed rows: equal bits for equal weights. */
  scores(): Promise<number[][]>;
}

export interface RoundsOptions {
  settings?: Record<string, unknown>;
  /** Without: as a node that has no meter. */
  meter?: boolean;
  peers?: boolean;
  /** What was kept by the rounds before. */
  kept?: JsonValue;
  opened?: Partial<OpenedPolicy>;
}

/** The process is started by the first round. */
export function openRounds(options: RoundsOptions = {}): Rounds {
  const config = configSchema.parse({ ...shortRounds, ...options.settings });
  const objectives = { own: createObjective('grpo', config), peers: createObjective('asympo', config) };
  let process: ReturnType<typeof openCompute> | null = null;
  const open = async (): ReturnType<typeof openCompute> => {
    const started = await openCompute({ threads: 1 });
    for (const objective of [objectives.own, objectives.peers])
      await define(started.compute, started.opened, objective);
    return started;
  };
  const practice = new Practice({ ...config, taskSet: 'starter', seed: SEED });
  const all: Rounds = {
    config,
    meter: undefined as never,
    rows: [],
    told: [],
    log: [],
    kept: options.kept ?? null,
    results: [],
    intercept: () => undefined,
    run,
    chooseTasks: (set) => practice.choose(set),
    renewCompute: () => (watched = watch()),
    scores: async () => (await (process ??= open())).compute.call('score', { rows: fixedRows, maxTokens: 256 }),
  };
  const watch = (): ComputeHost => {
    const call: Call = async (name, args, onProgress) => {
      all.intercept(name, args);
      return (await (process ??= open())).compute.call(name, args, onProgress);
    };
    return { call } as unknown as ComputeHost;
  };
  let watched = watch();
  const meter = new BenefitMeter({
    config,
    seed: SEED,
    objective: objectives.own,
    practice,
    store: {
      recordBenefit: (row) => void all.rows.push(row),
      benefits: (limit) => all.rows.slice(-limit),
    },
    report: () => undefined,
    onChange: () => void all.told.push(meter.report()),
    now: () => 1,
    log: { info: (text) => void all.log.push(text), warn: (text) => void all.log.push(text) },
  });
  all.meter = meter;
  meter.restore(all.kept);
  const policy = { tokenizer, style: 'terse' as const, chat: null };
  let round = 0;
  let version = 0;
  return all;

  async function run(rounds: number): Promise<void> {
    const { compute, opened } = await (process ??= open());
    for (let i = 0; i < rounds; i++) {
      round++;
      const waiting = options.peers === false ? [] : peerGroups(round, 3);
      await runRound(
        {
          config,
          seed: SEED,
          compute,
          policy: { ...policy, contextTokens: opened.config.contextTokens, version },
          objectives,
          sharing: options.meter === false ? config : meter.mix,
          tasks: (at) => practice.tasks(at),
          swarm: {
            share: (groups) => groups.map(() => null),
            adopt: (choose) => choose(waiting).map((group) => ({ group, waitedRounds: 0 })),
          },
          report: () => undefined,
          commit: (result) => {
            all.results.push(result);
            version = result.outcome?.policyVersion ?? version;
            practice.learn(result.own);
            all.kept = meter.learn(result);
            return Promise.resolve();
          },
        },
        round,
      );
      if (options.meter === false) continue;
      await meter.afterRound({
        compute: watched,
        opened: { ...opened, ...options.opened },
        policy,
        round,
        version,
        fits: () => true,
      });
    }
  }
}

const fixedRows = ['12+7=', '3*9=', 'gcd 12 18'].map((text) => ({
  tokens: [...tokenizer.encode(text), ...tokenizer.encode('<answer>19</answer>')],
  promptLength: tokenizer.encode(text).length,
}));
