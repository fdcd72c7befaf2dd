/**
 * The one typed API of a node: commands, queries and events, types only. Built over `{ invoke, subscribe }`, which the
 * Electron preload, the WebSocket client and the test fake each supply. The renderer and the CLI are untrusted clients of it:
 * the server parses every argument (see `api-schema.ts`).
 */
import type { JsonObject, PeerId, TaskRef, Verdict } from '../types.ts';

export type RunStateName = 'starting' | 'training' | 'finishing' | 'paused' | 'waiting' | 'error' | 'stopped';

/** Why a node is not training. Closed union: the UI has one sentence for each. */
export type WaitReason =
  | { kind: 'user' } // paused by its owner
  | { kind: 'roundsDone'; rounds: number } // --rounds N reached
  | { kind: 'computeRestarting'; attempt: number; retryInMs: number; detail: string }
  | { kind: 'diskFull'; path: string; freeBytes: number }
  | { kind: 'tooFewGroups'; have: number; wanted: number } // role trains: the pool has too few useful groups
  | { kind: 'shuttingDown' }
  | { kind: 'fault'; code: string; message: string; fix: string };

export interface RunState {
  name: RunStateName;
  /** Null while starting or training. */
  reason: WaitReason | null;
  /** One plain sentence for people, for example "Paused by you". */
  text: string;
  sinceMs: number;
}

/** compare: between rounds, for the benefit meter. */
export type RoundStage = 'generate' | 'verify' | 'share' | 'admit' | 'train' | 'record' | 'compare' | 'idle';

/** What a node does in the swarm; `both` is the ordinary one. */
export type NodeRole = 'both' | 'generates' | 'trains';

export interface PolicyInfo {
  name: string;
  /** Hidden size, layers etc. for people, for example "Llama, 6 layers, 192 wide". */
  architecture: string;
  parameters: number;
  contextTokens: number;
  vocabularySize: number;
  /** Optimiser steps taken since the base policy. */
  version: number;
  directory: string;
  /** What answers are sampled in, and what training computes in. */
  decode: PolicyPrecision;
  training: PolicyPrecision;
}

export interface PolicyPrecision {
  precision: 'f32' | 'f16' | 'int8' | 'int4';
  /** One sentence: why. */
  reason: string;
}

export interface ProviderVerdict {
  /** `cpu`, `webgpu`, `cuda`, `dml`, `coreml`. */
  provider: string;
  /** Number of the card, for a provider that was tried on each of several; else 0. */
  device: number;
  adapter: string | null;
  /** unstable: it came through its trial and was given up in use. */
  verdict: 'used' | 'correct' | 'wrong' | 'failed' | 'unstable' | 'unavailable';
  /** Largest relative error against the CPU's loss, gradients and decoded logits; null when it did not run. */
  maxRelativeError: number | null;
  trainStepMs: number | null;
  decodeStepMs: number | null;
  /** Most main memory that its trial took; what a card holds is not told by the runtime. */
  peakBytes: number | null;
  /** What happened, in words, for example the error of the driver. */
  detail: string;
  testedAt: number;
}

/** A provider that the compute process kept failing on, and that is passed over since. */
export interface GivenUpProvider {
  provider: string;
  device: number;
  kind: 'crashed' | 'hung' | 'notFinite' | 'failed';
  /** Failures that it took. */
  times: number;
  at: number;
  /** One plain sentence for people: what happened, and when it is tried again. */
  text: string;
}

export interface HardwareReport {
  cpu: { model: string; cores: number; threads: number };
  memory: { totalBytes: number; freeBytes: number };
  gpus: { name: string; vendor: string; vramBytes: number | null; driver: string | null }[];
  battery: { present: boolean; charging: boolean | null; percent: number | null };
  os: { platform: string; release: string; arch: string };
  verdicts: ProviderVerdict[];
  /** The providers are being tried just now. */
  trying: boolean;
  /** Parts that could not be read, in words. */
  unknown: string[];
}

export type SwarmPresence = 'off' | 'joining' | 'alone' | 'connected' | 'offline';

