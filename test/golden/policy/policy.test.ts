/** Log-probs, loss, every weight's gradient and generation of each family, against transformers in float32. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openSafetensors } from '../../../native-models/checkpoint/safetensors.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { scoreFolder } from '../../../native-models/policy/score.ts';
import { generate } from '../../../native-models/runtime/generate.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { relativeError } from '../ops/run-graph.ts';
import { hasGradients, meanLossRows, policyFolder, policyNames, weightedLikelihood } from './folders.ts';

const noCheckpoint = (): void => undefined;
const reached: string[] = [];
const adamW = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.01 };

async function openPolicy(name: string): Promise<PolicyRuntime> {
  const { config, weights } = await loadPolicyWeights(policyFolder(name).directory);
  return new PolicyRuntime({ config, weights, provider: 'cpu', threads: 1, padId: 0 });
}

for (const name of policyNames) {
  const { directory, vectors } = policyFolder(name);

  test(`${name}: token log-probs equal transformers'`, async (t) => {
    const policy = await openPolicy(name);
    t.after(() => policy.close());
    for (const maxTokens of [1000, 40]) {
      const scored = await policy.score(vectors.rows, maxTokens, noCheckpoint);
      const error = relativeError(
        scored.flat(),
        vectors.rows.flatMap((row) => row.logprobs),
      );
      reached.push(`${name} log-probs: ${error.toExponential(1)}`);
      assert.deepEqual(
        scored.map((row) => row.length),
        vectors.rows.map((row) => row.logprobs.length),
      );
      assert.ok(error < 5e-6, `relative error ${error}`);
    }
  });

  // The other folders differ from their family only in their rotary tables or their files.
  if (hasGradients(name))
    test(`${name}: loss and every gradient equal transformers', in one micro-batch and in several`, async (t) => {
      const policy = await openPolicy(name);
      t.after(() => policy.close());
      await policy.defineObjective('sft', weightedLikelihood);
      const file = await openSafetensors(`${directory}/gradients.safetensors`);
      t.after(() => file.close());
      for (const maxTokens of [1000, 40, 1]) {
        const sum = await policy.accumulate('sft', meanLossRows(vectors), maxTokens, noCheckpoint);
        assert.ok(Math.abs(sum.loss - vectors.loss) < 1e-5, `loss ${sum.loss}, transformers ${vectors.loss}`);
        assert.ok(
          Math.abs(sum.metrics.logprobs! - vectors.rows.flatMap((row) => row.logprobs).reduce((a, b) => a + b)) < 1e-3,
        );
        const gradients = Object.entries(policy.gradients());
        assert.equal(gradients.length, file.entries.size);
        let worst = 0;
        for (const [slot, gradient] of gradients) {
          const error = relativeError(gradient, await file.readFloats(slot), 1e-9);
          worst = Math.max(worst, error);
          assert.ok(error < 1e-4, `${slot}: relative error ${error}`);
        }
        reached.push(`${name} gradients (micro-batches of ${maxTokens} tokens): ${worst.toExponential(1)}`);
        policy.dropGradient();
      }
    });

  test(`${name}: greedy generation of prompts of different lengths gives transformers' tokens and log-probs`, async (t) => {
    const policy = await openPolicy(name);
    t.after(() => policy.close());
    const options = { temperature: 0, topK: 0, topP: 1, completionsPerPrompt: 2, maxNewTokens: 10, seed: 1 };
    const generated = await generate(
      policy,
      vectors.greedy.map((row) => row.prompt),
      options,
      noCheckpoint,
    );
    vectors.greedy.forEach((expected, p) => {
      for (const { tokens, logprobs, ended } of generated[p]!) {
        assert.deepEqual(tokens, expected.tokens);
        assert.equal(ended, tokens.at(-1) === 3);
        const error = relativeError(logprobs, expected.logprobs);
        assert.ok(error < 1e-5, `relative error ${error}`);
      }
    });
  });

  test(`${name}: sampled step by step, a completion's log-probs are those of the whole sequence`, async (t) => {
    const policy = await openPolicy(name);
    t.after(() => policy.close());
    const prompts = vectors.rows.map((row) => row.tokens.slice(0, row.promptLength));
    const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: 6, maxNewTokens: 40, seed: 5 };
    const generated = await generate(policy, prompts, options, noCheckpoint);
    const rows = generated.flatMap((completions, p) =>
      completions.map(({ tokens }) => ({ tokens: [...prompts[p]!, ...tokens], promptLength: prompts[p]!.length })),
    );
    const all = generated.flat();
    assert.ok(all.some((row) => row.ended) && all.some((row) => !row.ended), 'rows must end at different times');
    assert.ok(all.every((row) => row.ended === (row.tokens.at(-1) === 3) && !row.tokens.slice(0, -1).includes(3)));
    const scored = await policy.score(rows, 2000, noCheckpoint);
    const error = relativeError(
      all.flatMap((row) => row.logprobs),
      scored.flat(),
    );
    reached.push(`${name} generated against scored log-probs: ${error.toExponential(1)}`);
    assert.ok(error < 1e-5, `relative error ${error}`);
  });

  test(`${name}: a text's score equals transformers'`, async () => {
    const { text } = vectors;
    const scored = await scoreFolder(directory, text.prompt, text.completion, { ended: true, threads: 1 });
    assert.deepEqual(scored.promptTokenIds, text.promptTokenIds);
    assert.deepEqual(scored.tokenIds, text.tokenIds);
    assert.ok(relativeError(scored.logprobs, text.logprobs) < 5e-6);
  });
}

test('scoring refuses a prompt without tokens and a text longer than the context', async () => {
  const { directory } = policyFolder('tied');
  await assert.rejects(scoreFolder(directory, '', 'a'), { name: 'PolicyError', message: /prompt has no tokens/ });
  await assert.rejects(scoreFolder(directory, 'a', 'b'.repeat(64)), { name: 'PolicyError', message: /65 tokens.*64/ });
});

test('a completion does not depend on which others are decoded beside it', async (t) => {
  const policy = await openPolicy('untied');
  t.after(() => policy.close());
  const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: 4, maxNewTokens: 20, seed: 9 };
  const many = await generate(
    policy,
    [
      [5, 6, 7],
      [8, 9, 10],
    ],
    options,
    noCheckpoint,
  );
  const one = await generate(policy, [[5, 6, 7]], { ...options, completionsPerPrompt: 1 }, noCheckpoint);
  assert.deepEqual(one[0]![0]!.tokens, many[0]![0]!.tokens);
});

test('finished rows are replaced by waiting ones: a completion is the same however few are decoded at once', async (t) => {
  const policy = await openPolicy('families/qwen3');
  t.after(() => policy.close());
  const prompts = [[5, 6, 7, 8], [9], [10, 11]];
  const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: 5, maxNewTokens: 25, seed: 4 };
  const all = await generate(policy, prompts, options, noCheckpoint);
  assert.ok(new Set(all.flat().map(({ tokens }) => tokens.length)).size > 3, 'rows must end at different times');
  for (const maxRows of [1, 2, 4, 15]) {
    let reported = 0;
    const few = await generate(policy, prompts, { ...options, maxRows }, noCheckpoint, (done) => (reported = done));
    assert.deepEqual(
      few.map((group) => group.map(({ tokens, ended }) => ({ tokens, ended }))),
      all.map((group) => group.map(({ tokens, ended }) => ({ tokens, ended }))),
    );
    assert.equal(
      reported,
      all.flat().reduce((sum, { tokens }) => sum + tokens.length, 0),
    );
  }
});

test('a stop text ends a completion, which keeps it and does not count as ended; without one nothing changes', async (t) => {
  const policy = await openPolicy('families/qwen3');
  t.after(() => policy.close());
  const letters = (tokens: readonly number[]): string =>
    tokens.map((token) => String.fromCharCode(65 + token)).join('');
  const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: 6, maxNewTokens: 30, seed: 8 };
  const [free] = await generate(policy, [[5, 6]], options, noCheckpoint);
  const stop = letters(free![0]!.tokens.slice(3, 5));
  const [stopped] = await generate(
    policy,
    [[5, 6]],
    { ...options, stopTexts: ['nowhere', stop] },
    noCheckpoint,
    undefined,
    letters,
  );
  assert.ok(stopped![0]!.tokens.length <= 5 && !stopped![0]!.ended);
  stopped!.forEach(({ tokens, ended }, i) => {
    const text = letters(free![i]!.tokens);
    const at = text.indexOf(stop);
    assert.equal(letters(tokens), at < 0 ? text : text.slice(0, at + stop.length));
    assert.equal(ended, at < 0 && free![i]!.ended);
  });
});

test('a prompt without tokens, or as long as the context, is refused before anything is computed', async (t) => {
  const policy = await openPolicy('tied');
  t.after(() => policy.close());
  const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: 1, maxNewTokens: 5, seed: 1 };
  for (const prompts of [[[]], [[5], new Array<number>(64).fill(5)]])
    await assert.rejects(generate(policy, prompts, options, noCheckpoint), {
      code: 'policyInvalid',
      message: /prompt/,
    });
});

test('a gradient that is not finite changes nothing, and is forgotten', async (t) => {
  const policy = await openPolicy('tied');
  t.after(() => policy.close());
  await policy.defineObjective('sft', weightedLikelihood);
  const { vectors } = policyFolder('tied');
  const before = policy.weights.slice();
  for (const rowWeight of [NaN, Infinity]) {
    const rows = meanLossRows(vectors).map((row, i) => (i === 2 ? { ...row, rowWeight } : row));
    await policy.accumulate('sft', rows, 40, noCheckpoint);
    const result = await policy.update(adamW, 1);
    assert.equal(result.applied, false);
    assert.ok(!Number.isFinite(result.gradientNorm));
    assert.deepEqual(policy.weights, before);
    assert.equal(policy.optimizer.step, 0);
    assert.ok(policy.optimizer.m.every((x) => x === 0));
  }
  assert.equal((await policy.update(adamW, 1)).applied, false, 'nothing accumulated, nothing applied');
  await policy.accumulate('sft', meanLossRows(vectors), 1000, noCheckpoint);
  assert.equal((await policy.update(adamW, 1)).applied, true);
  const after = await policy.accumulate('sft', meanLossRows(vectors), 1000, noCheckpoint);
  assert.ok(after.loss < vectors.loss, `${after.loss} after a step, ${vectors.loss} before`);
});

after(() => console.log(reached.join('\n')));
