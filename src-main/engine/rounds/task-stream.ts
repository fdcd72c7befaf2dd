/** The node's endless stream of tasks: which ones round N practises. A function of (task set, seed, round, levels) alone. */
import { WaggleError } from '../../base/errors.ts';
import type { TaskInstance } from '../../tasks/task.ts';
import { getTaskSet, isOfTrainingStream, listTaskSets, sampleTasks, type TaskSet } from '../../tasks/task-sets.ts';
import type { PeerId, TaskRef } from '../../types.ts';

/** Of a node whose settings name none: hexadecimal, of its key, so that nodes practise different tasks. */
export function seedOfKey(publicKey: PeerId): string {
  return publicKey.slice(0, 15);
}

/** Whether a peer of this key practises the task, as far as its key says. Never throws: a reference may be a stranger's. */
export function isTaskOfKey(publicKey: PeerId, task: TaskRef): boolean {
  if (!/^-?[0-9]{1,40}$/.test(task.seed) || !Number.isSafeInteger(task.index)) return false;
  return isOfTrainingStream(task, BigInt(`0x${seedOfKey(publicKey)}`));
}

/** @throws WaggleError `unknownTaskSet` */
export function knownTaskSet(name: string): TaskSet {
  const set = getTaskSet(name);
  if (set) return set;
  throw new WaggleError({
    code: 'unknownTaskSet',
    message: `There is no task set ${name}`,
    fix: `Choose one of: ${listTaskSets()
      .map((known) => known.name)
      .join(', ')}.`,
  });
}

/**
 * `seed`: hexadecimal. `levels`: by generator, where a curriculum moved them. `accepts`: whether the policy's context has room for it.
 * @throws WaggleError `unknownTaskSet`, NoTaskError
 */
export function roundTasks(
  taskSet: string,
  seed: string,
  round: number,
  count: number,
  levels: Readonly<Record<string, number>> = {},
  accepts: (instance: TaskInstance) => boolean = () => true,
): TaskInstance[] {
  return sampleTasks(knownTaskSet(taskSet), { seed: BigInt(`0x${seed}`), from: round * count, count, levels, accepts });
}
