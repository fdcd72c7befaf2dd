// BRIDGE's plan for a round, and the calls that work it off, on plain numbers; the update rule is checked in runtime/bridge-policy.test.ts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ComputeError, type ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import { OUT_OF_MEMORY } from '../../../native-models/runtime/out-of-memory.ts';
import { loadConfig } from '../../../src-main/config.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import type { ChosenDemonstration } from '../../../src-main/train/choose-demonstrations.ts';
import { planBridge } from '../../../src-main/train/plan-bridge.ts';
import type { TokenGroup } from '../../../src-main/train/rows.ts';
import { executePlan, type TrainPlan } from '../../../src-main/train/train-round.ts';

const flags = { learningRate: 1e-4, bridgeLearningRate: 4e-4, warmupSteps: 10, epochsPerRound: 2 };
const configOf = (more: Record<string, unknown> = {}) => loadConfig({ flags: { ...flags, ...more } }).config;
const config = configOf();
const [grpo, asympo, imitation] = (['grpo', 'asympo', 'sft'] as const).map((name) => createObjective(name, config));

const group: TokenGroup = {
  promptTokens: [1, 2],
  completions: [1, 0].map((reward) => ({ tokens: [3, 4 + reward, 5], reward, behaviorLogprobs: [-1, -1, -1] })),
};
const demonstration = (length: number): ChosenDemonstration => ({
  demonstration: {
    source: 'peer',
    origin: '01'.repeat(32),
    policyName: null,
    of: { kind: 'prompt', prompt: 'x' },
    text: 'y',
  },
  promptTokens: [7],
  tokens: Array.from({ length }, (_, i) => 20 + i),
  question: 'x',
  surprise: 1,
});
const own = { source: 'own', objective: grpo!, groups: [group] } as const;
const peers = { source: 'peers', objective: asympo!, groups: [{ ...group }] } as const;
const at = (demonstrations: ChosenDemonstration[], policyVersion = 40, startedAt = 30) => ({
  imitation: imitation!,
  demonstrations,
  policyVersion,
  startedAt,
});

describe('the plan', () => {
  test('has the demonstrations as rows whose loss is the mean over their tokens, and a warm-up of its own for the adapter', () => {
    const plan = planBridge([own, peers], at([demonstration(3), demonstration(5)], 32), config)!;
    const { demonstrations, lambdas, adapters, sft } = plan.bridge!;
    assert.equal(sft, 'sft');
    assert.deepEqual(
      demonstrations.map(({ tokens, promptLength, rowWeight }) => [tokens.length, promptLength, rowWeight]),
      [
        [4, 1, 1 / 8],
        [6, 1, 1 / 8],
      ],
    );
    assert.deepEqual(lambdas, [0.5, 0.5]);
    const near = (actual: number, expected: number) => assert.ok(Math.abs(actual / expected - 1) < 1e-12);
    adapters.forEach(({ learningRate }, epoch) => near(learningRate, (4e-4 * (3 + epoch)) / 10));
    plan.optimizers.forEach(({ learningRate }) => near(learningRate, 1e-4));
    assert.equal(plan.parts.length, 2);
  });

  test('anneals lambda from where BRIDGE began; without demonstrations rewards have full weight', () => {
    const annealed = configOf({ bridgeAnnealSteps: 20, bridgeLambda: 0.8 });
    const lambdasAt = (version: number, given = [demonstration(3)]) =>
      planBridge([own], at(given, version), annealed)!.bridge!.lambdas.map((lambda) => Number(lambda.toFixed(6)));
    assert.deepEqual(lambdasAt(30), [0, 0.04]);
    assert.deepEqual(lambdasAt(40), [0.4, 0.44]);
    assert.deepEqual(lambdasAt(900), [0.8, 0.8]);
    assert.deepEqual(lambdasAt(30, []), [1, 1]);
  });

  test('is none where there is nothing to learn from: neither rewards to compare nor demonstrations that count', () => {
    assert.equal(planBridge([], at([]), config), null);
    assert.equal(planBridge([], at([demonstration(3)]), configOf({ bridgeLambda: 1 })), null);
    const imitating = planBridge([], at([demonstration(3)]), config)!;
    assert.deepEqual([imitating.parts, imitating.bridge!.lambdas], [[], [0.5, 0.5]]);
  });
});

describe('working it off', () => {
  const sum = (loss: number) => ({ loss, metrics: { tokens: 3, nll: 2 }, tokens: 5 });
  function stepping(fail: (maxTokens: number) => boolean = () => false) {
    const asked: { call: string; args: Record<string, unknown> }[] = [];
    let version = 40;
    const call = (name: string, args: Record<string, unknown>): Promise<unknown> => {
      asked.push({ call: name, args });
      if (name !== 'bridgeStep') return Promise.resolve(null);
      if (fail(args.maxTokens as number))
        return Promise.reject(new ComputeError({ code: OUT_OF_MEMORY, message: 'Memory ran out', fix: 'None.' }));
      version++;
      return Promise.resolve({
        sft: sum(2),
        rl: [sum(0.5), sum(0.25)],
        cooperativeGain: version - 40,
        gradientNorm: 3,
        adapterGradientNorm: 1,
        applied: version === 41,
        version,
      });
    };
    return { compute: { call } as unknown as ComputeHost, asked };
  }
  const planned = (): TrainPlan => planBridge([own, peers], at([demonstration(40)]), config)!;

  test('one call a step; what each part showed, and the gain, as means', async () => {
    const { compute, asked } = stepping();
    const heard: number[] = [];
    const outcome = await executePlan(compute, planned(), (steps) => heard.push(steps));
    assert.deepEqual(
      asked.map(({ call }) => call),
      ['bridgeStep', 'bridgeStep'],
    );
    assert.deepEqual(heard, [1, 2]);
    assert.deepEqual(outcome.bridge, {
      demonstrations: 1,
      lambda: 0.5,
      sftLoss: 2,
      cooperativeGain: 1.5,
      adapterGradientNorm: 1,
    });
    assert.deepEqual([outcome.steps, outcome.skippedSteps, outcome.policyVersion, outcome.gradientNorm], [2, 1, 42, 3]);
    assert.deepEqual(outcome.parts.peers, { loss: 0.25, metrics: { tokens: 6, nll: 4 } });
    assert.equal(outcome.tokens, 2 * (5 + 2 * (5 + 5)), 'rewarded answers pass at the policy and at its twin');
  });

  test('where memory runs out, the step is made again with smaller passes, and so it is when it is done again', async () => {
    const plan = planned();
    const { compute, asked } = stepping((maxTokens) => maxTokens > 100);
    const shrunk: number[] = [];
    const outcome = await executePlan(
      compute,
      plan,
      () => undefined,
      (maxTokens) => shrunk.push(maxTokens),
    );
    assert.equal(outcome.steps, 2);
    assert.ok(shrunk.length > 0 && shrunk.at(-1)! <= 100);
    const sizes = asked.filter(({ call }) => call === 'bridgeStep').map(({ args }) => args.maxTokens as number);
    assert.deepEqual(sizes.slice(-2), [shrunk.at(-1), shrunk.at(-1)]);
    const again = stepping();
    await executePlan(again.compute, structuredClone(plan));
    const sizesAgain = again.asked.map(({ args }) => args.maxTokens);
    assert.deepEqual(sizesAgain, sizes.slice(-2));
    await assert.rejects(executePlan(stepping(() => true).compute, planned()), { code: OUT_OF_MEMORY });
  });
});
