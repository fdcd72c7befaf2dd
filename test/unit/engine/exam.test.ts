// The exam: which tasks, how they are answered and scored; and that a node takes it when it is due and keeps the result.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import type { GenerateOptions } from '../../../native-models/runtime/generate.ts';
import { loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { takeExam } from '../../../src-main/engine/rounds/exam.ts';
import { getTaskSet, heldOutTasks, NoTaskError, sampleTasks } from '../../../src-main/tasks/task-sets.ts';
import type { TaskInstance } from '../../../src-main/tasks/task.ts';
import { openNode } from './test-node.ts';

const set = getTaskSet('starter')!;
const tokenizer = await loadTokenizer(bundledPolicyDirectory());

/** Greedily right, except at `hard`; sampled right at every second task only. */
function computeThatKnows(tasks: readonly TaskInstance[], hard: string) {
  const calls: { prompts: number; options: GenerateOptions }[] = [];
  const call = (
    name: string,
    args: { prompts: number[][]; options: GenerateOptions },
    onProgress: (n: number) => void,
  ) => {
    assert.equal(name, 'generate');
    calls.push({ prompts: args.prompts.length, options: args.options });
    onProgress(args.prompts.length);
    const completions = args.prompts.map((prompt) => {
      const at = tasks.findIndex(({ terse }) => tokenizer.decode(prompt).trimEnd().endsWith(terse));
      const { ref, terseAnswer } = tasks[at]!;
      const isRight = args.options.temperature === 0 ? ref.generator !== hard : at % 2 === 0;
      const tokens = tokenizer.encode(`<answer>${isRight ? terseAnswer : 'no idea'}</answer>`);
      return [{ tokens, logprobs: tokens.map(() => 0), ended: false }];
    });
    return Promise.resolve(completions);
  };
  return { compute: { call } as unknown as ComputeHost, calls };
}

const options = {
  set,
  examTasks: 50,
  promptsPerRound: 12,
  maxNewTokens: 20,
  temperature: 0.8,
  topK: 5,
  topP: 0.9,
  stopTexts: [],
  seed: 2 ** 32 - 1,
  fits: () => true,
};

test('the held-out tasks are answered greedily and sampled, a round of prompts at a time, and scored by task', async () => {
  const tasks = heldOutTasks(set, 50);
  const { compute, calls } = computeThatKnows(tasks, 'chain_sum');
  const progress: number[] = [];
  const result = await takeExam(
    compute,
    { tokenizer, style: 'terse', chat: null },
    {
      ...options,
      onProgress: (done, total) => progress.push(done / total),
    },
  );
  assert.deepEqual(
    calls.map(({ prompts }) => prompts),
    [12, 12, 12, 12, 2, 12, 12, 12, 12, 2],
  );
  assert.ok(calls.every(({ options: { completionsPerPrompt } }) => completionsPerPrompt === 1));
  assert.deepEqual([...new Set(calls.map(({ options: { temperature } }) => temperature))], [0, 0.8]);
  assert.ok(calls.every(({ options: { seed } }) => seed >= 0 && seed < 2 ** 32));
  assert.ok(progress.every((share, i) => share <= 1 && (i === 0 || share > progress[i - 1]!)));
  const hard = tasks.filter(({ ref }) => ref.generator === 'chain_sum').length;
  assert.ok(hard > 0);
  assert.equal(result.tasks, 50);
  assert.ok(Math.abs(result.greedy - (50 - hard) / 50) < 1e-12 && Math.abs(result.sampled - 0.5) < 1e-12);
  assert.deepEqual(result.byTask.find(({ generator }) => generator === 'chain_sum')!.greedy, 0);
  assert.equal(
    result.byTask.reduce((sum, one) => sum + one.tasks, 0),
    50,
  );
});

test('tasks that do not fit the policy are replaced, and where none fits that is said', async () => {
  const long = (instance: TaskInstance): boolean => instance.terse.length > 12;
  assert.ok(heldOutTasks(set, 50, long).every(long));
  assert.deepEqual(heldOutTasks(set, 50, long), heldOutTasks(set, 50, long));
  assert.throws(() => heldOutTasks(set, 1, () => false), NoTaskError);
  assert.throws(() => sampleTasks(set, { seed: 1n, from: 0, count: 1, accepts: () => false }), { fix: /context/ });
  const { compute } = computeThatKnows([], '');
  const exam = takeExam(
    compute,
    { tokenizer, style: 'terse', chat: null },
    {
      ...options,
      fits: () => false,
      onProgress: () => undefined,
    },
  );
  await assert.rejects(exam, { code: 'TASK_NONE_FITS' });
});

test('a node takes the exam when it is due, tells it and keeps it', { timeout: 180_000 }, async () => {
  const node = await openNode({ rounds: 5, examRounds: 2, examTasks: 5 });
  const told: number[] = [];
  node.engine.api.subscribe('exam', ({ round }) => told.push(round));
  await node.until('waiting', 'roundsDone', 150_000);
  const exams = await node.invoke('exams', { limit: 10 });
  assert.deepEqual(
    exams.map(({ round }) => round),
    [1, 2, 4],
  );
  assert.deepEqual(told, [1, 2, 4]);
  for (const { tasks, greedy, sampled, taskSet, taskSetVersion, byTask, seconds } of exams) {
    assert.deepEqual([tasks, taskSet, taskSetVersion], [5, 'starter', 1]);
    assert.ok([greedy, sampled].every((share) => share >= 0 && share <= 1) && seconds > 0);
    assert.equal(
      byTask.reduce((sum, one) => sum + one.tasks, 0),
      5,
    );
  }
  assert.deepEqual(
    (await node.invoke('exams', { limit: 1 })).map(({ round }) => round),
    [4],
  );
  const { tasks, taskSet, moves } = await node.invoke('practice', null);
  assert.deepEqual([taskSet, moves, tasks.length], ['starter', false, 10]);
  assert.equal(
    tasks.reduce((sum, { groups }) => sum + groups, 0),
    15,
  );
  await node.engine.close();
  const again = await openNode({ rounds: 1, examRounds: 2, examTasks: 5 }, node.directory);
  await again.until('waiting', 'roundsDone', 150_000);
  const { tasks: after } = await again.invoke('practice', null);
  assert.equal(
    after.reduce((sum, { groups }) => sum + groups, 0),
    18,
    'practice went on from what was kept',
  );
  assert.deepEqual(
    (await again.invoke('exams', { limit: 10 })).map(({ round }) => round),
    [1, 2, 4, 6],
  );
  await again.engine.close();
});
