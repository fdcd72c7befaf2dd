/**
 * Every setting of a node, once: type, default, unit, range and one sentence. Types, CLI flags, environment variables, the
 * settings form and the docs derive from this table (`fields.ts`); reading them from their sources is `load.ts`.
 * Knows nothing of where a value comes from or who uses it. Flat on purpose: one name per setting, everywhere.
 */
import { z } from 'zod';

export type ConfigGroup = 'node' | 'policy' | 'swarm' | 'rollout' | 'training' | 'storage';

export interface FieldNotes {
  group: ConfigGroup;
  /** Empty where the value has none. */
  unit: string;
  /** One sentence for people. */
  sentence: string;
  /** Where the flag is not simply the field's name in kebab-case. */
  flag?: string;
  /** Never shown, logged or sent. */
  secret?: boolean;
  /** Resolved against the folder of the config file, or the working folder. */
  path?: boolean;
}

export const fieldNotes = z.registry<FieldNotes>();

function field<S extends z.ZodType>(
  schema: S,
  group: ConfigGroup,
  unit: string,
  sentence: string,
  more: Omit<FieldNotes, 'group' | 'unit' | 'sentence'> = {},
): S {
  fieldNotes.add(schema, { group, unit, sentence, ...more });
  z.globalRegistry.add(schema, { description: sentence });
  return schema;
}

const whole = (min: number, max: number, preset: number) => z.int().min(min).max(max).default(preset);
const real = (min: number, max: number, preset: number) => z.number().min(min).max(max).default(preset);
const text = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .regex(/^[^\p{Cc}]*$/u, 'must not contain control characters');

const hostPort = z
  .string()
  .max(270)
  .regex(/^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$/, 'must look like HOST:PORT')
  .refine((value) => {
    const port = Number(value.slice(value.lastIndexOf(':') + 1));
    return port >= 1 && port <= 65535;
  }, 'must have a port from 1 to 65535');

const roles = ['both', 'generates', 'trains'] as const;

const objectives = ['grpo', 'asympo', 'spo', 'sft'] as const;

const demonstrationSources = ['peers', 'file', 'own'] as const;

const loraTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

