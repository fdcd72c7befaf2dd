/**
 * A finished round as the history keeps it: metrics by their one definition, rollouts with their advantages, and what was
 * verified of each peer. Pure: numbers in, rows out.
 */
import type { Role } from '../../config.ts';
import type { Objective } from '../../objective/objective.ts';
import { generatedTokens } from '../../rollout/rollout.ts';
import type { NewRolloutGroup } from '../../store/rows.ts';
import { groupStatistics, mean } from '../../stats/group-statistics.ts';
import { finiteMetrics, type MetricValues } from '../../stats/metrics.ts';
import type { PeerCredit } from '../../store/rows.ts';
import type { RoundRecord } from '../../store/store.ts';
import type { PeerId } from '../../types.ts';
import type { RoundResult } from '../loop.ts';

export interface RoundSurroundings {
  publicKey: PeerId;
  policyName: string;
  /** Metrics of what it never does are left out. */
  role: Role;
  at: number;
  objectives: { own: Objective; peers: Objective };
  /** At the end of the round. */
  peers: number;
  pooledGroups: number;
  /** Since the last round. */
  admittedGroups: number;
  rejectedRecords: number;
  computeBytes: number | null;
  nodeBytes: number;
  /** Optimiser steps after the round. */
  policyVersion: number;
  credits: readonly PeerCredit[];
  /** Time in training since the last round was recorded. */
  trainedMs: number;
}

/** Everything that the history keeps of a round, and what its owner should hear about it. */
export function roundRecord(
  result: RoundResult,
  around: RoundSurroundings,
): { record: RoundRecord; warnings: string[] } {
  const { metrics, dropped } = finiteMetrics(roundMetrics(result, around));
  const warnings: string[] = [];
  if (dropped.length > 0) warnings.push(`Round ${result.round}: not finite: ${dropped.join(', ')}`);
  if (result.outcome && result.outcome.skippedSteps > 0)
    warnings.push(`Round ${result.round}: the gradient was not finite, the step was left out`);
  const record: RoundRecord = {
    round: {
      round: result.round,
      finishedAt: around.at,
      seconds: roundSeconds(result),
      policyVersion: around.policyVersion,
      metrics,
    },
    rollouts: roundRollouts(result, around),
    peers: around.credits,
    counters: {
      generatedTokens: generatedTokens(result.own),
      trainedTokens: result.outcome?.tokens ?? 0,
      groupsShared: result.shared,
      groupsAdopted: result.adopted.length,
      trainedMs: around.trainedMs,
    },
  };
  return { record, warnings };
}

function roundMetrics(result: RoundResult, around: RoundSurroundings): MetricValues {
  const { own, adopted, outcome, seconds } = result;
  const tokens = generatedTokens(own);
  const sampled = own.flatMap((group) => group.completions.flatMap((completion) => completion.behaviorLogprobs));
  return {
    ...groupStatistics(
      own.map((group) => group.completions.map((c) => ({ reward: c.reward, tokens: c.tokens.length, ended: c.ended }))),
    ),
    ...(sampled.length > 0 ? { entropy: -mean(sampled) } : {}),
    ...(adopted.length > 0
      ? {
          adoptedReward: mean(adopted.flatMap(({ group }) => group.completions.map(({ reward }) => reward))),
          staleness: mean(adopted.map(({ waitedRounds }) => waitedRounds)),
        }
      : {}),
    ...(around.role === 'both' ? { ownGroups: result.trainedOwn.length } : {}),
    ...(around.role === 'generates' ? {} : { peerGroups: adopted.length }),
    ...(result.tooForeign > 0 ? { tooForeignGroups: result.tooForeign } : {}),
    ...(around.role === 'trains' ? {} : { sharedGroups: result.shared, generatedTokens: tokens }),
    admittedGroups: around.admittedGroups,
    rejectedRecords: around.rejectedRecords,
    pooledGroups: around.pooledGroups,
    peers: around.peers,
    ...(seconds.generate ? { generateTokensPerSecond: tokens / seconds.generate } : {}),
    ...(outcome ? trainMetrics(result, around) : {}),
    ...stageSeconds(result),
    ...(around.computeBytes === null ? {} : { computeMegabytes: around.computeBytes / 1e6 }),
    nodeMegabytes: around.nodeBytes / 1e6,
  };
}

