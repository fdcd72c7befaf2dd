/**
 * Which of the verified groups of peers are trained on this round. Two steps, because the second costs a forward pass:
 * `choosePeerGroups` draws J from the pool by what is known of a group without the policy, `withinSurpriseGap` then leaves out what
 * is too foreign to it. Expiry by age and the zero-advantage filter are the pool's. Knows nothing of the network.
 *
 * SAPO (arXiv 2509.08721) samples uniformly; weights and limits are ours. Drawing with weights w and without replacement takes the
 * largest of u^(1/w), u uniform (Efraimidis and Spirakis, 2006).
 */
import type { ComputeHost } from '../../native-models/runtime/compute-host.ts';
import { mean } from '../objective/objective.ts';
import type { Group, PeerId } from '../types.ts';
import { scoreGroups } from './train-round.ts';
import type { TokenGroup } from './rows.ts';

export interface PeerGroupOptions {
  /** J of the paper. */
  peerGroups: number;
  peerSampling: 'uniform' | 'spread' | 'fresh';
  /** Of one origin, in one round; 0 is no limit. */
  maxGroupsPerPeer: number;
}

const weights: Record<PeerGroupOptions['peerSampling'], (groups: readonly Group[]) => number[]> = {
  uniform: (groups) => groups.map(() => 1),
  /** Variance of the rewards: a task that is solved half the time teaches most. */
  spread: (groups) => groups.map(({ completions }) => variance(completions.map(({ reward }) => reward))),
  /** 1 for the newest, 1/2 for the next, 1/3 ... */
  fresh(groups) {
    const newest = groups.map(({ receivedAt }) => receivedAt).sort((a, b) => b - a);
    return groups.map(({ receivedAt }) => 1 / (1 + newest.indexOf(receivedAt)));
  },
};

function variance(values: readonly number[]): number {
  const centre = mean(values);
  return mean(values.map((value) => (value - centre) ** 2));
}

/** `random` is uniform in [0, 1). A group without a spread of rewards is never drawn by `spread`. */
export function choosePeerGroups(
  groups: readonly Group[],
  { peerGroups, peerSampling, maxGroupsPerPeer }: PeerGroupOptions,
  random: () => number,
): Group[] {
  const keys = weights[peerSampling](groups).map((weight) => (weight > 0 ? random() ** (1 / weight) : -1));
  const order = groups.map((group, i) => ({ group, key: keys[i]! })).filter(({ key }) => key >= 0);
  order.sort((a, b) => b.key - a.key);
  const chosen: Group[] = [];
  const byOrigin = new Map<PeerId, number>();
  for (const { group } of order) {
    if (chosen.length >= peerGroups) break;
    const taken = byOrigin.get(group.origin) ?? 0;
    if (maxGroupsPerPeer > 0 && taken >= maxGroupsPerPeer) continue;
    byOrigin.set(group.origin, taken + 1);
    chosen.push(group);
  }
  return chosen;
}

/**
 * Leaves out the groups whose surprise S (mean -log p per token under the policy now) is more than `maxGap` nats above `ownSurprise`,
 * that of the policy's own fresh answers. `maxGap` 0 keeps all and computes nothing. @throws ComputeError
 */
export async function withinSurpriseGap<Adopted extends { tokens: TokenGroup }>(
  compute: ComputeHost,
  adopted: readonly Adopted[],
  options: { ownSurprise: number; maxGap: number; maxTokens: number },
): Promise<Adopted[]> {
  if (options.maxGap === 0 || adopted.length === 0) return [...adopted];
  const groups = adopted.map(({ tokens }) => tokens);
  const logprobs = await scoreGroups(compute, groups, options.maxTokens, 'policy');
  let next = 0;
  return adopted.filter(({ tokens }) => {
    const own = logprobs.slice(next, (next += tokens.completions.length)).flat();
    return -mean(own) - options.ownSurprise <= options.maxGap;
  });
}
