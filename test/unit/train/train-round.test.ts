// Groups -> rows -> plan -> calls to the compute process, checked on plain numbers; what the process computes is checked elsewhere.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import { loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import { createRandom } from '../../../src-main/base/random.ts';
import { loadConfig } from '../../../src-main/config.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import type { OwnGroup } from '../../../src-main/rollout/rollout.ts';
import { peerTokenGroup, trainRows, type TokenGroup } from '../../../src-main/train/rows.ts';
import { executePlan, planTraining, withNeededLogprobs } from '../../../src-main/train/train-round.ts';
import { sampleOwnGroups } from '../../../src-main/train/training-set.ts';
import type { Completion } from '../../../src-main/types.ts';

const { config } = loadConfig({ flags: { learningRate: 1e-4, warmupSteps: 10, epochsPerRound: 3 } });
const grpo = createObjective('grpo', config);
const asympo = createObjective('asympo', config);
const tokenizer = await loadTokenizer(bundledPolicyDirectory());

const group = (rewards: readonly number[], first = 1): TokenGroup => ({
  promptTokens: [first, first + 1],
  completions: rewards.map((reward, i) => ({
    tokens: Array.from({ length: i + 1 }, (_, t) => 10 * (i + 1) + t),
    reward,
    behaviorLogprobs: null,
  })),
});
const text = (content: string, reward: number, ended = true): Completion => ({ text: content, ended, reward });

/** A compute process of nothing but answers, and what it was asked. */
function answering(answers: Record<string, (args: never) => unknown>) {
  const asked: { call: string; args: unknown }[] = [];
  const call = (name: string, args: unknown): Promise<unknown> => {
    asked.push({ call: name, args });
    return Promise.resolve(answers[name]?.(args as never) ?? null);
  };
  return { compute: { call } as unknown as ComputeHost, asked };
}

describe("peers' text as rows", () => {
  const prompt = tokenizer.encode('reverse bee\n');

  test('EOS only where its writer ended it', () => {
    const made = peerTokenGroup(tokenizer, prompt, [text('eeb', 1), text('eeb', 0, false)], 128)!;
    const plain = tokenizer.encode('eeb');
    assert.deepEqual(
      made.completions.map(({ tokens }) => tokens),
      [[...plain, tokenizer.eosId], plain],
    );
    assert.deepEqual(made.promptTokens, prompt);
    assert.ok(made.completions.every(({ behaviorLogprobs }) => behaviorLogprobs === null));
  });

  test('what does not fit the context is left out, to the token; what is left must still differ in reward', () => {
    const completions = [text('eeb', 1), text('e'.repeat(60), 0), text('be', 0)];
    const longest = tokenizer.encode('e'.repeat(60)).length + 1;
    const lengthsIn = (context: number) =>
      peerTokenGroup(tokenizer, prompt, completions, context)?.completions.length ?? null;
    assert.equal(lengthsIn(prompt.length + longest), 3);
    assert.equal(lengthsIn(prompt.length + longest - 1), 2);
    assert.equal(lengthsIn(prompt.length), null, 'no room at all');
    const onlyLongWrong = [text('eeb', 1), text('eeb ', 1), text('e'.repeat(60), 0)];
    assert.equal(peerTokenGroup(tokenizer, prompt, onlyLongWrong, prompt.length + longest - 1), null);
    assert.equal(
      peerTokenGroup(tokenizer, prompt, [text('', 1, false), text('be', 0)], 128),
      null,
      'an empty text is no row',
    );
  });

  test('a long text that cannot fit is not even tokenised: a stranger chose its length', () => {
    const encoded: number[] = [];
    const counting = {
      ...tokenizer,
      encode: (content: string) => {
        encoded.push(content.length);
        return tokenizer.encode(content);
      },
    };
    const completions = [text('eeb', 1), text('1'.repeat(16_000), 0), text('be', 0)];
    const made = peerTokenGroup(counting, prompt, completions, 160)!;
    assert.deepEqual(
      made.completions.map(({ place }) => place),
      [0, 2],
    );
    assert.deepEqual(encoded, [3, 2]);
  });

  test('advantages are of exactly the rows that are left', () => {
    const completions = [text('eeb', 1), text('e'.repeat(60), 1), text('be', 0), text('ee', 0)];
    const made = peerTokenGroup(tokenizer, prompt, completions, prompt.length + 20)!;
    const rows = trainRows([made], asympo, 1);
    assert.equal(rows.length, 3);
    assert.deepEqual(
      rows.map(({ advantage }) => advantage),
      asympo.advantages([1, 0, 0]),
    );
    assert.ok(rows.every(({ promptLength, tokens }) => promptLength === prompt.length && tokens.length > promptLength));
  });
});

