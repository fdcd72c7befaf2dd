/** The API's view of the tasks: what kinds there are, one instance of them, and the verdict on an answer to it. */
import { WaggleError } from '../../base/errors.ts';
import { getGenerator, listGenerators } from '../../tasks/registry.ts';
import { instantiate } from '../../tasks/task-ref.ts';
import type { Calls, TaskSample, TaskSampleArgs } from '../api.ts';

export function listTasks(): Calls['tasks']['result'] {
  return listGenerators().map(({ name, version, summary, levels }) => ({
    name,
    version,
    summary,
    levels: [...levels],
  }));
}

/** @throws WaggleError where there is no such task. */
export function sampleTask({ generator, config, seed, index, answer }: TaskSampleArgs): TaskSample {
  const known = getGenerator(generator);
  if (!known) {
    throw new WaggleError({
      code: 'unknownTask',
      message: `There is no task ${generator}`,
      fix: 'Call `tasks` for the list.',
    });
  }
  const made = instantiate({ generator, version: known.version, config, seed, index });
  if (!made.ok) {
    throw new WaggleError({
      code: 'badTask',
      message: `That task cannot be made: ${made.reason}`,
      fix: 'Correct config, seed or index.',
    });
  }
  const { instance } = made;
  const verdict = answer === undefined ? null : known.verify(answer, instance);
  const { ref, question, terse, metadata } = instance;
  return { ref, question, terse, answer: instance.answer, metadata, verdict };
}
