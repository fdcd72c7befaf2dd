/**
 * A round's plan for BRIDGE: the ordinary plan, the demonstrations' rows, the weight lambda of the rewards and the second adapter's
 * optimiser. Decisions, where the paper is silent: lambda rises with the optimiser steps since BRIDGE began; a round without
 * demonstrations has no SFT term and follows the rewards at full weight, one without rewards to compare imitates with the weight
 * that lambda leaves it; the second adapter has a warm-up of its own. Computes nothing with the policy.
 */
import { warmupConstant } from '../../native-models/optim/schedule.ts';
import type { Objective } from '../objective/objective.ts';
import { demonstrationGroup, type ChosenDemonstration } from './choose-demonstrations.ts';
import { trainRows } from './rows.ts';
import { planRewards, type TrainOptions, type TrainPart, type TrainPlan } from './train-round.ts';

export interface BridgeOptions extends TrainOptions {
  bridgeLambda: number;
  bridgeAnnealSteps: number;
  bridgeLearningRate: number;
}
export interface BridgeRound {
  /** SFT: the loss is the mean over all tokens of the demonstrations. */
  imitation: Objective;
  demonstrations: readonly ChosenDemonstration[];
  policyVersion: number;
  /** The policy's version when BRIDGE began. */
  startedAt: number;
}

/** @returns null where there is nothing to learn from */
export function planBridge(parts: readonly TrainPart[], round: BridgeRound, options: BridgeOptions): TrainPlan | null {
  const { imitation, policyVersion, startedAt } = round;
  const plan = planRewards(parts, policyVersion, options);
  const demonstrations = trainRows(round.demonstrations.map(demonstrationGroup), imitation, 1);
  const stepsBefore = plan.optimizers.map((_, epoch) => policyVersion - startedAt + epoch);
  const lambdas = stepsBefore.map((steps) => (demonstrations.length === 0 ? 1 : lambdaAt(steps, options)));
  if (plan.parts.length === 0 && lambdas.every((lambda) => lambda === 1)) return null;
  const adapters = plan.optimizers.map((optimizer, epoch) => ({
    ...optimizer,
    learningRate: warmupConstant(stepsBefore[epoch]!, options.bridgeLearningRate, options.warmupSteps),
  }));
  return { ...plan, bridge: { sft: 'sft', demonstrations, lambdas, adapters } };
}

function lambdaAt(steps: number, { bridgeLambda, bridgeAnnealSteps }: BridgeOptions): number {
  return bridgeAnnealSteps === 0 ? bridgeLambda : bridgeLambda * Math.min(1, steps / bridgeAnnealSteps);
}