describe('the plan of a round', () => {
  test('nothing to train on is no plan', () => {
    assert.equal(planTraining([], 0, config), null);
    assert.equal(planTraining([{ source: 'own', objective: grpo, groups: [] }], 0, config), null);
    const sft = createObjective('sft', config);
    const parts = [{ source: 'own' as const, objective: sft, groups: [group([0, 0.5])] }];
    assert.equal(planTraining(parts, 0, config), null, 'no right answer to imitate');
    const imitated = planTraining([{ ...parts[0]!, groups: [group([0, 1, 1])] }], 0, config)!;
    assert.deepEqual(
      imitated.parts[0]!.rows.map(({ tokens }) => tokens.length),
      [2 + 2, 2 + 3],
      'only the right ones are rows',
    );
  });

  test('own and peers count by their groups; a part without groups is left out', () => {
    const plan = planTraining(
      [
        { source: 'own', objective: asympo, groups: [group([1, 0]), group([1, 0, 0], 5), group([0, 1], 9)] },
        { source: 'peers', objective: asympo, groups: [group([1, 0], 20)] },
      ],
      0,
      config,
    )!;
    const share = (i: number): number => plan.parts[i]!.rows.reduce((sum, { rowWeight }) => sum + rowWeight, 0);
    assert.ok(Math.abs(share(0) - 0.75) < 1e-12 && Math.abs(share(1) - 0.25) < 1e-12);
    assert.deepEqual(
      plan.parts.map(({ source, objective, rows }) => [source, objective, rows.length]),
      [
        ['own', 'asympo', 7],
        ['peers', 'asympo', 2],
      ],
    );
    const alone = planTraining(
      [
        { source: 'own', objective: grpo, groups: [] },
        { source: 'peers', objective: asympo, groups: [group([1, 0])] },
      ],
      0,
      config,
    )!;
    assert.deepEqual(
      alone.parts.map(({ source }) => source),
      ['peers'],
    );
  });

  test('the learning rate of each step follows the schedule from where the policy is', () => {
    const at = (version: number) =>
      planTraining([{ source: 'own', objective: grpo, groups: [group([1, 0])] }], version, config)!.optimizers.map(
        ({ learningRate }) => learningRate,
      );
    assert.equal(at(0).length, 3);
    assert.deepEqual(at(100), [1e-4, 1e-4, 1e-4]);
    const [first, second, third] = at(4);
    assert.ok(first! < second! && second! < third! && third! < 1e-4);
    assert.deepEqual(at(4).slice(1), at(5).slice(0, 2), 'it depends on nothing but the step');
  });

  test('it survives the redo log: structured clone gives the same plan', () => {
    const plan = planTraining([{ source: 'own', objective: grpo, groups: [group([1, 0, 1])] }], 3, config);
    assert.deepEqual(structuredClone(plan), plan);
  });
});

describe('the calls of a round', () => {
  const plan = planTraining(
    [
      { source: 'own', objective: grpo, groups: [group([1, 0])] },
      { source: 'peers', objective: asympo, groups: [group([0, 1], 30)] },
    ],
    7,
    config,
  )!;

  test('forget, then each part and one step, epoch by epoch; sums over epochs, means over steps', async () => {
    let version = 7;
    let step = 0;
    const { compute, asked } = answering({
      accumulate: ({ objective }: { objective: string }) =>
        objective === 'grpo'
          ? { loss: 3, tokens: 5, metrics: { tokens: 5, nll: 2 } }
          : { loss: 6, tokens: 7, metrics: { tokens: 7 } },
      update: ({ optimizer }: { optimizer: { learningRate: number } }) => {
        const applied = ++step !== 2; // the second gradient is not finite
        if (applied) version++;
        return { version, applied, gradientNorm: step, learningRate: optimizer.learningRate };
      },
    });
    const steps: number[] = [];
    const outcome = await executePlan(compute, plan, (done) => steps.push(done));
    assert.deepEqual(
      asked.map(({ call }) => call),
      ['dropGradient', ...Array.from({ length: 3 }, () => ['accumulate', 'accumulate', 'update']).flat()],
    );
    assert.deepEqual(steps, [1, 2, 3]);
    assert.deepEqual(outcome, {
      policyVersion: 9,
      steps: 3,
      tokens: 36,
      gradientNorm: 2,
      learningRate: plan.optimizers[2]!.learningRate,
      skippedSteps: 1,
      parts: {
        own: { loss: 3, metrics: { tokens: 15, nll: 6 } },
        peers: { loss: 6, metrics: { tokens: 21 } },
      },
    });
  });

  test('an error of the process comes through, and no step is taken after it', async () => {
    const { compute, asked } = answering({
      accumulate: () => {
        throw new Error('device lost');
      },
    });
    await assert.rejects(async () => executePlan(compute, plan), /device lost/);
    assert.deepEqual(
      asked.map(({ call }) => call),
      ['dropGradient', 'accumulate'],
    );
  });
});