const shape = {
  dataDirectory: field(
    text(4096).default(''),
    'node',
    '',
    "Folder for checkpoints, history, key and logs; empty is the system's folder for app data.",
    { flag: 'data', path: true },
  ),
  displayName: field(
    text(40).default(''),
    'node',
    '',
    "Name that other nodes see beside yours; empty shows the start of the node's public key.",
  ),
  headless: field(
    z.boolean().default(false),
    'node',
    '',
    'Run without a window and serve the dashboard to a browser on this machine.',
  ),
  port: field(
    whole(0, 65535, 4747),
    'node',
    '',
    'Port of the dashboard and of the CLI on 127.0.0.1; 0 takes any free one.',
  ),
  role: field(
    z.enum(roles).default('both'),
    'node',
    '',
    "What the node does in the swarm: both generates and trains; generates answers tasks and shares the answers, and its policy stays as it is; trains writes no answers and trains on peers' groups alone, ownGroups and peerGroups together of them each round.",
  ),
  rounds: field(
    whole(0, 1_000_000_000, 0),
    'node',
    'rounds',
    'Stop training after this many rounds in this start; 0 goes on until stopped.',
  ),
  seed: field(
    whole(0, 4_294_967_295, 0),
    'node',
    '',
    "Start of all random numbers; 0 derives it from the node's own key, so that nodes practise different tasks.",
  ),
  logLevel: field(
    z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    'node',
    '',
    'Least important kind of message that is written to the log.',
  ),

  policyDirectory: field(
    text(4096).default(''),
    'policy',
    '',
    'Folder of the model to train, in Hugging Face layout; empty is the bundled policy.',
    { flag: 'policy', path: true },
  ),
  adapter: field(
    z.enum(['auto', 'lora', 'full']).default('auto'),
    'policy',
    '',
    'What training changes: lora a small adapter beside the frozen policy, full all weights, auto lora for policies of more than 50 million parameters.',
  ),
  loraRank: field(whole(1, 1024, 16), 'policy', '', 'Rank of the adapter: more can learn more and needs more memory.'),
  loraAlpha: field(real(0.001, 100_000, 32), 'policy', '', 'The adapter counts alpha / rank times.'),
  loraTargets: field(
    z
      .array(z.enum(loraTargets))
      .min(1)
      .max(loraTargets.length)
      .default([...loraTargets]),
    'policy',
    '',
    'Linears of the policy that get an adapter, comma-separated.',
  ),
  provider: field(
    z.enum(['auto', 'cpu', 'webgpu', 'cuda', 'dml', 'coreml']).default('auto'),
    'policy',
    '',
    'What computes: auto takes the fastest provider that computed correctly in its trial.',
  ),
  decodePrecision: field(
    z.enum(['auto', 'f32', 'f16', 'int8', 'int4']).default('auto'),
    'policy',
    '',
    'Numbers that answers are sampled in while an adapter is trained: int8 and int4 decode from a compressed copy of the frozen policy, f16 on graphics cards that compute in it; auto takes int8 on a processor for policies of more than 50 million parameters, else f32.',
  ),
  providerDevice: field(
    whole(0, 63, 0),
    'policy',
    '',
    'Which card a provider that is named (cuda, dml) computes on, numbered as waggle doctor shows them; auto chooses.',
  ),
  cpuThreads: field(whole(0, 512, 0), 'policy', 'threads', 'Threads of the CPU provider; 0 takes one per core.'),

  swarmEnabled: field(
    z.boolean().default(true),
    'swarm',
    '',
    'Trade rollouts with other nodes; off trains alone and opens no connection.',
  ),
  swarmName: field(text(100).min(1).default('waggle'), 'swarm', '', 'Nodes with the same swarm name find each other.', {
    flag: 'swarm',
  }),
  swarmSecret: field(
    text(200)
      .refine((value) => value === '' || value.length >= 8, 'must be empty or 8 to 200 characters')
      .default(''),
    'swarm',
    '',
    'Shared secret of a private swarm; better set by environment or file, because a command line is visible to other users.',
    { secret: true },
  ),
  team: field(text(40).default(''), 'swarm', '', 'Team that other nodes see beside your name; empty is none.'),
  maxUploadKilobytes: field(
    whole(0, 1_000_000, 0),
    'swarm',
    'KB/s',
    'Most that trading with peers may send a second; 0 is no limit.',
  ),
  maxDownloadKilobytes: field(
    whole(0, 1_000_000, 0),
    'swarm',
    'KB/s',
    'Most that trading with peers may receive a second; 0 is no limit.',
  ),
  bootstrap: field(
    z.array(hostPort).max(32).default([]),
    'swarm',
    '',
    'DHT nodes HOST:PORT to join through, comma-separated; empty is the public default.',
  ),
  lanDiscovery: field(
    z.boolean().default(true),
    'swarm',
    '',
    'Find members of the swarm on the local network by mDNS and dial them directly, with or without the internet.',
  ),
  carryForOthers: field(
    z.boolean().default(true),
    'swarm',
    '',
    'Where anybody can reach this node, pass packets on between members that cannot reach each other, at most 128 MB an hour; never with a bandwidth cap.',
  ),
  sharedGroupsPerRound: field(
    whole(0, 256, 8),
    'swarm',
    'groups',
    'Most own groups that are offered to peers each round; 0 only receives.',
  ),
  maxPoolMegabytes: field(
    whole(1, 1024, 32),
    'swarm',
    'MB',
    "Most memory for peers' groups that wait to be trained on.",
  ),
  maxGroupAgeRounds: field(
    whole(1, 100_000, 10),
    'swarm',
    'rounds',
    "Peers' groups that waited longer than this are dropped.",
  ),

  taskSet: field(
    z.enum(['starter', 'easy', 'sapo', 'everything']).default('starter'),
    'rollout',
    '',
    'Set of tasks that the node practises; the default gives way to that of a swarm joined by invite.',
  ),
  curriculum: field(
    z.boolean().default(false),
    'rollout',
    '',
    'Move the level of each task so that about half of the answers are right; otherwise each stays at the level of its set.',
  ),
  examRounds: field(
    whole(0, 1_000_000, 100),
    'rollout',
    'rounds',
    'After every so many rounds the policy takes the exam of its task set, on tasks that no node trains on; 0 never.',
  ),
  examTasks: field(
    whole(1, 4096, 64),
    'rollout',
    'tasks',
    'Tasks of the exam; each is answered greedily and once sampled.',
  ),
  scoring: field(
    z.enum(['strict', 'partial']).default('strict'),
    'rollout',
    '',
    "How own answers are rewarded: strict is 1 or 0, partial the reference library's credit for being near; peers' answers are always judged strictly.",
  ),
  promptsPerRound: field(whole(1, 1024, 8), 'rollout', 'prompts', 'Tasks that the policy answers each round.'),
  groupSize: field(
    whole(2, 256, 8),
    'rollout',
    'completions',
    'Answers to each task (G); they are compared with each other, so at least 2.',
  ),
  temperature: field(
    real(0.05, 5, 1),
    'rollout',
    '',
    'Sampling temperature: higher tries more, lower repeats what is most likely.',
  ),
  topK: field(
    whole(0, 1_000_000, 0),
    'rollout',
    'tokens',
    'Sample only from this many most likely tokens; 0 is all of them.',
  ),
  topP: field(
    real(0.01, 1, 1),
    'rollout',
    '',
    'Sample only from the most likely tokens that together have this probability; 1 is all of them.',
  ),
  maxNewTokens: field(
    whole(1, 32_768, 80),
    'rollout',
    'tokens',
    'Longest answer; what goes on longer is cut and counts as wrong unless it holds the answer.',
  ),
  stopTexts: field(
    z
      .array(
        z
          .string()
          .min(1)
          .max(100)
          .regex(/^[\n\t\P{Cc}]*$/u, 'must hold no control characters but line breaks and tabs'),
      )
      .max(16)
      .default([]),
    'rollout',
    '',
    'An answer ends after any of these texts, for models that go on talking; comma-separated, or a list in the file where one holds a comma or a line break.',
  ),

  ownGroups: field(whole(0, 1024, 4), 'training', 'groups', 'Most own groups trained on each round (I).'),
  peerGroups: field(
    whole(0, 1024, 4),
    'training',
    'groups',
    "Most peers' groups trained on each round (J); 0 is ordinary reinforcement learning.",
  ),
  sharing: field(
    z.enum(['fixed', 'adaptive']).default('fixed'),
    'training',
    '',
    "Whether ownGroups and peerGroups stay as they are set (fixed) or move within their sum by how much peers' groups were measured to help (adaptive).",
  ),
  benefitPercent: field(
    real(0, 50, 5),
    'training',
    '%',
    "Most of the node's computing that is spent on measuring what peers' groups bring, by training some rounds a second time without them; 0 never measures.",
  ),
  benefitRounds: field(
    whole(1, 10_000, 25),
    'training',
    'rounds',
    "Rounds of each comparison with and without peers' groups: more show more of a difference and take longer to save up for.",
  ),
  benefitTasks: field(
    whole(2, 4096, 128),
    'training',
    'tasks',
    'Held-out tasks of each comparison; each is answered four times either way.',
  ),
  ownObjective: field(z.enum(objectives).default('grpo'), 'training', '', 'Objective for own groups.'),
  peerObjective: field(
    z.enum(objectives).default('asympo'),
    'training',
    '',
    "Objective for peers' groups, which come without log-probabilities.",
  ),
  peerSampling: field(
    z.enum(['uniform', 'spread', 'fresh']).default('uniform'),
    'training',
    '',
    "How peers' groups are drawn: all alike, rather those solved about half the time, or rather the newest.",
  ),
  maxGroupsPerPeer: field(
    whole(0, 1024, 0),
    'training',
    'groups',
    'Most groups of one peer that are trained on in one round; 0 is no limit.',
  ),
  maxSurpriseGap: field(
    real(0, 100, 0),
    'training',
    'nats',
    "Peers' groups that surprise the policy by this much more per token than its own answers are left out; 0 keeps all.",
  ),
  learningRate: field(
    real(1e-9, 1, 1e-4),
    'training',
    '',
    'Step size of the optimiser after the warm-up where all weights are trained.',
  ),
  // Measured on a policy 192 wide, 80 rounds: 1e-4 hardly moves it, 3e-4 does, 1e-3 is best, 3e-3 falls back. Adapters are for
  // larger policies, which want smaller steps.
  adapterLearningRate: field(
    real(1e-9, 1, 3e-4),
    'training',
    '',
    'The same where an adapter is trained: its few numbers need larger steps.',
  ),
  warmupSteps: field(
    whole(0, 1_000_000, 20),
    'training',
    'steps',
    'Optimiser steps over which the learning rate rises from 0.',
  ),
  maxGradientNorm: field(
    real(1e-6, 1e6, 1),
    'training',
    '',
    'The gradient is scaled down to this norm where it is longer.',
  ),
  weightDecay: field(real(0, 1, 0), 'training', '', 'Decoupled weight decay of AdamW.'),
  adamBeta1: field(real(0, 0.9999, 0.9), 'training', '', 'Decay of the running mean of the gradient in AdamW.'),
  adamBeta2: field(
    real(0, 0.999999, 0.999),
    'training',
    '',
    'Decay of the running mean of the squared gradient in AdamW.',
  ),
  epochsPerRound: field(whole(1, 64, 1), 'training', 'passes', 'Passes over the groups of a round.'),
  clipLow: field(real(0, 0.999, 0.2), 'training', '', 'GRPO ignores importance ratios below 1 minus this.'),
  clipHigh: field(real(0, 10, 0.28), 'training', '', 'GRPO ignores importance ratios above 1 plus this.'),
  grpoNormaliser: field(
    z.enum(['tokens', 'answers', 'constant']).default('tokens'),
    'training',
    '',
    'What GRPO averages over: all tokens alike, each answer alike, or tokens over the constant maxNewTokens.',
  ),
  grpoScaleByStd: field(
    z.boolean().default(true),
    'training',
    '',
    'GRPO divides advantages by the standard deviation of the rewards in the group.',
  ),
  klWeight: field(
    real(0, 10, 0),
    'training',
    '',
    'GRPO: weight of the pull back to the policy before training; above 0 its weights are held in memory a second time.',
  ),
  asympoLow: field(
    real(0, 0.4, 0.02),
    'training',
    '',
    'ASymPO stops lowering a token of a worse answer below this probability; 0 never stops.',
  ),
  asympoHigh: field(
    real(0.6, 1, 0.98),
    'training',
    '',
    'ASymPO stops raising a token of a better answer above this probability; 1 never stops.',
  ),
  spoAlpha: field(
    real(0, 1, 0.2),
    'training',
    '',
    'SPO: strength with which worse answers are avoided, relative to better ones; 0 learns from better ones only.',
  ),
  method: field(
    z.enum(['sapo', 'bridge']).default('sapo'),
    'training',
    '',
    'How the policy learns: sapo from rewards alone, bridge from rewards and at once from demonstrations, which are right answers to imitate; it needs more memory.',
  ),
  bridgeLambda: field(
    real(0, 1, 0.5),
    'training',
    '',
    'BRIDGE: weight of the rewards against the demonstrations; 0 only imitates, 1 only follows rewards.',
  ),
  bridgeAnnealSteps: field(
    whole(0, 100_000_000, 0),
    'training',
    'steps',
    'BRIDGE: optimiser steps over which the weight of the rewards rises from 0 to bridgeLambda; 0 keeps it fixed.',
  ),
  bridgeRank: field(
    whole(1, 1024, 16),
    'training',
    '',
    'BRIDGE: rank of the second adapter, which learns how demonstrations help rewards.',
  ),
  bridgeLearningRate: field(
    real(1e-9, 1, 4e-4),
    'training',
    '',
    'BRIDGE: step size of the second adapter after the warm-up.',
  ),
  demonstrationsPerRound: field(
    whole(1, 4096, 16),
    'training',
    'demonstrations',
    'BRIDGE: most demonstrations that are imitated each round.',
  ),
  demonstrationSources: field(
    z.array(z.enum(demonstrationSources)).min(1).max(demonstrationSources.length).default(['peers', 'file']),
    'training',
    '',
    "BRIDGE: where demonstrations come from, comma-separated: peers' right answers as verified here, the file demonstrationFile, and own right answers where those two give too few.",
  ),
  demonstrationFile: field(
    text(4096).default(''),
    'training',
    '',
    'BRIDGE: JSON lines, each with completion and either task (verified here) or prompt (taken as it is); empty is none.',
    { path: true },
  ),
  maxDemonstrations: field(
    whole(16, 100_000, 1024),
    'training',
    'demonstrations',
    "BRIDGE: most of peers' demonstrations that are kept to draw from, a quarter of them from one peer.",
  ),
  microBatchTokens: field(
    whole(64, 1_048_576, 768),
    'training',
    'tokens',
    'Most tokens computed in one pass of the compute process, a prompt that answers share counted once, and at least one answer: less uses less memory; passes are made smaller by themselves where memory is short.',
  ),
  recomputeActivations: field(
    z.enum(['auto', 'on', 'off']).default('auto'),
    'training',
    '',
    'Compute layers again for their gradient instead of keeping what they made: a third of the memory of a pass for about a third more time; auto where the work does not fit otherwise.',
  ),
  maxMemoryMegabytes: field(
    whole(0, 100_000_000, 0),
    'training',
    'MB',
    'Memory into which the work of the compute process is fitted on the CPU; 0 is what is free when it starts, less a reserve for other programs.',
  ),

  checkpointSeconds: field(
    whole(0, 86_400, 60),
    'storage',
    's',
    'Write a checkpoint at the end of a round when the last one is older than this; 0 is every round.',
  ),
  retentionRounds: field(whole(100, 100_000_000, 100_000), 'storage', 'rounds', 'Rounds of history that are kept.'),
  retentionMegabytes: field(
    whole(16, 1_000_000, 256),
    'storage',
    'MB',
    'Most disk for the history of rounds and rollouts; the oldest go first.',
  ),
};

