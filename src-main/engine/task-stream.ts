/** The node's endless stream of tasks: which ones round N practises. A function of (task set, seed, round) alone. */
import { WaggleError } from '../base/errors.ts';
import { instantiate } from '../tasks/task-ref.ts';
import type { TaskInstance } from '../tasks/task.ts';
import { getTaskSet, listTaskSets, sampleTaskRefs } from '../tasks/task-sets.ts';

/** `seed`: hexadecimal. @throws WaggleError `unknownTaskSet` */
export function roundTasks(taskSet: string, seed: string, round: number, count: number): TaskInstance[] {
  const set = getTaskSet(taskSet);
  if (!set) {
    throw new WaggleError({
      code: 'unknownTaskSet',
      message: `There is no task set ${taskSet}`,
      fix: `Choose one of: ${listTaskSets()
        .map(({ name }) => name)
        .join(', ')}.`,
    });
  }
  return sampleTaskRefs(set, { seed: BigInt(`0x${seed}`), from: round * count, count }).map((ref) => {
    const made = instantiate(ref);
    if (!made.ok) throw new Error(`task ${JSON.stringify(ref)} cannot be made: ${made.reason}`);
    return made.instance;
  });
}
