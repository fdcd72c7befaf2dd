/** The table of objectives, by the names the config uses. A missing row is a compile error. */
import { asympo } from './asympo.ts';
import { grpo } from './grpo.ts';
import type { Objective, ObjectiveName, ObjectiveOptions } from './objective.ts';

const table: { [K in ObjectiveName]: (options: ObjectiveOptions) => Objective } = { grpo, asympo };

export function createObjective(name: ObjectiveName, options: ObjectiveOptions): Objective {
  return table[name](options);
}
