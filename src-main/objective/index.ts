/** The table of objectives, by the names the config uses. A missing row is a compile error. */
import { asympo } from './asympo.ts';
import { grpo } from './grpo.ts';
import { naive } from './naive.ts';
import type { Objective, ObjectiveName, ObjectiveOptions } from './objective.ts';
import { sft } from './sft.ts';
import { spo } from './spo.ts';

const table: { [K in ObjectiveName]: (options: ObjectiveOptions) => Objective } = { grpo, asympo, spo, sft, naive };

export function createObjective(name: ObjectiveName, options: ObjectiveOptions): Objective {
  return table[name](options);
}
