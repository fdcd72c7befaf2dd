/** What the fake node is made to look like. Numbers come from a fixed sequence, so that every run of a test sees the same page. */
import type {
  BenefitReport,
  BenefitRow,
  DemonstrationReport,
  ExamRow,
  HardwareReport,
  LeaderboardRow,
  LogRow,
  MetricDefinition,
  NodeStatus,
  PeerRow,
  RolloutRow,
  RoundRow,
  RunState,
  TaskPractice,
} from '../../src-main/engine/api.ts';
import { benefitReport } from '../../src-main/engine/benefit/benefit-report.ts';
import { metricDefinitions } from '../../src-main/stats/metrics.ts';
import { keyOf, makeCredit, makeCrowd, noCredit, type Credit } from './credit-rows.ts';

export type ScenarioName =
  | 'empty'
  | 'training'
  | 'paused'
  | 'restarting'
  | 'givenUp'
  | 'error'
  | 'offline'
  | 'hostile'
  | 'long'
  | 'crowd'
  | 'alone'
  | 'off'
  | 'bridge'
  | 'bridgeEmpty';

export interface Scenario {
  status: NodeStatus;
  hardware: HardwareReport;
  metrics: MetricDefinition[];
  rounds: RoundRow[];
  rollouts: RolloutRow[];
  leaderboard: LeaderboardRow[];
  peers: PeerRow[];
  credit: Credit;
  practice: TaskPractice;
  exams: ExamRow[];
  benefit: BenefitReport;
  demonstrations: DemonstrationReport;
  log: LogRow[];
}

export const ownKey = '5e'.repeat(32);
export const hostileText =
  '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{@html "x"} \u202Egnp.exe ' + 'A'.repeat(9000);

