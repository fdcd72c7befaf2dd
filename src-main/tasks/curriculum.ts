/**
 * Moves each task's level so that about half of the answers are right: groups in which all answers are right, or all wrong, teach
 * nothing. Pure: the state after a round is a function of the state before and of the round's own groups, so a node's levels follow
 * from its history alone. Knows nothing of rounds, policies or where the state is kept.
 *
 * Rule, per task: the mean success of the last `WINDOW_GROUPS` groups at the level decides once there are `FIRST_LOOK_GROUPS`. Above
 * `MAX_SUCCESS` the level rises, below `MIN_SUCCESS` it falls. A fall straight after a rise doubles the number of groups that the
 * next rise waits for, so a task between two levels rests on the lower one; a window within the bounds makes it forget that.
 */
import type { JsonValue } from '../types.ts';
import { getGenerator } from './registry.ts';
import type { TaskSet } from './task-sets.ts';

export const MIN_SUCCESS = 0.2;
export const MAX_SUCCESS = 0.8;
export const WINDOW_GROUPS = 16;
const FIRST_LOOK_GROUPS = 6;
const MOST_PATIENCE = 16;
/** Smaller differences between the halves of a window are called steady. */
const STEADY = 0.1;

export interface TaskProgress {
  level: number;
  /** Share of right answers of the latest groups at this level, oldest first, `WINDOW_GROUPS` at most. */
  recent: readonly number[];
  /** Groups seen at this level, the forgotten ones included. */
  groups: number;
  /** How many times `FIRST_LOOK_GROUPS` groups the next rise waits for. */
  patience: number;
  /** Whether the level was last changed upwards. */
  rose: boolean;
}

/** By generator name. */
export type Curriculum = Readonly<Record<string, TaskProgress>>;

/** One own group: what share of its completions was right. */
export interface GroupOutcome {
  generator: string;
  /** At which it was drawn; outcomes of another level than the present one are left out. */
  level: number;
  /** 0 to 1. */
  success: number;
}

export type Trend = 'rising' | 'falling' | 'steady' | 'unknown';

/** For people. */
export interface TaskStanding {
  generator: string;
  level: number;
  levelName: string;
  levelCount: number;
  /** Mean of the latest groups at this level; null before the first. */
  success: number | null;
  trend: Trend;
  groups: number;
}

function atLevel(level: number, patience: number, rose: boolean): TaskProgress {
  return { level, recent: [], groups: 0, patience, rose };
}

function topLevel(name: string): number {
  const generator = getGenerator(name);
  if (generator === undefined) throw new RangeError(`no generator ${name}`);
  return generator.levels.length - 1;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Each task at the level that the set gives it. */
export function startCurriculum(set: TaskSet): Curriculum {
  return Object.fromEntries(
    set.members.map(({ generator, level }) => [generator, atLevel(Math.min(level, topLevel(generator)), 1, false)]),
  );
}

function afterGroup(before: TaskProgress, success: number, top: number, moves: boolean): TaskProgress {
  const recent = [...before.recent, success].slice(-WINDOW_GROUPS);
  const progress = { ...before, recent, groups: before.groups + 1 };
  if (!moves || recent.length < FIRST_LOOK_GROUPS) return progress;
  const { level, patience, rose, groups } = progress;
  const average = mean(recent);
  if (average < MIN_SUCCESS && level > 0)
    return atLevel(level - 1, rose ? Math.min(2 * patience, MOST_PATIENCE) : patience, false);
  if (average > MAX_SUCCESS && level < top && groups >= patience * FIRST_LOOK_GROUPS)
    return atLevel(level + 1, patience, true);
  const settled = recent.length === WINDOW_GROUPS && average >= MIN_SUCCESS && average <= MAX_SUCCESS;
  return settled ? { ...progress, patience: 1, rose: false } : progress;
}

/**
 * In the order given. Outcomes of tasks that the curriculum does not have are left out. Without `moves` success is followed, but
 * every level stays.
 */
export function afterRound(before: Curriculum, outcomes: readonly GroupOutcome[], moves = true): Curriculum {
  const after: Record<string, TaskProgress> = { ...before };
  for (const { generator, level, success } of outcomes) {
    const progress = after[generator];
    if (progress?.level !== level) continue;
    after[generator] = afterGroup(progress, success, topLevel(generator), moves);
  }
  return after;
}

/** For `sampleTasks`. */
export function levelsOf(curriculum: Curriculum): Record<string, number> {
  return Object.fromEntries(Object.entries(curriculum).map(([name, { level }]) => [name, level]));
}

function trendOf(recent: readonly number[]): Trend {
  if (recent.length < FIRST_LOOK_GROUPS) return 'unknown';
  const half = Math.floor(recent.length / 2);
  const difference = mean(recent.slice(-half)) - mean(recent.slice(0, half));
  if (Math.abs(difference) < STEADY) return 'steady';
  return difference > 0 ? 'rising' : 'falling';
}

export function standings(curriculum: Curriculum): TaskStanding[] {
  return Object.entries(curriculum).map(([generator, { level, recent, groups }]) => {
    const { levels } = getGenerator(generator)!;
    return {
      generator,
      level,
      levelName: levels[level]!.name,
      levelCount: levels.length,
      success: recent.length === 0 ? null : mean(recent),
      trend: trendOf(recent),
      groups,
    };
  });
}

function parseProgress(value: JsonValue | undefined, top: number): TaskProgress | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { level, recent, groups, patience, rose } = value;
  const isCount = (item: unknown, max: number): item is number =>
    typeof item === 'number' && Number.isSafeInteger(item) && item >= 0 && item <= max;
  const isShare = (item: unknown): item is number => typeof item === 'number' && item >= 0 && item <= 1;
  if (!isCount(level, top) || !isCount(groups, Number.MAX_SAFE_INTEGER)) return null;
  if (!isCount(patience, MOST_PATIENCE) || patience < 1 || typeof rose !== 'boolean') return null;
  if (!Array.isArray(recent) || recent.length > WINDOW_GROUPS || !recent.every(isShare)) return null;
  return { level, recent, groups, patience, rose };
}

/**
 * A kept state for this set: whatever of it does not fit (another version's levels, a task that is new) starts anew. Without `moves`
 * a level other than the set's does not fit either.
 */
export function restoreCurriculum(set: TaskSet, kept: JsonValue, moves = true): Curriculum {
  const start = startCurriculum(set);
  if (typeof kept !== 'object' || kept === null || Array.isArray(kept)) return start;
  return Object.fromEntries(
    Object.entries(start).map(([name, fresh]) => {
      const value = Object.hasOwn(kept, name) ? kept[name] : undefined;
      const progress = parseProgress(value, topLevel(name));
      return [name, progress && (moves || progress.level === fresh.level) ? progress : fresh];
    }),
  );
}
