/**
 * The naive objective: L = (1/G) sum_g A_g S_g, policy gradient without any correction. It is SPO (spo.ts) with alpha = 1.
 *
 * A test subject, not a choice for training: on fresh own answers it works; on stale or foreign ones the terms of worse completions, which
 * are unlikely by now and so at a large S, outweigh those of better ones, and the policy collapses (arXiv 2606.03070). The
 * experiments show this, which is how we know that they would notice a broken objective.
 */
import type { Objective, ObjectiveOptions } from './objective.ts';
import { spo } from './spo.ts';

export function naive(options: ObjectiveOptions): Objective {
  return {
    ...spo({ ...options, spoAlpha: 1 }),
    name: 'naive',
    summary: 'Plain policy gradient without any correction, for comparison: it collapses on stale answers.',
  };
}
