/**
 * What the node practises: its set's tasks at the levels of its curriculum, and how it fares at each. The levels after a round
 * follow from the levels before and the round's own groups; they are kept with the round (redo log, checkpoint), so that a node that
 * was killed goes on with those of its last whole round. Another set can be chosen while the node runs: from the next round on,
 * and the levels reached in the former one come back with it. Knows nothing of policies or of where rounds are kept.
 */
import type { Config } from '../../config.ts';
import {
  afterRound,
  levelsOf,
  restoreCurriculum,
  standings,
  startCurriculum,
  type Curriculum,
} from '../../tasks/curriculum.ts';
import type { TaskInstance } from '../../tasks/task.ts';
import { getGenerator } from '../../tasks/registry.ts';
import type { TaskSet } from '../../tasks/task-sets.ts';
import type { JsonValue } from '../../types.ts';
import type { TaskPractice } from '../api.ts';
import { knownTaskSet, roundTasks } from './task-stream.ts';

/** The part of a group that counts here. */
interface PractisedGroup {
  instance: TaskInstance;
  completions: readonly { reward: number }[];
}

export class Practice {
  private readonly options: { seed: string; taskSet: string } & Pick<Config, 'promptsPerRound' | 'curriculum'>;
  /** What the present round, or without one the next, is drawn from. */
  set: TaskSet;
  private curriculum: Curriculum;
  /** Progress at tasks of other sets, as it was kept. */
  private others: Readonly<Record<string, JsonValue>> = {};
  private chosen: TaskSet | null = null;
  private midRound = false;

  /** `seed`: hexadecimal. @throws WaggleError `unknownTaskSet` */
  constructor(options: Practice['options']) {
    this.options = options;
    this.set = knownTaskSet(options.taskSet);
    this.curriculum = startCurriculum(this.set);
  }

  /** `kept`: what `learn` returned after the last whole round, or null. */
  restore(kept: JsonValue): void {
    this.curriculum = restoreCurriculum(this.set, kept, this.options.curriculum);
    const entries = typeof kept === 'object' && kept !== null && !Array.isArray(kept) ? Object.entries(kept) : [];
    this.others = Object.fromEntries(
      entries.filter(([name]) => !Object.hasOwn(this.curriculum, name) && getGenerator(name) !== undefined),
    );
  }

  /** From the next round on: the round in progress ends with what it was begun with. @throws WaggleError `unknownTaskSet` */
  choose(taskSet: string): void {
    this.chosen = knownTaskSet(taskSet);
    if (!this.midRound) this.takeUp();
  }

  private takeUp(): void {
    if (this.chosen === null) return;
    this.set = this.chosen;
    this.chosen = null;
    this.restore(this.progress());
  }

  private progress(): Record<string, JsonValue> {
    return { ...this.others, ...(structuredClone(this.curriculum) as unknown as Record<string, JsonValue>) };
  }

  /** `fits`: whether the policy's context has room for a task; others are replaced. @throws NoTaskError */
  tasks(round: number, fits?: (instance: TaskInstance) => boolean): TaskInstance[] {
    this.takeUp();
    this.midRound = true;
    const { seed, promptsPerRound } = this.options;
    return roundTasks(this.set.name, seed, round, promptsPerRound, levelsOf(this.curriculum), fits);
  }

  /** After the round of these own groups, all drawn at the present levels. Returns what to keep with the round. */
  learn(own: readonly PractisedGroup[]): JsonValue {
    const outcomes = own.map(({ instance, completions }) => {
      const { generator } = instance.ref;
      const right = completions.filter(({ reward }) => reward === 1).length;
      return { generator, level: this.curriculum[generator]?.level ?? 0, success: right / completions.length };
    });
    this.curriculum = afterRound(this.curriculum, outcomes, this.options.curriculum);
    this.midRound = false;
    return this.progress();
  }

  standings(): TaskPractice {
    const { name, version } = this.set;
    return { taskSet: name, version, moves: this.options.curriculum, tasks: standings(this.curriculum) };
  }
}
