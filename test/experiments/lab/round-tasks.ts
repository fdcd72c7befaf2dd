/** The tasks of an experiment's rounds: a function of (set, seed, round), so that every arm practises the same ones. */
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import type { TaskInstance } from '../../../src-main/tasks/task.ts';
import { getTaskSet, sampleTaskRefs, type TaskSet } from '../../../src-main/tasks/task-sets.ts';

/** The bundled policy's tasks, or only some of them. */
export function starterSet(generators?: readonly string[]): TaskSet {
  const set = getTaskSet('starter')!;
  const members = set.members.filter(({ generator }) => generators?.includes(generator) ?? true);
  if (members.length !== (generators ?? set.members).length)
    throw new Error(`not all in ${set.name}: ${generators?.join()}`);
  return { ...set, members };
}

export function tasksOf(set: TaskSet, seed: number, round: number, count: number): TaskInstance[] {
  return sampleTaskRefs(set, { seed: BigInt(seed), from: round * count, count }).map((ref) => {
    const made = instantiate(ref);
    if (!made.ok) throw new Error(`task ${JSON.stringify(ref)} cannot be made: ${made.reason}`);
    return made.instance;
  });
}
