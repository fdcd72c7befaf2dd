/** Right, wrong or in between, from the reward this node computed. */
import type { RolloutRow } from '../../src-main/engine/api.ts';

export type Outcome = 'right' | 'partly' | 'wrong';

export function outcomeOf(rollout: Pick<RolloutRow, 'reward'>): Outcome {
  if (rollout.reward >= 1) return 'right';
  return rollout.reward > 0 ? 'partly' : 'wrong';
}
