/** The curriculum: its rule step by step, that it follows from history alone, and that it keeps made-up learners within bounds. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { PythonRandom } from '../../../src-main/tasks/python-random.ts';
import {
  afterRound,
  levelsOf,
  MAX_SUCCESS,
  MIN_SUCCESS,
  restoreCurriculum,
  standings,
  startCurriculum,
  WINDOW_GROUPS,
  type Curriculum,
  type GroupOutcome,
} from '../../../src-main/tasks/curriculum.ts';
import { getGenerator } from '../../../src-main/tasks/registry.ts';
import { getTaskSet } from '../../../src-main/tasks/task-sets.ts';
import type { JsonValue } from '../../../src-main/types.ts';

const starter = getTaskSet('starter')!;
const everything = getTaskSet('everything')!;

/** `count` groups of chain_sum at its present level, all with this success. */
function feed(before: Curriculum, success: number, count: number): Curriculum {
  let curriculum = before;
  for (let i = 0; i < count; i++) {
    const { level } = curriculum.chain_sum!;
    curriculum = afterRound(curriculum, [{ generator: 'chain_sum', level, success }]);
  }
  return curriculum;
}

test('a set starts at its own levels', () => {
  assert.ok(Object.values(levelsOf(startCurriculum(starter))).every((level) => level === 0));
  const { levels } = getGenerator('bf')!;
  assert.deepEqual(levels[levelsOf(startCurriculum(everything)).bf!]!.config, {});
});

test('six groups too easy raise the level, six too hard lower it, others keep it', () => {
  const start = startCurriculum(everything);
  const { level } = start.chain_sum!;
  assert.equal(feed(start, 0.9, 5).chain_sum!.level, level);
  const raised = feed(start, 0.9, 6);
  assert.deepEqual(raised.chain_sum, { level: level + 1, recent: [], groups: 0, patience: 1, rose: true });
  assert.equal(feed(start, 0.1, 6).chain_sum!.level, level - 1);
  for (const success of [0.25, 0.5, 0.75]) assert.equal(feed(start, success, 100).chain_sum!.level, level);
  assert.deepEqual(raised.gcd, start.gcd);
});

test('levels end at both ends', () => {
  const start = startCurriculum(starter);
  assert.equal(feed(start, 0, 500).chain_sum!.level, 0);
  assert.equal(feed(start, 1, 500).chain_sum!.level, getGenerator('chain_sum')!.levels.length - 1);
});

test('a fall straight after a rise makes the next rise wait longer, until it settles', () => {
  const start = startCurriculum(starter);
  let curriculum = feed(feed(start, 1, 6), 0, 6);
  assert.deepEqual([curriculum.chain_sum!.level, curriculum.chain_sum!.patience], [0, 2]);
  assert.equal(feed(curriculum, 1, 11).chain_sum!.level, 0);
  assert.equal(feed(curriculum, 1, 12).chain_sum!.level, 1);
  for (let i = 0; i < 10; i++) curriculum = feed(feed(curriculum, 1, 6 * curriculum.chain_sum!.patience), 0, 6);
  assert.equal(curriculum.chain_sum!.patience, 16);
  assert.equal(feed(curriculum, 0.5, WINDOW_GROUPS).chain_sum!.patience, 1);
});

test('outcomes of another level or an unknown task change nothing', () => {
  const start = startCurriculum(starter);
  const strange: GroupOutcome[] = [
    { generator: 'chain_sum', level: 3, success: 1 },
    { generator: 'no such task', level: 0, success: 1 },
    { generator: 'lcm', level: 0, success: 1 },
  ];
  assert.deepEqual(afterRound(start, strange), start);
});

/** A learner whose chance falls with the level and, where it learns, rises with practice at the edge of what it can do. */
function simulate(seed: bigint, gain: number, rounds: number): { curriculum: Curriculum; outcomes: GroupOutcome[][] } {
  const random = new PythonRandom(seed);
  const names = ['chain_sum', 'number_sorting', 'base_conversion', 'products'];
  const skill: Record<string, number> = Object.fromEntries(names.map((name, i) => [name, i - 1]));
  let curriculum = startCurriculum(everything);
  const outcomes: GroupOutcome[][] = [];
  for (let round = 0; round < rounds; round++) {
    const own = names.map((generator): GroupOutcome => {
      const { level } = curriculum[generator]!;
      const chance = 1 / (1 + Math.exp(1.5 * (level - skill[generator]!)));
      skill[generator]! += gain * chance * (1 - chance);
      const right = Array.from({ length: 8 }, () => random.random() < chance).filter(Boolean).length;
      return { generator, level, success: right / 8 };
    });
    outcomes.push(own);
    curriculum = afterRound(curriculum, own);
  }
  return { curriculum, outcomes };
}