const settings = z.strictObject(shape);

/** What a node that does half of it has no use for. */
function roleConflicts(config: z.infer<typeof settings>): [name: keyof typeof shape, message: string][] {
  const { role } = config;
  if (role === 'both') return [];
  const conflicts: [name: keyof typeof shape, message: string][] = [];
  if (!config.swarmEnabled)
    conflicts.push(['swarmEnabled', `must not be off while role is ${role}: the other half is peers' work`]);
  if (config.sharing === 'adaptive')
    conflicts.push([
      'sharing',
      `cannot be adaptive while role is ${role}: there is nothing to move between own and peers' groups`,
    ]);
  if (config.method === 'bridge')
    conflicts.push([
      'method',
      `cannot be bridge while role is ${role}: ${role === 'generates' ? 'nothing is trained' : 'demonstrations are chosen by how they compare with own answers'}`,
    ]);
  if (role === 'generates' && config.sharedGroupsPerRound === 0)
    conflicts.push([
      'sharedGroupsPerRound',
      'must not be 0 while role is generates: nothing would come of its answers',
    ]);
  if (role === 'trains' && config.peerGroups === 0)
    conflicts.push(['peerGroups', "must not be 0 while role is trains: peers' groups are all it trains on"]);
  if (role === 'trains' && config.maxSurpriseGap > 0)
    conflicts.push(['maxSurpriseGap', 'must be 0 while role is trains: there are no own answers to compare with']);
  return conflicts;
}

