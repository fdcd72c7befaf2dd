/**
 * Own groups and peers' groups -> what is trained in this round (SAPO, arXiv 2509.08721, section 3): groups without advantage
 * are dropped, then at most `ownGroups` own and all adopted ones are taken. Where peers gave fewer than `peerGroups`, own groups
 * fill their places, so that a node alone still trains on a full batch.
 */
import type { OwnGroup } from '../rollout/rollout.ts';
import { isUniform } from '../objective/objective.ts';

export interface TrainingSetOptions {
  /** I of the paper. */
  ownGroups: number;
  /** J of the paper. */
  peerGroups: number;
}

/** Uniform sample without replacement of the own groups that have something to teach. */
export function sampleOwnGroups(
  own: readonly OwnGroup[],
  adopted: number,
  options: TrainingSetOptions,
  random: () => number,
): OwnGroup[] {
  const useful = own.filter((group) => !isUniform(group.completions.map(({ reward }) => reward)));
  const wanted = options.ownGroups + Math.max(0, options.peerGroups - adopted);
  for (let i = useful.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [useful[i], useful[j]] = [useful[j]!, useful[i]!];
  }
  return useful.slice(0, wanted);
}