export interface SwarmSummary {
  presence: SwarmPresence;
  /** One plain sentence, for example "Training alone: no network". */
  text: string;
  name: string;
  publicKey: PeerId;
  peers: number;
  groupsShared: number;
  groupsAdopted: number;
  /** Admitted and waiting in the pool. */
  groupsPooled: number;
  /** Rejected records by reason, for example { forgedSignature: 2 }. */
  rejected: Record<string, number>;
  bytesIn: number;
  bytesOut: number;
  /** Null without a swarm. */
  network: SwarmNetwork | null;
}

/** How packets get to a peer: over the internet, through a third node, or over this local network found by mDNS. */
export type PeerPath = 'direct' | 'relayed' | 'lan';

/**
 * How this node looks from outside: `open` anybody can reach it, `consistent` one address towards everybody (holes can be
 * punched), `random` another port towards each (only open and consistent ones can be reached), `unknown` too little was seen.
 */
export type NatKind = 'unknown' | 'open' | 'consistent' | 'random';

export interface SwarmNetwork {
  nat: NatKind;
  /** Address and port as others see them; null while unknown. */
  publicAddress: string | null;
  /** Whether nodes on the local network are looked for. */
  lanDiscovery: boolean;
  /** Connected peers by path. */
  paths: Record<PeerPath, number>;
  /** The owner's bandwidth cap, bytes a second; 0 is none. */
  maxBytesPerSecondIn: number;
  maxBytesPerSecondOut: number;
  /** What this node carries between others that cannot reach each other: pairs now, bytes since the start. */
  relaying: { sessions: number; bytes: number };
}

/** How large the work of the compute process is, and why it is not as the settings ask. */
export interface WorkStatus {
  /** Most tokens computed in a training pass: now, and by the settings. */
  passTokens: number;
  askedPassTokens: number;
  /** Layers are computed again for their gradient. */
  recompute: boolean;
  /** Most answers written at once; null where only the cache limits them. */
  decodedRows: number | null;
  /** Estimate, and the memory it was fitted into: the machine's, or the card's that computes; null where that is not known. */
  needBytes: number | null;
  freeBytes: number | null;
  /** It may not leave other programs enough. */
  isTight: boolean;
  /** How often memory ran out since the node was started. */
  shortages: number;
  /** One plain sentence without a full stop; null where the work is as the settings ask and fits. */
  text: string | null;
}

export interface NodeStatus {
  /** Version of the app. */
  version: string;
  /** generates: it trains nothing, its policy stays as it is. trains: it writes no answers of its own. */
  role: NodeRole;
  state: RunState;
  stage: RoundStage;
  policy: PolicyInfo | null;
  provider: { name: string; adapter: string | null } | null;
  /** What it is computed without, and why; empty where all is well. */
  givenUp: GivenUpProvider[];
  objective: { own: string; peers: string; method: 'sapo' | 'bridge' };
  round: number;
  /** Mean reward of own completions over the last `recentRounds` rounds, 0..1; null before the first. */
  meanReward: number | null;
  recentRounds: number;
  /** Tokens per second of the last rounds. */
  tokensPerSecond: { generate: number | null; train: number | null };
  tokensTotal: { generated: number; trained: number };
  swarm: SwarmSummary;
  uptimeMs: number;
  /** Time spent in state training, over all starts. */
  trainedMs: number;
  memory: { process: 'node' | 'compute'; pid: number; rssBytes: number }[];
  computeRestarts: number;
  work: WorkStatus;
  lastCheckpointAt: number | null;
  dataDirectory: string;
  displayName: string;
}

/** One finished round; every number is defined in `stats/metrics.ts`. */
export interface RoundRow {
  round: number;
  finishedAt: number;
  seconds: number;
  policyVersion: number;
  /** Keyed by metric name, see query `metrics`. Absent when it does not apply to this round. */
  metrics: Record<string, number>;
}

export interface MetricDefinition {
  name: string;
  label: string;
  unit: string;
  meaning: string;
}