/** Deterministic numbers in [0, 1): mulberry32. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const startedAt = Date.now();
const roundMs = 2_400;
const random = sequence(7);
const peerKeys = Array.from({ length: 9 }, () =>
  Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join(''),
);

export function makeRound(round: number, total: number, now = Date.now()): RoundRow {
  const noise = sequence(round + 1);
  noise();
  const mean = 0.24 + 0.42 * (1 - Math.exp(-round / (total * 0.45 + 20)));
  const clip = (value: number): number => Math.min(1, Math.max(0, value));
  return {
    round,
    finishedAt: now - (total - round) * roundMs,
    seconds: 2.2 + noise() * 0.5,
    policyVersion: round,
    metrics: {
      ownReward: clip(mean + (noise() - 0.5) * 0.24),
      ...(round % 3 === 0 && round > 10 ? { adoptedReward: clip(mean - 0.05 + (noise() - 0.5) * 0.2) } : {}),
      entropy: 1.1 * Math.exp(-round / 400) + noise() * 0.05,
      groupSpread: 0.4 - 0.1 * (round / total) + noise() * 0.05,
      zeroAdvantage: clip(0.2 + 0.3 * (round / total) + noise() * 0.2),
      gradientNorm: 0.6 + noise() * 0.5,
      clippedTokens: 0,
      ownNll: 0.5 * Math.exp(-round / 400) + noise() * 0.03,
      ownBalance: 0.9 + noise() * 0.3,
      ...(round > 10
        ? {
            peerNll: 0.7 * Math.exp(-round / 500) + noise() * 0.05,
            peerBalance: 0.95 + noise() * 0.1,
            staleness: 1 + noise(),
            stabilisedHigh: clip(0.3 + 0.3 * (round / total)),
            stabilisedLow: clip(0.02 + noise() * 0.02),
          }
        : {}),
      ownGroups: 4,
      peerGroups: round > 10 ? 4 : 0,
      generateTokensPerSecond: 4800 + noise() * 600,
    },
  };
}

const metrics: MetricDefinition[] = [...metricDefinitions];

const tries: [string, string, string, string][] = [
  [
    'chain_sum',
    'State the final answer to the following arithmetic problem: 48 + 17 - 9 =',
    '56',
    '48 + 17 = 65\n65 - 9 = 56\nanswer: 56',
  ],
  [
    'gcd',
    'Find the greatest common divisor of 84 and 36. Give only the number.',
    '12',
    '84 = 2*36 + 12\n36 = 3*12\nanswer: 12',
  ],
  [
    'number_sorting',
    'Sort these numbers in ascending order: 7, -3, 22, 4',
    "['-3', '4', '7', '22']",
    "['-3', '4', '22', '7']",
  ],
  ['fraction_simplification', 'Simplify the fraction 18/24', '3/4', '18/24 = 9/12\nanswer: 3/4'],
  ['spell_backward', 'Spell this word backward: honey', 'yenoh', 'yenho'],
  ['basic_arithmetic', 'Calculate 6 * 13.', '78', '6 * 13 = 60 + 18\nanswer: 78'],
];

export function makeRollout(id: number, now = Date.now()): RolloutRow {
  const [generator, question, answer, completion] = tries[id % tries.length]!;
  const own = id % 3 !== 0;
  const right = completion.endsWith(answer);
  return {
    id,
    round: Math.floor(id / 8),
    at: now,
    origin: own ? ownKey : peerKeys[id % peerKeys.length]!,
    own,
    policyName: own ? 'waggle-bundled' : 'waggle-bundled-b',
    task: { generator, version: 1, config: {}, seed: String(id), index: id },
    question,
    answer,
    completion,
    ended: id % 7 !== 0,
    reward: right ? 1 : 0,
    advantage: right ? 0.71 : -0.71,
  };
}

function state(name: RunState['name'], text: string, reason: RunState['reason'] = null, forMs = 754_000): RunState {
  return { name, reason, text, sinceMs: startedAt - forMs };
}

export const states = {
  training: state('training', 'Training'),
  paused: state('paused', 'Paused by you', { kind: 'user' }, 2_000),
  finishing: state('finishing', 'Finishing the round, then pausing', { kind: 'user' }, 1_000),
} satisfies Record<string, RunState>;

function baseStatus(rounds: number): NodeStatus {
  return {
    version: '0.1.0',
    role: 'both',
    state: states.training,
    stage: 'generate',
    policy: {
      name: 'waggle-bundled',
      architecture: 'Llama, 6 layers, 192 wide, 6 heads',
      parameters: 3_214_848,
      contextTokens: 256,
      vocabularySize: 1024,
      version: rounds,
      directory: '/home/ada/.local/share/waggle/policy',
      decode: { precision: 'int8', reason: 'The settings ask for it.' },
      training: {
        precision: 'f32',
        reason: 'The weights are stored in bfloat16 and widened, which changes none of them.',
      },
    },
    provider: { name: 'webgpu', adapter: 'NVIDIA GeForce RTX 4070' },
    givenUp: [],
    objective: { own: 'grpo', peers: 'asympo', method: 'sapo' },
    round: rounds,
    meanReward: rounds === 0 ? null : 0.58,
    recentRounds: 20,
    tokensPerSecond: rounds === 0 ? { generate: null, train: null } : { generate: 5_120, train: 13_480 },
    tokensTotal: { generated: rounds * 5_800, trained: rounds * 9_100 },
    swarm: {
      presence: 'connected',
      text: 'Trading with 4 peers',
      name: 'waggle-main',
      publicKey: ownKey,
      peers: 4,
      groupsShared: rounds * 6,
      groupsAdopted: Math.floor(rounds * 1.7),
      groupsPooled: 38,
      rejected: { forgedSignature: 2, oversize: 1, expired: 14 },
      bytesIn: 8_412_000,
      bytesOut: 6_120_400,
      network: {
        nat: 'consistent',
        publicAddress: '203.0.113.7:49737',
        lanDiscovery: true,
        paths: { direct: 2, relayed: 1, lan: 1 },
        maxBytesPerSecondIn: 0,
        maxBytesPerSecondOut: 256 * 1024,
        relaying: { sessions: 0, bytes: 0 },
      },
    },
    uptimeMs: 812_000,
    trainedMs: 8_212_000,
    memory: [
      { process: 'node', pid: 4121, rssBytes: 164 * 2 ** 20 },
      { process: 'compute', pid: 4140, rssBytes: 512 * 2 ** 20 },
    ],
    computeRestarts: 0,
    work: {
      passTokens: 1024,
      askedPassTokens: 1024,
      recompute: false,
      decodedRows: null,
      needBytes: 600_000_000,
      freeBytes: 8_000_000_000,
      isTight: false,
      shortages: 0,
      text: null,
    },
    lastCheckpointAt: startedAt - 22_000,
    dataDirectory: '/home/ada/.local/share/waggle',
    displayName: 'Ada’s workshop',
  };
}

const hardware: HardwareReport = {
  cpu: { model: 'AMD Ryzen 7 7700', cores: 8, threads: 16 },
  memory: { totalBytes: 32 * 2 ** 30, freeBytes: 18.4 * 2 ** 30 },
  gpus: [{ name: 'NVIDIA GeForce RTX 4070', vendor: 'NVIDIA', vramBytes: 12 * 2 ** 30, driver: '580.95' }],
  battery: { present: false, charging: null, percent: null },
  os: { platform: 'linux', release: '6.12', arch: 'x64' },
  verdicts: [
    {
      provider: 'webgpu',
      device: 0,
      adapter: 'NVIDIA GeForce RTX 4070',
      verdict: 'used',
      maxRelativeError: 1.3e-5,
      trainStepMs: 14.2,
      decodeStepMs: 2.1,
      peakBytes: 402 * 2 ** 20,
      detail: '',
      testedAt: startedAt,
    },
    {
      provider: 'cpu',
      device: 0,
      adapter: null,
      verdict: 'correct',
      maxRelativeError: 0,
      trainStepMs: 96,
      decodeStepMs: 8.4,
      peakBytes: 298 * 2 ** 20,
      detail: '',
      testedAt: startedAt,
    },
    {
      provider: 'cuda',
      device: 0,
      adapter: null,
      verdict: 'unavailable',
      maxRelativeError: null,
      trainStepMs: null,
      decodeStepMs: null,
      peakBytes: null,
      detail: 'libcublasLt.so.12 was not found on this system.',
      testedAt: startedAt,
    },
  ],
  trying: false,
  unknown: [],
};

function makeBoard(): LeaderboardRow[] {
  const names = ['Bramble', null, 'Linden Hill', 'Heather-3090', null, 'Clover'];
  const row = (peer: string, i: number, own: boolean): LeaderboardRow => ({
    peer,
    own,
    displayName: own ? 'Ada’s workshop' : (names[i] ?? null),
    policyName: own ? 'waggle-bundled' : 'waggle-bundled-b',
    groupsVerified: own ? 1_240 : 980 - i * 160,
    completionsVerified: own ? 9_920 : 7_840 - i * 1_280,
    completionsRight: own ? 5_420 : 6_020 - i * 1_010,
    groupsAdopted: own ? 0 : 240 - i * 38,
    rejected: i === 3 ? 17 : 0,
    firstSeenAt: startedAt - 86_400_000,
    lastSeenAt: startedAt - i * 41_000,
  });
  return [row(ownKey, 0, true), ...peerKeys.slice(0, 6).map((key, i) => row(key, i, false))];
}

function makePeers(): PeerRow[] {
  return peerKeys.slice(0, 7).map((peer, i) => ({
    peer,
    connected: i < 4,
    policyName: i === 2 ? null : 'waggle-bundled-b',
    latencyMs: i === 1 ? null : 12 + i * 23,
    path: i < 4 ? (['lan', 'direct', 'relayed', 'direct'] as const)[i]! : null,
    bytesIn: 120_000 * i,
    bytesOut: 90_000 * i,
    groupsReceived: 240 - i * 30,
    groupsGiven: 35 + i * 20,
    role: (['both', 'generates', 'trains', null] as const)[i] ?? 'both',
    adoptedLastHour: i === 2 ? 0 : Math.max(0, 31 - i * 6),
    rejected: i === 3 ? { forgedSignature: 17 } : {},
    lastSeenAt: startedAt - i * 60_000,
  }));
}

function makeLog(): LogRow[] {
  const lines: [LogRow['level'], string, string][] = [
    ['info', 'engine', 'Started with policy waggle-bundled at step 213.'],
    ['info', 'compute', 'WebGPU proved correct: largest relative error 1.3e-5.'],
    ['debug', 'swarm', 'Pulled 24 records from 5e1f…; 2 were duplicates.'],
    ['warn', 'swarm', 'Turned away a record: forged signature.'],
    ['info', 'store', 'Checkpoint 213 written in 38 ms.'],
    ['error', 'compute', 'The compute process ended with code 139.'],
  ];
  return Array.from({ length: 60 }, (_, i) => {
    const [level, source, message] = lines[i % lines.length]!;
    return { at: startedAt - (60 - i) * 4_000, level, source, message };
  });
}

function makePractice(begun: boolean): TaskPractice {
  const tasks = ['chain_sum', 'products', 'gcd', 'number_sorting', 'spell_backward', 'base_conversion'];
  const trends = ['rising', 'steady', 'falling', 'rising', 'unknown', 'steady'] as const;
  return {
    taskSet: 'starter',
    version: 1,
    moves: true,
    tasks: tasks.map((generator, i) => ({
      generator,
      level: i % 3,
      levelName: ['starter', 'easy', 'reference'][i % 3]!,
      levelCount: 5,
      success: begun && i !== 4 ? 0.25 + 0.1 * i : null,
      trend: begun ? trends[i]! : 'unknown',
      groups: begun ? 30 + i : 0,
    })),
  };
}

/** One every 25 rounds, from before the first. */
function makeExams(rounds: number): ExamRow[] {
  const generators = ['chain_sum', 'products', 'gcd', 'number_sorting', 'spell_backward', 'base_conversion'];
  return Array.from({ length: rounds === 0 ? 0 : Math.floor(rounds / 25) + 1 }, (_, i) => {
    const sampled = 0.42 + 0.3 * (1 - Math.exp(-i / 4));
    return {
      round: i * 25,
      at: startedAt - (rounds - i * 25) * roundMs,
      policyVersion: i * 25,
      taskSet: 'starter',
      taskSetVersion: 1,
      tasks: 60,
      greedy: sampled - 0.08 + 0.01 * i,
      sampled,
      seconds: 1.4,
      byTask: generators.map((generator, k) => ({
        generator,
        tasks: 10,
        greedy: Math.min(1, sampled + 0.05 * (k - 3)),
        sampled: Math.min(1, sampled + 0.04 * (k - 3)),
      })),
    };
  });
}

