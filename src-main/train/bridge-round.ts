/**
 * A round's training by BRIDGE: what its plan has beyond the ordinary one (plan-bridge.ts makes it), and the compute process working
 * it off (native-models/runtime/bridge-policy.ts). Knows nothing of where demonstrations come from.
 */
import type { TrainRow } from '../../native-models/runtime/batch.ts';
import type { ComputeHost } from '../../native-models/runtime/compute-host.ts';
import type { AdamWOptions } from '../../native-models/optim/adamw.ts';
import { mean } from '../objective/objective.ts';
import { addPart, addStep, type TrainOutcome } from './outcome.ts';
import type { TrainPlan } from './train-round.ts';

/** What BRIDGE adds to a round's plan. */
export interface BridgePlan {
  /** Name of the objective that imitates. */
  sft: 'sft';
  demonstrations: TrainRow[];
  /** Of each epoch, as the ordinary optimisers. */
  lambdas: number[];
  adapters: AdamWOptions[];
}

/** Does an epoch's work in passes that fit into memory: again, with smaller ones, where it ran out. */
export type InPasses = <T>(epoch: number, work: (compute: ComputeHost, maxTokens: number) => Promise<T>) => Promise<T>;

/** Into `outcome`, which is empty. @throws ComputeError */
export async function executeBridge(
  plan: TrainPlan & { bridge: BridgePlan },
  outcome: TrainOutcome,
  onStep: (steps: number) => void,
  inPasses: InPasses,
): Promise<void> {
  const { sft, demonstrations, lambdas, adapters } = plan.bridge;
  const sums = { sftLoss: new Mean(), cooperativeGain: new Mean(), adapterGradientNorm: new Mean() };
  for (const [epoch, theta] of plan.optimizers.entries()) {
    const step = await inPasses(epoch, (compute, maxTokens) =>
      compute.call('bridgeStep', {
        sft,
        demonstrations,
        rollouts: plan.parts.map(({ objective, rows }) => ({ objective, rows })),
        lambda: lambdas[epoch]!,
        theta,
        adapter: adapters[epoch]!,
        maxTokens,
        maxGradientNorm: plan.maxGradientNorm,
      }),
    );
    outcome.tokens += step.sft?.tokens ?? 0;
    step.rl.forEach((sum, i) => {
      // At theta and, for the gain, at its twin.
      outcome.tokens += sum.tokens * (step.cooperativeGain === null ? 1 : 2);
      addPart(outcome, plan.parts[i]!.source, sum, plan.epochs);
    });
    sums.sftLoss.add(step.sft?.loss ?? null);
    sums.cooperativeGain.add(step.cooperativeGain);
    sums.adapterGradientNorm.add(step.adapterGradientNorm);
    addStep(outcome, { ...step, learningRate: theta.learningRate }, plan.epochs);
    onStep(outcome.steps);
  }
  outcome.bridge = {
    demonstrations: demonstrations.length,
    lambda: mean(lambdas),
    sftLoss: sums.sftLoss.value,
    cooperativeGain: sums.cooperativeGain.value,
    adapterGradientNorm: sums.adapterGradientNorm.value,
  };
}

class Mean {
  private sum = 0;
  private count = 0;

  add(value: number | null): void {
    if (value === null) return;
    this.sum += value;
    this.count++;
  }

  get value(): number | null {
    return this.count > 0 ? this.sum / this.count : null;
  }
}
