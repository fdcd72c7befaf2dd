/** Partial credit against what the real reasoning-gym's scorers gave, and strict verdicts on the same corpus. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { getGenerator, listGenerators } from '../../../src-main/tasks/registry.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import type { TaskInstance, TaskProblem } from '../../../src-main/tasks/task.ts';
import { verifyCompletion } from '../../../src-main/tasks/verify-completions.ts';
import type { JsonObject } from '../../../src-main/types.ts';

type Answer = string | [text: string, count: number][];

interface ScoreCase {
  generator: string;
  config: JsonObject;
  /** Of the reference's instance, or the answer of a made-up one. */
  seed?: string;
  index?: number;
  answer?: string;
  /** A score of null: the reference's scorer raised. */
  scores: [score: number | null, answers: Answer[]][];
}

const path = new URL('../../golden/reasoning-gym/scores.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(path, 'utf8')) as { cases: ScoreCase[] };

function textOf(answer: Answer): string {
  return typeof answer === 'string' ? answer : answer.map(([text, count]) => text.repeat(count)).join('');
}

function problemOf({ generator, config, seed, index, answer }: ScoreCase): TaskProblem {
  if (answer !== undefined) return { question: '', terse: '', answer, terseAnswer: answer, metadata: {} };
  const { version } = getGenerator(generator)!;
  const made = instantiate({ generator, version, config, seed, index });
  assert.ok(made.ok, made.ok ? '' : made.reason);
  return made.instance;
}

for (const name of new Set(cases.map(({ generator }) => generator))) {
  test(`${name}: partial credit equals the reference's`, () => {
    const generator = getGenerator(name)!;
    let compared = 0;
    for (const one of cases.filter((item) => item.generator === name)) {
      const problem = problemOf(one);
      const parsed = generator.parseConfig(one.config);
      assert.ok(parsed.ok);
      for (const [score, answers] of one.scores) {
        for (const answer of answers) {
          const text = textOf(answer);
          const where = `${name} ${JSON.stringify(one.config)} ${one.index}: ${JSON.stringify(text.slice(0, 60))} for ${problem.answer}`;
          assert.equal(generator.partialCredit(text, problem, parsed.config), score ?? 0, where);
          compared++;
        }
      }
    }
    assert.ok(compared > 120, `${compared}`);
  });
}

function firstOf(generator: string): TaskInstance {
  const { version } = getGenerator(generator)!;
  const made = instantiate({ generator, version, config: {}, seed: '3', index: 0 });
  assert.ok(made.ok);
  return made.instance;
}

test('NaN stands for no number, though the reference lets it pass', () => {
  const { metadata, ...rest } = firstOf('number_sorting');
  const generator = getGenerator('number_sorting')!;
  const count = (metadata.sorted_numbers as string[]).length;
  for (const one of ['NaN', '"nan"', '"-NaN"', "'nan'"]) {
    const list = `[${Array(count).fill(one).join(',')}]`;
    assert.equal(generator.partialCredit(list, { ...rest, metadata }, generator.defaults), 0, one);
  }
});

test('the option reaches completions; strict stays the default', () => {
  const instance = firstOf('chain_sum');
  const near = `<answer>it is ${instance.answer}</answer>`;
  assert.deepEqual(verifyCompletion(instance, near), { reward: 0, reason: 'not a number' });
  const credit = verifyCompletion(instance, near, { scoring: 'partial' });
  assert.equal(credit.reward, instance.answer.length / (instance.answer.length + 6));
  assert.equal(credit.reason, 'partly right');
  const right = `<answer>${instance.answer}</answer>`;
  assert.deepEqual(verifyCompletion(instance, right, { scoring: 'partial' }), { reward: 1, reason: 'correct' });
  assert.deepEqual(verifyCompletion(instance, 'x', { scoring: 'partial' }), { reward: 0, reason: 'no answer tag' });
});

test('strict verdicts are 1 or 0, and 1 only where the reference gives all or the question allows it', () => {
  // White space around it, a plus sign, leading zeros, commas: our questions allow them, the reference's default rule does not.
  const plain = (text: string): string =>
    text
      .trim()
      .replaceAll(',', '')
      .replace(/^[+]?0*(?=[0-9])/, '');
  let right = 0;
  for (const one of cases) {
    const problem = problemOf(one);
    if (one.answer !== undefined) continue;
    for (const [score, answers] of one.scores) {
      for (const text of answers.map(textOf)) {
        const { reward } = getGenerator(one.generator)!.verify(text, problem);
        assert.ok(reward === 0 || reward === 1);
        const rights = [problem.answer, problem.terseAnswer].map(plain);
        if (reward === 1 && score !== 1) assert.ok(rights.includes(plain(text)), `${one.generator} ${text}`);
        right += reward;
      }
    }
  }
  assert.ok(right > 200, `${right}`);
});

test('an answer of a megabyte costs a strict verifier next to nothing', () => {
  const floods = ['9', '[', ' ', '¬', '(P ∧ ', '0 ', '-', '٣', '1,', '1/'].map((part) =>
    part.repeat(1_000_000 / part.length),
  );
  for (const generator of listGenerators()) {
    const { name } = generator;
    const instance = firstOf(name);
    const before = process.threadCpuUsage();
    for (let i = 0; i < 20; i++)
      for (const flood of floods) assert.equal(generator.verify(flood, instance).reward, 0, name);
    const { user } = process.threadCpuUsage(before);
    assert.ok(user / 20 / floods.length < 200, `${name} took ${user / 20 / floods.length} microseconds each`);
  }
});