/** Differences in points, one comparison every 50 rounds; the third found too few groups of its own. */
export function makeBenefit(
  comparisons: number,
  differences = [3.4, -1.2, 2.8, 0.6, 2.2, 1.9, -0.4, 3.1],
): BenefitReport {
  const rows = Array.from({ length: comparisons }, (_, i): BenefitRow => {
    const alone = 0.45 + 0.02 * i;
    return {
      round: 50 * (i + 1),
      fromRound: 50 * i + 25,
      at: startedAt - (comparisons - i) * 50 * roundMs,
      taskSet: 'starter',
      taskSetVersion: 1,
      tasks: 128,
      answers: 4,
      withPeers: alone + differences[i % differences.length]! / 100,
      alone,
      standardError: 0.012 + 0.002 * (i % 3),
      groupsWithPeers: 190,
      groupsFromPeers: 95,
      groupsAlone: i % 8 === 2 ? 120 : 190,
      seconds: 14,
    };
  });
  const activity = comparisons === 0 ? ({ name: 'noPeers' } as const) : ({ name: 'saving', share: 0.4 } as const);
  return benefitReport(rows, activity, { percent: 5, sharing: { mode: 'fixed', ownGroups: 4, peerGroups: 4 } });
}

function training(rounds: number): Scenario {
  return {
    status: baseStatus(rounds),
    hardware,
    metrics,
    rounds: Array.from({ length: rounds }, (_, i) => makeRound(i + 1, rounds, startedAt)),
    rollouts: Array.from({ length: 130 }, (_, i) => makeRollout(130 - i, startedAt - i * 900)),
    leaderboard: makeBoard(),
    peers: makePeers(),
    credit: makeCredit(ownKey, 'Ada’s workshop', peerKeys.slice(0, 6), startedAt),
    practice: makePractice(rounds > 0),
    exams: makeExams(rounds),
    benefit: makeBenefit(Math.floor(rounds / 50)),
    demonstrations: noDemonstrations('sapo'),
    log: makeLog(),
  };
}