export interface RolloutRow {
  id: number;
  round: number;
  at: number;
  /** Own public key, or the peer it came from. */
  origin: PeerId;
  own: boolean;
  policyName: string;
  task: TaskRef;
  question: string;
  answer: string;
  completion: string;
  ended: boolean;
  reward: number;
  /** Null where not computed: the group had no spread. */
  advantage: number | null;
}

export interface LeaderboardRow {
  peer: PeerId;
  own: boolean;
  displayName: string | null;
  policyName: string;
  /** Groups and completions whose rewards this node has recomputed itself. */
  groupsVerified: number;
  completionsVerified: number;
  completionsRight: number;
  /** Groups of this peer that this node has trained on. */
  groupsAdopted: number;
  rejected: number;
  firstSeenAt: number;
  lastSeenAt: number;
}

/** Sliding: the last 24 hours, the last 7 days, all time. */
export type BoardWindow = 'day' | 'week' | 'all';

/** How a score comes about. All three count records whose rewards differ. */
export interface CreditScore {
  /** checked, and of vouched at most four times as many. */
  score: number;
  /** Verified by this node itself; for the own row: confirmed by somebody else's true receipt. */
  checked: number;
  /**
   * Never seen here; at least two auditors whose receipts proved true here vouch for each. Fractions are their weight. For the own
   * row: records of an earlier start, whose verdicts this node no longer has.
   */
  vouched: number;
}

/** One owner with all devices that have proven to be theirs. */
export interface BoardRow extends CreditScore {
  owner: PeerId;
  devices: PeerId[];
  own: boolean;
  displayName: string | null;
  team: string | null;
  /** Distinct believed auditors of its records, as far as remembered. */
  auditors: number;
  /** How its answers compare with everybody's on the same tasks; null where none of them was verified here. */
  plausibility: {
    /** 0..1 */
    solveRate: number;
    /** What others reach on the same mix of tasks, 0..1; null where nobody else was seen on them. */
    expected: number | null;
    completions: number;
    /** Far above everybody else: perhaps no policy at all. Shown, never acted on. */
    implausible: boolean;
  } | null;
}

export interface ReceiptRow {
  /** First 16 bytes of the record's id, hex. */
  record: string;
  /** The origin's round. */
  round: number;
  at: number;
  right: number;
  of: number;
  checkedHere: boolean;
  /** Weight 0..1: how far this node's own re-checks bear the auditor out. */
  auditors: { peer: PeerId; weight: number }[];
}

export interface OwnScore extends CreditScore {
  /** Groups since this start: made, shared, pulled by peers from here. */
  produced: number;
  shared: number;
  pulled: number;
  pulledByPeers: number;
  auditors: number;
  /** Own records that auditors say they refused, by reason. */
  refused: Record<string, number>;
}

