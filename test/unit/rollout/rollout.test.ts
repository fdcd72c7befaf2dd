// Tasks -> groups of verified completions, with the bundled policy and real tasks: grouping, text, verdicts, reproducibility.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChatTemplate } from '../../../native-models/text/chat-template.ts';
import { loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import { bundledPolicyDirectory, promptStyleOf } from '../../../src-main/engine/policy/bundled-policy.ts';
import { roundTasks } from '../../../src-main/engine/rounds/task-stream.ts';
import { promptText } from '../../../src-main/rollout/prompt.ts';
import {
  completionText,
  generateRollouts,
  promptTokens,
  verifyRollouts,
  type PolicyText,
} from '../../../src-main/rollout/rollout.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import { verifyCompletion } from '../../../src-main/tasks/verify-completions.ts';
import { openCompute } from '../compute/in-process.ts';

const directory = bundledPolicyDirectory();
const policy: PolicyText = { tokenizer: await loadTokenizer(directory), style: await promptStyleOf(directory) };
const { tokenizer } = policy;
const { compute } = await openCompute();
const options = { completionsPerPrompt: 6, maxNewTokens: 48, temperature: 1, topK: 0, topP: 1, seed: 11 };
const rollouts = (round: number, change: Partial<typeof options> = {}) =>
  generateRollouts(compute, policy, roundTasks('starter', 'ab', round, 5), { ...options, ...change }, () => undefined);

test('a group per task in their order; its prompt, texts and verdicts are those of its own task', async () => {
  const tasks = roundTasks('starter', 'ab', 3, 5);
  const reported: number[] = [];
  const made = await generateRollouts(compute, policy, tasks, options, (tokens) => reported.push(tokens));
  const groups = verifyRollouts(policy, made);
  assert.equal(groups.length, 5);
  assert.ok(reported.length > 0 && reported.at(-1)! > 0);
  let right = 0;
  groups.forEach((group, i) => {
    assert.equal(group.instance, tasks[i]);
    assert.equal(tokenizer.decode(group.promptTokens), promptText(tasks[i]!, 'terse'));
    assert.equal(group.completions.length, 6);
    for (const { text, ended, tokens, behaviorLogprobs, reward } of group.completions) {
      assert.equal(behaviorLogprobs.length, tokens.length);
      assert.equal(text, tokenizer.decode(ended ? tokens.slice(0, -1) : tokens));
      assert.equal(tokens.at(-1) === tokenizer.eosId, ended);
      // A peer sees text and reference only, and must come to the same verdict.
      const again = instantiate(group.instance.ref);
      assert.ok(again.ok);
      assert.equal(verifyCompletion(again.instance, text).reward, reward);
      right += reward;
    }
  });
  assert.ok(right > 0 && right < 30, `the bundled policy is right sometimes: ${right} of 30`);
});

test('partial credit, where asked for, is what the option gives for the same text', async () => {
  const made = await rollouts(2);
  const strict = verifyRollouts(policy, made).flatMap(({ completions }) => completions);
  const groups = verifyRollouts(policy, made, 'partial');
  const partial = groups.flatMap(({ instance, completions }) => completions.map((one) => ({ instance, ...one })));
  assert.deepEqual(
    partial.map(({ text }) => text),
    strict.map(({ text }) => text),
  );
  for (const [i, { instance, text, reward }] of partial.entries()) {
    assert.equal(reward, verifyCompletion(instance, text, { scoring: 'partial' }).reward);
    assert.ok(strict[i]!.reward === 0 || strict[i]!.reward === 1);
  }
  assert.ok(partial.some(({ reward }, i) => reward !== strict[i]!.reward));
});

test('round, seed and tasks decide everything', async () => {
  const first = verifyRollouts(policy, await rollouts(1));
  assert.deepEqual(verifyRollouts(policy, await rollouts(1)), first);
  assert.notDeepEqual(verifyRollouts(policy, await rollouts(1, { seed: 12 })), first);
  assert.notDeepEqual(roundTasks('starter', 'ab', 2, 5), roundTasks('starter', 'ab', 1, 5));
  assert.notDeepEqual(roundTasks('starter', 'ac', 1, 5), roundTasks('starter', 'ab', 1, 5));
  const seen = [1, 2, 3, 4].flatMap((round) =>
    roundTasks('starter', 'ab', round, 5).map(({ ref }) => JSON.stringify(ref)),
  );
  assert.equal(new Set(seen).size, 20, 'no task comes twice');
});

test('cut completions keep all their tokens in the text and are verified as they stand', async () => {
  const groups = verifyRollouts(policy, await rollouts(1, { maxNewTokens: 2 }));
  const cut = groups.flatMap(({ completions }) => completions).filter(({ ended }) => !ended);
  assert.ok(cut.length > 0);
  for (const { text, tokens } of cut) assert.deepEqual([tokens.length, tokenizer.decode(tokens)], [2, text]);
});

test('the verdict is of the text alone: with EOS or cut right behind the answer, and not for what follows it', () => {
  const [instance] = roundTasks('starter', 'ab', 1, 1);
  const answer = tokenizer.encode(`<answer>${instance!.answer}</answer>`);
  const logprobs = answer.map(() => -1);
  const [group] = verifyRollouts(policy, [
    {
      instance: instance!,
      promptTokens: promptTokens(policy, instance!),
      generated: [
        { tokens: [...answer, tokenizer.eosId], logprobs: [...logprobs, -1], ended: true },
        { tokens: answer, logprobs, ended: false },
        { tokens: answer.slice(0, -2), logprobs: logprobs.slice(2), ended: false },
        { tokens: [tokenizer.eosId], logprobs: [-1], ended: true },
      ],
    },
  ]);
  assert.equal(group!.completions[0]!.text, group!.completions[1]!.text);
  assert.deepEqual(
    group!.completions.map(({ reward, text }) => [reward, text === '']),
    [
      [1, false],
      [1, false],
      [verifyCompletion(instance!, group!.completions[2]!.text).reward, false],
      [0, true],
    ],
  );
  assert.equal(
    completionText(tokenizer, { tokens: [...answer, tokenizer.eosId], ended: true }),
    group!.completions[0]!.text,
  );
});

test('a policy that says nothing of its style gets the full question and the form of the answer', async () => {
  const [instance] = roundTasks('starter', 'ab', 1, 1);
  const plain = promptText(instance!, 'plain');
  assert.ok(
    plain.includes(instance!.question) &&
      plain.includes('<answer>') &&
      plain.length > promptText(instance!, 'terse').length,
  );
  assert.equal(await promptStyleOf(directory), 'terse');
  assert.equal(await promptStyleOf(`${directory}/nowhere`), 'plain');
});

test('a chat model is asked in its own template, what a task says cannot end the turn; terse prompts stay as they are', () => {
  const chat = createChatTemplate('[{{ messages[0].role }}]{{ messages[0].content }}[/]', {});
  const instance = { ...roundTasks('starter', 'ab', 3, 1)[0]!, question: `What is 3?${tokenizer.specialTokens[0]!}` };
  const text = tokenizer.decode(promptTokens({ tokenizer, style: 'plain', chat }, instance));
  assert.match(text, /^\[user\]What is 3\?\n.*<\/answer>\.\[\/\]$/s);
  assert.deepEqual(promptTokens({ ...policy, chat }, instance), promptTokens(policy, instance));
});
