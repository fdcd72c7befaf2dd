/** The objectives that experiments compare, as they name them: ASymPO appears with and without its stabiliser. */
import type { Config } from '../../../src-main/config.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import type { Objective, ObjectiveName } from '../../../src-main/objective/objective.ts';

export const subjects = {
  naive: { objective: 'naive', settings: {} },
  GRPO: { objective: 'grpo', settings: {} },
  SPO: { objective: 'spo', settings: {} },
  ASymPO: { objective: 'asympo', settings: {} },
  'ASymPO, no stabiliser': { objective: 'asympo', settings: { asympoLow: 0, asympoHigh: 1 } },
} as const satisfies Record<string, { objective: ObjectiveName; settings: Partial<Config> }>;
export type SubjectName = keyof typeof subjects;

export function subjectObjective(name: SubjectName, config: Config): Objective {
  const { objective, settings } = subjects[name];
  return createObjective(objective, { ...config, ...settings });
}