export interface PeerRow {
  peer: PeerId;
  connected: boolean;
  policyName: string | null;
  latencyMs: number | null;
  /** Null when it is not connected. */
  path: PeerPath | null;
  bytesIn: number;
  bytesOut: number;
  /** Groups that passed every check and came over this link, and those handed to it; whoever made them. */
  groupsReceived: number;
  groupsGiven: number;
  /** As it says itself; null while it was not connected, or where it does neither. */
  role: NodeRole | null;
  /** Groups this peer made that were trained on here within the last hour. */
  adoptedLastHour: number;
  rejected: Record<string, number>;
  lastSeenAt: number;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export interface LogRow {
  at: number;
  level: LogLevel;
  /** Which part speaks: engine, compute, swarm, store, api. */
  source: string;
  message: string;
}

export interface TaskSampleArgs {
  generator: string;
  config: JsonObject;
  seed: string;
  index: number;
  /** When given, the verdict on it is returned too. */
  answer?: string;
}
export interface TaskSample {
  ref: TaskRef;
  question: string;
  terse: string;
  answer: string;
  metadata: JsonObject;
  verdict: Verdict | null;
}

/** How the node fares at one task, by its latest own groups at the present level. */
export interface PractisedTask {
  generator: string;
  /** 0 is the easiest of `levelCount`. */
  level: number;
  levelName: string;
  levelCount: number;
  /** Mean share of right answers, 0 to 1; null before the first group. */
  success: number | null;
  /** Of the newer half of those groups against the older. */
  trend: 'rising' | 'falling' | 'steady' | 'unknown';
  /** Own groups at this level so far. */
  groups: number;
}

/** How the node fares at the tasks of its set. */
export interface TaskPractice {
  taskSet: string;
  version: number;
  /** Whether a curriculum moves the levels. */
  moves: boolean;
  /** In the set's order. */
  tasks: PractisedTask[];
}

/** One exam: the policy after `round` at the held-out tasks of its set. Shares of right answers, 0 to 1. */
export interface ExamRow {
  round: number;
  /** ms since epoch. */
  at: number;
  /** Optimiser steps. */
  policyVersion: number;
  taskSet: string;
  /** Figures of different sets or versions are of different tasks. */
  taskSetVersion: number;
  tasks: number;
  greedy: number;
  sampled: number;
  seconds: number;
  /** In the set's order. */
  byTask: { generator: string; tasks: number; greedy: number; sampled: number }[];
}

/**
 * One comparison of the benefit meter: the policy after `round`, which trained on peers' groups since `fromRound`, and a branch of it that
 * trained the same rounds on own groups alone, both at the same held-out tasks. Scores are shares of right answers, 0 to 1.
 */
export interface BenefitRow {
  round: number;
  fromRound: number;
  /** ms since epoch. */
  at: number;
  taskSet: string;
  /** Figures of different sets or versions are of different tasks. */
  taskSetVersion: number;
  tasks: number;
  /** To each task. */
  answers: number;
  withPeers: number;
  alone: number;
  /** Of `withPeers - alone`, by its spread over the tasks. */
  standardError: number;
  /** Groups trained on with peers, how many of them were peers', and groups trained on alone. */
  groupsWithPeers: number;
  groupsFromPeers: number;
  groupsAlone: number;
  seconds: number;
}

export interface ReportedComparison extends BenefitRow {
  /** Both branches were trained on as many groups; else its difference tells nothing of peers. */
  counts: boolean;
}

/** What peers' groups bring, as far as measured. */
export interface BenefitReport {
  /**
   * off: `text` says why. noPeers: none of their groups was trained on in the last round. saving: for the next comparison's computing.
   * following: its rounds are being trained. comparing: the branch without peers is trained and both are examined.
   */
  activity: 'off' | 'noPeers' | 'saving' | 'following' | 'comparing';
  /** none: nothing to go by. early: fewer than three comparisons. Else by the 95 % interval. */
  verdict: 'none' | 'early' | 'inconclusive' | 'helps' | 'hurts';
  /** What was found, in plain words. */
  text: string;
  /** What is being done about it, in plain words. */
  activityText: string;
  /** `withPeers - alone` over the latest comparisons with equally many groups; low and high limit the 95 % interval. */
  pooled: { comparisons: number; mean: number; low: number; high: number } | null;
  /** Most of the node's computing that may be spent on it. */
  percent: number;
  /** How many groups of each kind the next round trains on at most, and what decides that. */
  sharing: { mode: 'fixed' | 'adaptive'; ownGroups: number; peerGroups: number };
  /** Oldest first, the latest 60. */
  rows: ReportedComparison[];
}

/** A swarm as its signed description states it; the name is one visible line. */
export interface SwarmCard {
  /** 64 hex digits. */
  id: string;
  name: string;
  private: boolean;
  taskSet: string;
  taskSetVersion: number;
  protocol: number;
  /** Rounds behind its origin's newest after which a record is refused. */
  maxRoundAge: number;
  /** Topics its members spread over. */
  shardCount: number;
  /** Who made it. */
  creator: PeerId;
  /** The creator's clock, ms since epoch. */
  createdAt: number;
  /** Why this version cannot take part, and what to do; null when it can. */
  misfit: ApiFault | null;
}

/** The swarms this node has joined, and which of them it takes part in. */
export interface JoinedSwarms {
  /** In the order they were joined. */
  swarms: SwarmCard[];
  /** Id of the chosen one; null is the public swarm. */
  active: string | null;
  /** The one taken part in without a choice, or that the settings name. */
  publicSwarm: { name: string; taskSet: string };
  /** Why a choice has no effect for now (the settings say otherwise), in one sentence; null where it takes effect at once. */
  overruled: string | null;
  /** What a new swarm can practise. */
  taskSets: { name: string; version: number; summary: string }[];
  limits: { maxNameBytes: number; maxShards: number; maxRoundAge: number };
}

export type DemonstrationSource = 'peer' | 'file' | 'own';

/** A right answer that BRIDGE imitated. */
export interface DemonstrationRow {
  round: number;
  /** ms since epoch. */
  at: number;
  source: DemonstrationSource;
  /** Null for the owner's file. */
  origin: PeerId | null;
  policyName: string | null;
  /** Null where the file gave a prompt alone. */
  task: TaskRef | null;
  question: string;
  text: string;
  /** Of the policy before it imitated, mean -log p per token in nats: how much the text surprised it. */
  surprise: number;
  /** The same of its own answers in that round. */
  ownSurprise: number;
}

/** Where BRIDGE gets right answers to imitate, and which it imitated lately. */
export interface DemonstrationReport {
  method: 'sapo' | 'bridge';
  sources: ('peers' | 'file' | 'own')[];
  /** Peers' right answers, verified here, that wait: how many of whom, most first. */
  waiting: { origin: PeerId; count: number }[];
  /** Null without one, and before it was read. */
  file: { path: string; kept: number; dropped: { reason: string; count: number; firstLine: number }[] } | null;
  /** How often one of each source was imitated, over all starts. */
  used: Record<DemonstrationSource, number>;
  /** Newest first. */
  latest: DemonstrationRow[];
}

/** Who this node is in the swarm. No secret is in it. */
export interface IdentityReport {
  publicKey: PeerId;
  /** The same as `publicKey` on the first device. */
  owner: PeerId;
  /** Of this owner, as far as the board knows; this one first. */
  devices: PeerId[];
  kept: {
    where: 'keyring' | 'file';
    path: string;
    /** Why not in the keyring, in one sentence; null where nothing is to be said. */
    note: string | null;
  };
  /** Where the 24 words can be asked for: in the app's window, or by the command line of the machine only. */
  words: 'window' | 'commandLine';
  profile: {
    displayName: string;
    team: string;
    /** Stated by the settings, so not to be changed here. */
    fixed: { displayName: boolean; team: boolean };
    maxCharacters: number;
  };
}

/** Why a model is where it is: on the hub only, fetched by Waggle, of another program's cache, a folder of the owner's, or ours. */
export type ModelSource = 'hub' | 'models' | 'cache' | 'folder' | 'bundled';

/** One model that can be trained, or could be once it is here. */
export interface ModelRow {
  /** What calls name it by: an id of the hub, a folder's path, or `bundled`. */
  key: string;
  name: string;
  source: ModelSource;
  /** Null where it is not on this disk, or not whole. */
  directory: string | null;
  /** llama, qwen2, qwen3; null where it cannot be computed. */
  family: string | null;
  parameters: number | null;
  contextTokens: number | null;
  /** As its owner states it; null where that is not known here. */
  licence: string | null;
  /** Given only to accounts that accepted its conditions. */
  gated: boolean;
  /** About; exact when it is fetched. */
  downloadBytes: number | null;
  /** Of its weights. */
  diskBytes: number | null;
  /** Whether a round of the present settings fits into memory; null where that cannot be told. */
  fit: {
    verdict: 'fits' | 'tight' | 'tooLarge';
    needBytes: number;
    availableBytes: number;
    /** Tokens of one pass with which it needs that. */
    microBatchTokens: number;
    /** An adapter is trained, not all weights. */
    adapter: boolean;
  } | null;
  /** Why it cannot be used, to be read after its name; null where nothing is known against it. */
  problem: string | null;
  inUse: boolean;
  /** What is kept of its training here; it goes on from there. */
  trained: { round: number; at: number } | null;
  /** In the node's own models folder, and not in use. */
  deletable: boolean;
}

export interface ModelDownload {
  id: string;
  stage: 'waiting' | 'checkingSpace' | 'fetching' | 'verifying' | 'retrying' | 'done' | 'failed';
  doneBytes: number;
  /** Null until the hub has said. */
  totalBytes: number | null;
  bytesPerSecond: number | null;
  remainingMs: number | null;
  /** The file in question, or what happens, in words. */
  detail: string;
  /** Of a failed one. */
  fault: ApiFault | null;
}

/** Going over to another policy. */
export interface PolicyChange {
  key: string;
  to: string;
  from: string;
  /** failed: the former one is trained on. */
  stage: 'opening' | 'done' | 'failed';
  /** With `done`: it is in use, but the choice could not be written for the next start. */
  fault: ApiFault | null;
  /** ms since epoch, of this stage. */
  at: number;
}

/** What moves in the matter of models. */
export interface ModelsActivity {
  downloads: ModelDownload[];
  /** The latest in this start. */
  change: PolicyChange | null;
  /** Rises when the list of models is another one. */
  revision: number;
}

export interface ModelsReport extends ModelsActivity {
  rows: ModelRow[];
  /** Memory. */
  availableBytes: number;
  freeDiskBytes: number | null;
  modelsDirectory: string;
  /** Offline: the environment forbids asking the network. */
  hub: { host: string; offline: boolean };
  /** What names the policy: the settings (then it cannot be changed here), a choice, or nothing. */
  origin: 'settings' | 'choice' | 'bundled';
  /** The round that was reckoned with. */
  work: { promptsPerRound: number; groupSize: number; maxNewTokens: number };
}

/** The page's views, as they stand in its address and in `waggle:` links. */
export type ViewName = 'home' | 'training' | 'models' | 'leaderboard' | 'swarm' | 'rollouts' | 'tasks' | 'log';

/** Every call: argument and result. `void` arguments are sent as null. */
export interface Calls {
  status: { args: null; result: NodeStatus };
  hardware: { args: null; result: HardwareReport };
  /** Forgets what is known of the providers and tries all again; training goes on with what is chosen then. Answers at once. */
  tryProviders: { args: null; result: null };
  /** Effective config, secrets left out. */
  config: { args: null; result: JsonObject };
  metrics: { args: null; result: MetricDefinition[] };
  /** Oldest first; thinned evenly to at most `limit` points over all rounds kept. */
  rounds: { args: { sinceRound: number; limit: number }; result: RoundRow[] };
  /** Newest first. */
  rollouts: { args: { limit: number; beforeId: number | null; origin: 'all' | 'own' | 'peers' }; result: RolloutRow[] };
  leaderboard: { args: null; result: LeaderboardRow[] };
  peers: { args: null; result: PeerRow[] };
  /** Credit by re-verified receipts, highest first (swarm/PROTOCOL.md); empty without a swarm. */
  board: { args: { window: BoardWindow }; result: BoardRow[] };
  /** What a row of the board rests on, newest first. `peer` is one of the row's devices. */
  receipts: { args: { peer: PeerId; limit: number }; result: ReceiptRow[] };
  /** Why the own score is what it is; null without a swarm. */
  ownScore: { args: { window: BoardWindow }; result: OwnScore | null };
  log: { args: { limit: number; level: LogLevel }; result: LogRow[] };
  swarms: { args: null; result: JoinedSwarms };
  /** What an invite link says; nothing is joined. Fault `badInvite` for a text that is none. */
  readInvite: { args: { link: string }; result: { swarm: SwarmCard; joined: boolean } };
  /** Joins and takes part; the running node moves over, and trains on meanwhile. */
  joinSwarm: { args: { link: string }; result: JoinedSwarms };
  /** Makes, joins and takes part; the result's `active` is the new one. A private one's secret is in its link only. */
  createSwarm: {
    args: { name: string; taskSet: string; private: boolean; shardCount: number; maxRoundAge: number };
    result: JoinedSwarms;
  };
  /** Null is the public swarm. */
  chooseSwarm: { args: { id: string | null }; result: JoinedSwarms };
  leaveSwarm: { args: { id: string }; result: JoinedSwarms };
  /** The link by which others join; of a private swarm it holds the secret. */
  swarmInvite: { args: { id: string }; result: { link: string } };
  identity: { args: null; result: IdentityReport };
  /** What others would see of these names. */
  previewProfile: { args: { displayName: string; team: string }; result: { displayName: string; team: string } };
  setProfile: { args: { displayName: string; team: string }; result: IdentityReport };
  /** The backup of the identity. Asked back by the app in a window of its own; never over a socket (`windowOnlyCalls`). */
  backupWords: { args: null; result: { words: string[] } };
  /** Becomes the owner of 24 words; the node starts anew. Asked back, and never over a socket. */
  restoreIdentity: { args: { words: string; anotherDevice: boolean }; result: { publicKey: PeerId } };
  tasks: {
    args: null;
    result: { name: string; version: number; summary: string; levels: { name: string; config: JsonObject }[] }[];
  };
  task: { args: TaskSampleArgs; result: TaskSample };
  practice: { args: null; result: TaskPractice };
  demonstrations: { args: { limit: number }; result: DemonstrationReport };
  /** Oldest first, the latest `limit`. */
  exams: { args: { limit: number }; result: ExamRow[] };
  benefit: { args: null; result: BenefitReport };
  models: { args: null; result: ModelsReport };
  /** Onto this disk; waits where others are before it. Also after a failure or a cancel: it goes on from what has arrived. */
  downloadModel: { args: { id: string }; result: ModelsActivity };
  /** Ends it, or takes one that has ended off the list. What has arrived stays. */
  cancelDownload: { args: { id: string }; result: ModelsActivity };
  /** A fetched model, and what has arrived of one. Never one in use, never outside of the models folder. */
  deleteModel: { args: { id: string }; result: ModelsReport };
  /** Full path of a model folder on the node's machine, to be listed. */
  addModelFolder: { args: { directory: string }; result: ModelsReport };
  /** Off the list; the folder stays. */
  forgetModelFolder: { args: { directory: string }; result: ModelsReport };
  /** Trains another model, by its key. Answers when that has begun; the event `models` says how it ended. */
  useModel: { args: { key: string }; result: ModelsActivity };
  /** Stops between two steps of the compute process, at once. */
  pause: { args: null; result: RunState };
  resume: { args: null; result: RunState };
  /** Ends the round, then pauses. */
  finish: { args: null; result: RunState };
  /** Writes a checkpoint and ends the node process. */
  quit: { args: null; result: null };
}

/** Pushed to subscribers. */
export interface Events {
  status: NodeStatus;
  round: RoundRow;
  rollouts: RolloutRow[];
  log: LogRow;
  leaderboard: LeaderboardRow[];
  exam: ExamRow;
  models: ModelsActivity;
  /** Rounds and exams are those of this policy from here on. */
  policyChanged: { name: string };
  benefit: BenefitReport;
  /** Within a round: what is being done, how far. Numbers are tokens or groups done and to do. */
  progress: { round: number; stage: RoundStage; done: number; total: number };
}

export type CallName = keyof Calls;
export type EventName = keyof Events;

/** A failed call, as data. */
export interface ApiFault {
  code: string;
  message: string;
  /** What the user can do about it. */
  fix: string;
}

/** All a client needs. Rejections carry an `ApiFault`. */
export interface NodeClient {
  invoke<K extends CallName>(name: K, args: Calls[K]['args']): Promise<Calls[K]['result']>;
  /** Returns the function that ends the subscription. */
  subscribe<K extends EventName>(name: K, listener: (event: Events[K]) => void): () => void;
}
/** What the server side implements. */
export type NodeApi = NodeClient;