/** Raises what no single field can see. The path names the field whose change fixes it. */
export const configSchema = settings.superRefine((config, context) => {
  const conflict = (name: keyof typeof shape, message: string) =>
    context.addIssue({ code: 'custom', path: [name], message });
  if (config.ownGroups + config.peerGroups === 0)
    conflict('ownGroups', 'and peerGroups must not both be 0: nothing would be trained');
  if (config.ownGroups === 0 && config.peerGroups > 0 && !config.swarmEnabled)
    conflict('ownGroups', 'must not be 0 while swarmEnabled is off: nothing would be trained');
  for (const message of roleConflicts(config)) conflict(...message);
  if (config.demonstrationFile !== '' && !config.demonstrationSources.includes('file'))
    conflict('demonstrationSources', 'must include file while demonstrationFile names one');
  if (config.sharing === 'adaptive' && config.benefitPercent === 0)
    conflict('sharing', 'cannot be adaptive while benefitPercent is 0: nothing would be measured that it could follow');
  if (config.sharing === 'adaptive' && config.ownGroups + config.peerGroups < 2)
    conflict(
      'sharing',
      'cannot be adaptive where ownGroups and peerGroups make fewer than 2: there is nothing to move',
    );
});

export const configShape = shape;
export type Config = z.infer<typeof configSchema>;
export type Role = Config['role'];
export type ConfigName = keyof Config;