/** A freshly started node without peers. */
function empty(): Scenario {
  const scenario = training(0);
  const swarm = scenario.status.swarm;
  return {
    ...scenario,
    status: {
      ...scenario.status,
      state: state('training', 'Training', null, 9_000),
      provider: { name: 'cpu', adapter: null },
      swarm: {
        ...swarm,
        presence: 'alone',
        text: 'Training alone: no peers yet',
        peers: 0,
        groupsShared: 0,
        groupsAdopted: 0,
        groupsPooled: 0,
        rejected: {},
        bytesIn: 0,
        bytesOut: 0,
        network: null,
      },
      lastCheckpointAt: null,
      trainedMs: 9_000,
      uptimeMs: 14_000,
    },
    hardware: {
      ...hardware,
      gpus: [],
      verdicts: [
        { ...hardware.verdicts[1]!, verdict: 'used' },
        {
          ...hardware.verdicts[0]!,
          adapter: null,
          verdict: 'unavailable',
          maxRelativeError: null,
          trainStepMs: null,
          decodeStepMs: null,
          detail: 'No adapter was found.',
        },
      ],
    },
    rollouts: [],
    leaderboard: [],
    peers: [],
    credit: noCredit,
    log: [],
  };
}

function hostile(): Scenario {
  const scenario = training(40);
  const rollouts = scenario.rollouts.map((row, i) =>
    i < 4
      ? {
          ...row,
          own: false,
          origin: peerKeys[i]!,
          completion: hostileText,
          policyName: hostileText,
          question: i === 0 ? hostileText : row.question,
        }
      : row,
  );
  return {
    ...scenario,
    status: { ...scenario.status, swarm: { ...scenario.status.swarm, rejected: { [hostileText.slice(0, 300)]: 3 } } },
    rollouts,
    leaderboard: scenario.leaderboard.map((row) =>
      row.own ? row : { ...row, displayName: hostileText, policyName: hostileText },
    ),
    peers: scenario.peers.map((row) => ({ ...row, policyName: hostileText })),
    credit: {
      ...scenario.credit,
      board: (window) =>
        scenario.credit
          .board(window)
          .map((row) => (row.own ? row : { ...row, displayName: hostileText, team: hostileText })),
      ownScore: (window) => ({ ...scenario.credit.ownScore(window)!, refused: { [hostileText.slice(0, 300)]: 2 } }),
    },
    log: [...scenario.log, { at: startedAt, level: 'warn', source: 'swarm', message: hostileText }],
  };
}

