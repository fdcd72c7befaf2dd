/**
 * Which demonstrations are imitated this round. Those go first that surprise the policy more than its own answers do: what it would
 * write anyway teaches it nothing. S is the mean -log p per token under the policy now, one forward pass over the candidates.
 * Candidates of different sources compete on equal terms, in the order given. Knows nothing of pools and files.
 */
import type { ComputeHost } from '../../native-models/runtime/compute-host.ts';
import { mean } from '../objective/objective.ts';
import type { DemonstrationTokens } from '../rollout/demonstrations/demonstration.ts';
import type { TokenGroup } from './rows.ts';
import { scoreGroups } from './train-round.ts';

export interface ChosenDemonstration extends DemonstrationTokens {
  /** Nats per token. */
  surprise: number;
}
export interface DemonstrationChoice {
  count: number;
  /** Of the policy's own fresh answers, nats per token. */
  ownSurprise: number;
  /** More than this above `ownSurprise` is too foreign to be imitated; 0 is no limit. */
  maxGap: number;
  maxTokens: number;
}

/** @throws ComputeError */
export async function chooseDemonstrations(
  compute: ComputeHost,
  candidates: readonly DemonstrationTokens[],
  { count, ownSurprise, maxGap, maxTokens }: DemonstrationChoice,
): Promise<ChosenDemonstration[]> {
  if (candidates.length === 0) return [];
  const logprobs = await scoreGroups(compute, candidates.map(demonstrationGroup), maxTokens, 'policy');
  const scored = candidates.map((candidate, i) => ({ ...candidate, surprise: -mean(logprobs[i]!) }));
  const near = scored.filter(({ surprise }) => maxGap === 0 || surprise - ownSurprise <= maxGap);
  const teaches = ({ surprise }: ChosenDemonstration): boolean => surprise > ownSurprise;
  return [...near.filter(teaches), ...near.filter((each) => !teaches(each))].slice(0, count);
}

/** A group of one, right. */
export function demonstrationGroup({ promptTokens, tokens }: DemonstrationTokens): TokenGroup {
  return { promptTokens, completions: [{ tokens, reward: 1, behaviorLogprobs: null }] };
}