test('missing behaviour log-probs are asked for in one call and land with their completions', async () => {
  const groups = [group([1, 0]), group([0, 1, 1], 40)];
  const { compute, asked } = answering({
    score: ({ rows }: { rows: { tokens: number[]; promptLength: number }[] }) =>
      rows.map(({ tokens, promptLength }) => tokens.slice(promptLength).map((token) => -token)),
  });
  const filled = await withNeededLogprobs(compute, grpo, groups, 512);
  assert.equal(asked.length, 1);
  for (const { completions } of filled)
    for (const { tokens, behaviorLogprobs } of completions)
      assert.deepEqual(
        behaviorLogprobs,
        tokens.map((t) => -t),
      );
  assert.deepEqual(
    filled.map(({ promptTokens }) => promptTokens),
    groups.map(({ promptTokens }) => promptTokens),
  );
  const none = answering({});
  assert.deepEqual(await withNeededLogprobs(none.compute, asympo, groups, 512), groups);
  assert.deepEqual(await withNeededLogprobs(none.compute, grpo, [], 512), []);
  assert.equal(none.asked.length, 0, 'what needs nothing asks for nothing');
});

describe('own groups of a round', () => {
  const own = (rewards: readonly number[]): OwnGroup =>
    ({ promptTokens: [1], completions: rewards.map((reward) => ({ reward })) }) as unknown as OwnGroup;
  const random = (seed: number) => {
    const stream = createRandom(String(seed), 'test');
    return () => stream.float();
  };

  test('always: each at most once, none that is uniform, as many as asked for or all there are', () => {
    const groups = fc.array(fc.array(fc.constantFrom(0, 1), { minLength: 2, maxLength: 5 }).map(own), {
      maxLength: 12,
    });
    const counts = { ownGroups: fc.nat(8), peerGroups: fc.nat(8) };
    fc.assert(
      fc.property(groups, fc.record(counts), fc.nat(8), fc.nat(), (all, options, adopted, seed) => {
        const chosen = sampleOwnGroups(all, adopted, options, random(seed));
        const useful = all.filter(({ completions }) => new Set(completions.map(({ reward }) => reward)).size > 1);
        assert.equal(new Set(chosen).size, chosen.length);
        assert.ok(chosen.every((each) => useful.includes(each)));
        // Places that peers left empty are filled with own groups.
        const wanted = options.ownGroups + Math.max(0, options.peerGroups - adopted);
        assert.equal(chosen.length, Math.min(wanted, useful.length));
        assert.deepEqual(
          chosen,
          sampleOwnGroups(all, adopted, options, random(seed)),
          'the same numbers, the same choice',
        );
      }),
    );
  });

  test('each has the same chance', () => {
    const all = Array.from({ length: 6 }, () => own([1, 0]));
    const counts = new Map(all.map((each) => [each, 0]));
    const draws = 6000;
    for (let seed = 0; seed < draws; seed++)
      for (const each of sampleOwnGroups(all, 0, { ownGroups: 2, peerGroups: 0 }, random(seed)))
        counts.set(each, counts.get(each)! + 1);
    // Expected 2000 each; five standard deviations are 183.
    for (const count of counts.values()) assert.ok(Math.abs(count - draws / 3) < 183, String([...counts.values()]));
  });
});
