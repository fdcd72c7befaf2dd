/** Everything `status` shows, put together from the parts that know it. Pure. */
import type { OpenedPolicy } from '../../../native-models/runtime/compute-protocol.ts';
import type { Config } from '../../config.ts';
import { troubleText, type ProviderTrouble } from '../providers/provider-trouble.ts';
import type { NodeStatus, PolicyInfo, RoundStage, RunState, SwarmSummary } from '../api.ts';

export interface StatusParts {
  version: string;
  state: RunState;
  stage: RoundStage;
  opened: OpenedPolicy | null;
  /** What the provider runs on; null when it cannot be told. */
  adapter: string | null;
  troubles: readonly ProviderTrouble[];
  policyDirectory: string;
  policyVersion: number;
  config: Config;
  round: number;
  meanReward: number | null;
  recentRounds: number;
  tokensPerSecond: { generate: number | null; train: number | null };
  /** Totals over all starts. */
  counters: Record<string, number>;
  swarm: SwarmSummary;
  startedAt: number;
  now: number;
  memory: NodeStatus['memory'];
  lastCheckpointAt: number | null;
  dataDirectory: string;
  trainedMs: number;
  displayName: string;
  work: NodeStatus['work'];
}

export function nodeStatus(parts: StatusParts): NodeStatus {
  const { config, opened, counters } = parts;
  return {
    version: parts.version,
    role: config.role,
    state: parts.state,
    stage: parts.state.name === 'training' || parts.state.name === 'finishing' ? parts.stage : 'idle',
    policy: opened ? policyInfo(opened, parts.policyDirectory, parts.policyVersion) : null,
    provider: opened ? { name: opened.provider, adapter: parts.adapter } : null,
    givenUp: parts.troubles.map((trouble) => {
      const { provider, device, kind, times, at } = trouble;
      return { provider, device, kind, times, at, text: troubleText(trouble) };
    }),
    objective: { own: config.ownObjective, peers: config.peerObjective, method: config.method },
    round: parts.round,
    meanReward: parts.meanReward,
    recentRounds: parts.recentRounds,
    tokensPerSecond: parts.tokensPerSecond,
    tokensTotal: { generated: counters.generatedTokens ?? 0, trained: counters.trainedTokens ?? 0 },
    swarm: parts.swarm,
    uptimeMs: parts.now - parts.startedAt,
    trainedMs: parts.trainedMs,
    memory: parts.memory,
    computeRestarts: counters.computeRestarts ?? 0,
    work: parts.work,
    lastCheckpointAt: parts.lastCheckpointAt,
    dataDirectory: parts.dataDirectory,
    displayName: parts.displayName,
  };
}

const FAMILY = { llama: 'Llama', qwen2: 'Qwen2', qwen3: 'Qwen3' } as const;

function policyInfo(opened: OpenedPolicy, directory: string, version: number): PolicyInfo {
  const { name, config, parameters, decode, training } = opened;
  return {
    name,
    architecture: `${FAMILY[config.architecture]}, ${config.layers} layers, ${config.hiddenSize} wide`,
    parameters,
    contextTokens: config.contextTokens,
    vocabularySize: config.vocabularySize,
    version,
    directory,
    decode,
    training,
  };
}

/** What a node without a swarm says about it. */
export function noSwarm(name: string, publicKey: string): SwarmSummary {
  return {
    presence: 'off',
    text: 'Training alone: the swarm is switched off',
    name,
    publicKey,
    peers: 0,
    groupsShared: 0,
    groupsAdopted: 0,
    groupsPooled: 0,
    rejected: {},
    bytesIn: 0,
    bytesOut: 0,
    network: null,
  };
}