function trainMetrics(result: RoundResult, { objectives }: RoundSurroundings): MetricValues {
  const { outcome, seconds } = result;
  const { parts } = outcome!;
  const own = parts.own?.metrics;
  const peers = parts.peers?.metrics;
  const perToken = (metrics: Record<string, number> | undefined, name: string): number | undefined =>
    metrics?.[name] === undefined || !metrics.tokens ? undefined : metrics[name] / metrics.tokens;
  // The stabiliser may act on either part, the importance ratio only where behaviour log-probs are known.
  const stabilised =
    objectives.peers.name === 'asympo' && peers ? peers : objectives.own.name === 'asympo' ? own : undefined;
  return defined({
    gradientNorm: outcome!.gradientNorm,
    learningRate: outcome!.learningRate,
    optimiserSteps: outcome!.steps - outcome!.skippedSteps,
    trainedTokens: outcome!.tokens,
    trainTokensPerSecond: seconds.train ? outcome!.tokens / seconds.train : undefined,
    ownNll: perToken(own, 'nll'),
    peerNll: perToken(peers, 'nll'),
    lossGrpo: objectives.own.name === 'grpo' ? parts.own?.loss : undefined,
    ownBalance: balance(own),
    peerBalance: balance(peers),
    referenceKl: perToken(own, 'kl') ?? perToken(peers, 'kl'),
    clippedTokens: perToken(own, 'clippedTokens'),
    importanceRatio: perToken(own, 'ratio'),
    stabilisedHigh: perToken(stabilised, 'clippedHigh'),
    stabilisedLow: perToken(stabilised, 'clippedLow'),
    ...bridgeMetrics(result),
  });
}

function bridgeMetrics({ outcome, imitated }: RoundResult): Record<string, number | undefined> {
  const figures = outcome?.bridge;
  if (!figures || !imitated) return {};
  const peers = imitated.demonstrations.flatMap(({ demonstration: { source, origin } }) =>
    source === 'peer' && origin !== null ? [origin] : [],
  );
  return {
    demonstrations: figures.demonstrations,
    demonstrationPeers: new Set(peers).size,
    bridgeLambda: figures.lambda,
    lossSft: figures.sftLoss ?? undefined,
    cooperativeGain: figures.cooperativeGain ?? undefined,
    adapterGradientNorm: figures.adapterGradientNorm ?? undefined,
  };
}

/** Of what worse answers contributed over what better ones did (objective/contributions.ts). */
function balance(metrics: Record<string, number> | undefined): number | undefined {
  return metrics?.raised ? metrics.lowered! / metrics.raised : undefined;
}

function defined(values: Record<string, number | undefined>): MetricValues {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function roundSeconds({ seconds }: RoundResult): number {
  return Object.values(seconds).reduce((sum, value) => sum + value, 0);
}

function stageSeconds({ seconds }: RoundResult): MetricValues {
  return defined({
    generateSeconds: seconds.generate,
    verifySeconds: seconds.verify,
    shareSeconds: seconds.share,
    admitSeconds: seconds.admit,
    trainSeconds: seconds.train,
  });
}

/** Own groups, then adopted ones, with the advantages they were trained with. */
function roundRollouts(result: RoundResult, around: RoundSurroundings): NewRolloutGroup[] {
  const trained = new Set(result.trainedOwn);
  const own = result.own.map((group): NewRolloutGroup => {
    const advantages = trained.has(group)
      ? around.objectives.own.advantages(group.completions.map(({ reward }) => reward))
      : null;
    return {
      round: result.round,
      at: around.at,
      origin: around.publicKey,
      own: true,
      policyName: around.policyName,
      task: group.instance.ref,
      question: group.instance.question,
      answer: group.instance.answer,
      completions: group.completions.map(({ text, ended, reward }, i) => ({
        text,
        ended,
        reward,
        advantage: advantages?.[i] ?? null,
      })),
    };
  });
  const adopted = result.adopted.map(({ group, instance, tokens }): NewRolloutGroup => {
    // Of those that were trained on: what did not fit the context has none.
    const trainedAdvantages = around.objectives.peers.advantages(tokens.completions.map(({ reward }) => reward));
    const advantages = new Map(tokens.completions.map(({ place }, i) => [place, trainedAdvantages[i]!]));
    return {
      round: result.round,
      at: around.at,
      origin: group.origin,
      own: false,
      policyName: group.policyName,
      task: group.task,
      question: instance.question,
      answer: instance.answer,
      completions: group.completions.map(({ text, ended, reward }, i) => ({
        text,
        ended,
        reward,
        advantage: advantages.get(i) ?? null,
      })),
    };
  });
  return [...own, ...adopted];
}