const noDemonstrations = (method: DemonstrationReport['method']): DemonstrationReport => ({
  method,
  sources: ['peers', 'file'],
  waiting: [],
  file: null,
  used: { peer: 0, file: 0, own: 0 },
  latest: [],
});

function withBridge(scenario: Scenario, demonstrations: DemonstrationReport): Scenario {
  const { status, rounds } = scenario;
  const noise = sequence(5);
  return {
    ...scenario,
    status: { ...status, objective: { ...status.objective, method: 'bridge' } },
    rounds: rounds.map((row) => ({
      ...row,
      metrics: {
        ...row.metrics,
        cooperativeGain: 0.02 * (1 - Math.exp(-row.round / 60)) + 0.01 * (noise() - 0.5),
        lossSft: 0.3 + 0.5 * Math.exp(-row.round / 80) + 0.05 * noise(),
        bridgeLambda: 0.5,
        demonstrations: 16,
        demonstrationPeers: 3,
      },
    })),
    demonstrations,
  };
}

/** BRIDGE with demonstrations of peers and of a file that is not all it should be. */
function bridge(): Scenario {
  const scenario = training(213);
  const latest = scenario.rollouts.slice(0, 30).map((row, i): DemonstrationReport['latest'][number] => {
    const source = (['peer', 'peer', 'file', 'own'] as const)[i % 4]!;
    return {
      round: 213 - Math.floor(i / 4),
      at: startedAt - i * 900,
      source,
      origin: source === 'peer' ? peerKeys[i % 3]! : source === 'own' ? ownKey : null,
      policyName: source === 'peer' ? 'waggle-bundled-b' : null,
      task: i === 2 ? null : row.task,
      question: row.question,
      text: i === 1 ? hostileText : row.completion,
      surprise: 0.2 + 0.07 * (i % 9),
      ownSurprise: 0.41,
    };
  });
  return withBridge(scenario, {
    method: 'bridge',
    sources: ['peers', 'file', 'own'],
    waiting: peerKeys.slice(0, 3).map((origin, i) => ({ origin, count: 96 >> i })),
    file: {
      path: '/home/ada/solutions.jsonl',
      kept: 1180,
      dropped: [
        { reason: 'wrongAnswer', count: 17, firstLine: 41 },
        { reason: 'notJson', count: 3, firstLine: 902 },
      ],
    },
    used: { peer: 2304, file: 1060, own: 12 },
    latest,
  });
}

/** Five hundred peers met, five hundred owners on the board. */
function crowd(): Scenario {
  const scenario = training(213);
  const keys = Array.from({ length: 500 }, (_, i) => keyOf(i));
  const peerRow = scenario.leaderboard.find((row) => !row.own)!;
  return {
    ...scenario,
    status: { ...scenario.status, swarm: { ...scenario.status.swarm, text: 'Trading with 12 peers', peers: 12 } },
    peers: makeCrowd(500, startedAt),
    credit: makeCredit(ownKey, 'Ada’s workshop', keys, startedAt),
    leaderboard: [
      scenario.leaderboard.find((row) => row.own)!,
      ...keys.map((peer, i) => ({ ...peerRow, peer, displayName: null, groupsAdopted: Math.floor(900 / (i + 2)) })),
    ],
    rollouts: scenario.rollouts.map((row) => {
      const group = Math.ceil(row.id / 8);
      const { task, question, answer, policyName, own } = makeRollout(group);
      const reward = (row.id * 7 + group) % 5 < 2 ? 1 : 0;
      return {
        ...row,
        task,
        question,
        answer,
        policyName,
        own,
        origin: own ? ownKey : keys[group % 12]!,
        round: group,
        reward,
      };
    }),
  };
}

