/**
 * What a round's training showed, added up part by part and step by step, by whichever way it is trained. Knows nothing of plans
 * or of the compute process.
 */

export type GroupSource = 'own' | 'peers';

/** What one source's groups showed, per objective metric: sums over the completion tokens of all epochs. */
export interface PartOutcome {
  loss: number;
  metrics: Record<string, number>;
}
/** What BRIDGE adds: means over the round's steps; null where a term was left out. */
export interface BridgeFigures {
  demonstrations: number;
  lambda: number;
  sftLoss: number | null;
  cooperativeGain: number | null;
  adapterGradientNorm: number | null;
}
export interface TrainOutcome {
  /** Optimiser steps since the base policy. */
  policyVersion: number;
  steps: number;
  tokens: number;
  /** Mean over the steps, before clipping. */
  gradientNorm: number;
  learningRate: number;
  /** Steps left out because the gradient was not finite. */
  skippedSteps: number;
  parts: Partial<Record<GroupSource, PartOutcome>>;
  bridge?: BridgeFigures;
}

export function emptyOutcome(): TrainOutcome {
  return { policyVersion: 0, steps: 0, tokens: 0, gradientNorm: 0, learningRate: 0, skippedSteps: 0, parts: {} };
}

/** What a source's groups showed in one of `epochs`. */
export function addPart(
  outcome: TrainOutcome,
  source: GroupSource,
  { loss, metrics }: Readonly<PartOutcome>,
  epochs: number,
): void {
  const part = (outcome.parts[source] ??= { loss: 0, metrics: {} });
  part.loss += loss / epochs;
  for (const [name, value] of Object.entries(metrics)) part.metrics[name] = (part.metrics[name] ?? 0) + value;
}

/** The optimiser step that ends one of `epochs`. */
export function addStep(
  outcome: TrainOutcome,
  step: { version: number; gradientNorm: number; learningRate: number; applied: boolean },
  epochs: number,
): void {
  outcome.steps++;
  outcome.policyVersion = step.version;
  outcome.gradientNorm += step.gradientNorm / epochs;
  outcome.learningRate = step.learningRate;
  if (!step.applied) outcome.skippedSteps++;
}