test('success of a learner stays within the bounds wherever a level allows it', () => {
  for (const gain of [0, 0.05]) {
    for (const seed of [1n, 2n, 3n]) {
      const { outcomes } = simulate(seed, gain, 400);
      for (const name of ['number_sorting', 'base_conversion', 'products']) {
        const own = outcomes.flat().filter(({ generator }) => generator === name);
        const top = getGenerator(name)!.levels.length - 1;
        let outside = 0;
        const windows = Math.floor(own.length / WINDOW_GROUPS);
        // The first windows find the level.
        for (let i = 3; i < windows; i++) {
          const window = own.slice(i * WINDOW_GROUPS, (i + 1) * WINDOW_GROUPS);
          if (window.some(({ level }) => level === top || level === 0)) continue;
          const mean = window.reduce((sum, { success }) => sum + success, 0) / window.length;
          if (mean < MIN_SUCCESS || mean > MAX_SUCCESS) outside++;
        }
        assert.ok(outside <= 0.15 * windows, `${name} gain ${gain}: ${outside} of ${windows} windows outside`);
      }
    }
  }
});

test('a learner that improves climbs', () => {
  const { curriculum } = simulate(5n, 0.05, 600);
  for (const name of ['chain_sum', 'number_sorting']) {
    assert.ok(curriculum[name]!.level > levelsOf(startCurriculum(everything))[name]! - 1, name);
  }
  assert.ok(curriculum.number_sorting!.level > startCurriculum(everything).number_sorting!.level);
});

test('the state follows from the history, also through JSON in the middle', () => {
  const { curriculum, outcomes } = simulate(9n, 0.02, 120);
  let again = startCurriculum(everything);
  for (const own of outcomes) {
    again = restoreCurriculum(everything, JSON.parse(JSON.stringify(afterRound(again, own))) as JsonValue);
  }
  assert.deepEqual(again, curriculum);
});

test('what does not fit a kept state starts anew, the rest is kept', () => {
  const kept = JSON.parse(JSON.stringify(feed(startCurriculum(starter), 0.5, 3))) as Record<string, JsonValue>;
  const good = kept.chain_sum as Record<string, JsonValue>;
  const start = startCurriculum(starter);
  assert.deepEqual(restoreCurriculum(starter, kept).chain_sum, good);
  const bad: JsonValue[] = [
    null,
    7,
    [],
    { ...good, level: 99 },
    { ...good, level: 0.5 },
    { ...good, recent: [2] },
    { ...good, recent: Array<number>(WINDOW_GROUPS + 1).fill(0.5) },
    { ...good, patience: 0 },
    { ...good, rose: 'yes' },
    { ...good, groups: -1 },
  ];
  for (const value of bad) {
    const restored = restoreCurriculum(starter, { ...kept, chain_sum: value });
    assert.deepEqual(restored.chain_sum, start.chain_sum, JSON.stringify(value));
  }
  for (const value of [null, 'x', [1], 3]) assert.deepEqual(restoreCurriculum(starter, value), start);
});

test('standings say level, success and trend', () => {
  const start = startCurriculum(starter);
  const chainSum = (curriculum: Curriculum) => standings(curriculum).find(({ generator }) => generator === 'chain_sum');
  assert.deepEqual(chainSum(start), {
    generator: 'chain_sum',
    level: 0,
    levelName: 'starter',
    levelCount: 5,
    success: null,
    trend: 'unknown',
    groups: 0,
  });
  assert.equal(chainSum(feed(feed(start, 0.25, 4), 0.75, 4))!.trend, 'rising');
  assert.equal(chainSum(feed(feed(start, 0.75, 4), 0.25, 4))!.trend, 'falling');
  assert.equal(chainSum(feed(start, 0.5, 8))!.trend, 'steady');
  assert.equal(chainSum(feed(start, 0.5, 8))!.success, 0.5);
});