/** In a swarm in which nobody else is: the board has the own row alone, without a score. */
function alone(): Scenario {
  const scenario = empty();
  const credit = makeCredit(ownKey, 'Ada’s workshop', [], startedAt);
  return {
    ...scenario,
    credit: {
      ...credit,
      board: () => credit.board('all').map((row) => ({ ...row, score: 0, checked: 0, auditors: 0 })),
      receipts: () => [],
      ownScore: () => ({
        score: 0,
        checked: 0,
        vouched: 0,
        produced: 36,
        shared: 12,
        pulled: 0,
        pulledByPeers: 0,
        auditors: 0,
        refused: {},
      }),
    },
  };
}

function off(): Scenario {
  const scenario = empty();
  const swarm = { ...scenario.status.swarm, presence: 'off' as const, text: 'Training alone: the swarm is off' };
  return { ...scenario, status: { ...scenario.status, swarm } };
}

const withState = (scenario: Scenario, changes: Partial<NodeStatus>): Scenario => ({
  ...scenario,
  status: { ...scenario.status, stage: 'idle', ...changes },
});

export const scenarios: Record<ScenarioName, () => Scenario> = {
  empty,
  training: () => training(213),
  paused: () => withState(training(213), { state: states.paused }),
  restarting: () =>
    withState(training(213), {
      state: state(
        'waiting',
        'Waiting for the compute process to come back.',
        {
          kind: 'computeRestarting',
          attempt: 2,
          retryInMs: 8_000,
          detail: 'It ended with signal SIGSEGV in the graphics driver.',
        },
        2_000,
      ),
      computeRestarts: 2,
      work: {
        passTokens: 512,
        askedPassTokens: 1024,
        recompute: true,
        decodedRows: null,
        needBytes: 410_000_000,
        freeBytes: 540_000_000,
        isTight: false,
        shortages: 2,
        text: 'Memory ran out: passes are of at most 512 tokens, layers are computed again for their gradient, which takes about 410 MB of 540 MB',
      },
      memory: [{ process: 'node', pid: 4121, rssBytes: 164 * 2 ** 20 }],
    }),
  givenUp: () => {
    const scenario = training(213);
    const text =
      'webgpu was given up: the compute process ended 3 times within 15 minutes (signal SIGSEGV). It is tried again when its driver changes, or by waggle doctor --again';
    const [webgpu, cpu, ...others] = hardware.verdicts;
    return {
      ...scenario,
      status: {
        ...scenario.status,
        provider: { name: 'cpu', adapter: null },
        givenUp: [{ provider: 'webgpu', device: 0, kind: 'crashed', times: 3, at: startedAt, text }],
        computeRestarts: 3,
      },
      hardware: {
        ...hardware,
        verdicts: [{ ...webgpu!, verdict: 'unstable', detail: `${text}.` }, { ...cpu!, verdict: 'used' }, ...others],
      },
    };
  },
  error: () =>
    withState(training(213), {
      state: state(
        'error',
        'The compute process ended five times in a row.',
        {
          kind: 'fault',
          code: 'computeKeepsEnding',
          message: 'The compute process ended five times in a row.',
          fix: 'Update the graphics driver, or start with --provider cpu. Then press Resume.',
        },
        31_000,
      ),
      computeRestarts: 5,
    }),
  offline: () => {
    const scenario = training(80);
    return {
      ...scenario,
      status: {
        ...scenario.status,
        state: state('training', 'Training'),
        swarm: {
          ...scenario.status.swarm,
          presence: 'offline',
          text: 'Training alone: no network',
          peers: 0,
          network: { ...scenario.status.swarm.network!, paths: { direct: 0, relayed: 0, lan: 0 } },
        },
      },
      peers: scenario.peers.map((row) => ({ ...row, connected: false, path: null })),
    };
  },
  hostile,
  long: () => training(5_000),
  crowd,
  alone,
  off,
  bridge,
  bridgeEmpty: () => withBridge(empty(), noDemonstrations('bridge')),
};
