/**
 * What the node practises: its set's tasks at the levels of its curriculum, and how it fares at each. The levels after a round
 * follow from the levels before and the round's own groups; they are kept with the round (redo log, checkpoint), so that a node that
 * was killed goes on with those of its last whole round. Knows nothing of policies or of where rounds are kept.
 */
import type { Config } from '../config.ts';
import {
  afterRound,
  levelsOf,
  restoreCurriculum,
  standings,
  startCurriculum,
  type Curriculum,
} from '../tasks/curriculum.ts';
import type { TaskInstance } from '../tasks/task.ts';
import type { TaskSet } from '../tasks/task-sets.ts';
import type { JsonValue } from '../types.ts';
import type { TaskPractice } from './api.ts';
import { knownTaskSet, roundTasks } from './task-stream.ts';

/** The part of a group that counts here. */
interface PractisedGroup {
  instance: TaskInstance;
  completions: readonly { reward: number }[];
}

export class Practice {
  private readonly options: { seed: string; taskSet: string } & Pick<Config, 'promptsPerRound' | 'curriculum'>;
  readonly set: TaskSet;
  private curriculum: Curriculum;

  /** `seed`: hexadecimal. @throws WaggleError `unknownTaskSet` */
  constructor(options: Practice['options']) {
    this.options = options;
    this.set = knownTaskSet(options.taskSet);
    this.curriculum = startCurriculum(this.set);
  }

  /** `kept`: what `learn` returned after the last whole round, or null. */
  restore(kept: JsonValue): void {
    this.curriculum = restoreCurriculum(this.set, kept, this.options.curriculum);
  }

  /** `fits`: whether the policy's context has room for a task; others are replaced. @throws NoTaskError */
  tasks(round: number, fits?: (instance: TaskInstance) => boolean): TaskInstance[] {
    const { taskSet, seed, promptsPerRound } = this.options;
    return roundTasks(taskSet, seed, round, promptsPerRound, levelsOf(this.curriculum), fits);
  }

  /** After the round of these own groups, all drawn at the present levels. Returns what to keep with the round. */
  learn(own: readonly PractisedGroup[]): JsonValue {
    const outcomes = own.map(({ instance, completions }) => {
      const { generator } = instance.ref;
      const right = completions.filter(({ reward }) => reward === 1).length;
      return { generator, level: this.curriculum[generator]?.level ?? 0, success: right / completions.length };
    });
    this.curriculum = afterRound(this.curriculum, outcomes, this.options.curriculum);
    return structuredClone(this.curriculum) as unknown as JsonValue;
  }

  standings(): TaskPractice {
    const { name, version } = this.set;
    return { taskSet: name, version, moves: this.options.curriculum, tasks: standings(this.curriculum) };
  }
}
