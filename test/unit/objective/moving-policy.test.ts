/**
 * What needs more than one gradient to show, on the real compute process and the bundled policy: the importance ratio moves
 * from epoch to epoch until clipping acts, and the KL term pulls back to the policy before training.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ComputeHost, forkCompute } from '../../../native-models/runtime/compute-host.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import { configSchema } from '../../../src-main/config/schema.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import type { TokenGroup } from '../../../src-main/train/rows.ts';
import { executePlan, planTraining, withNeededLogprobs } from '../../../src-main/train/train-round.ts';

/** Any tokens will do: what is right or wrong is said by the rewards. */
const groups: TokenGroup[] = [0, 1].map((g) => ({
  promptTokens: [20 + g, 30, 40],
  completions: [1, 0, 0, 1].map((reward, i) => ({
    tokens: Array.from({ length: 4 + i }, (_, t) => 50 + ((7 * t + 3 * i + g) % 60)),
    reward,
    behaviorLogprobs: null,
  })),
}));
const rows = groups.flatMap(({ promptTokens, completions }) =>
  completions.map(({ tokens }) => ({ tokens: [...promptTokens, ...tokens], promptLength: promptTokens.length })),
);

async function train(settings: { epochsPerRound: number; learningRate: number; klWeight: number }) {
  const config = configSchema.parse({ warmupSteps: 0, ...settings });
  const objective = createObjective('grpo', config);
  const host = new ComputeHost(forkCompute);
  try {
    const { config: shape } = await host.call('open', {
      policyDirectory: bundledPolicyDirectory(),
      checkpointDirectory: null,
      provider: 'cpu',
      threads: 1,
    });
    const model = lowerGraph(gradientGraph(shape, objective.loss), 'cpu', 'grpo');
    await host.call('defineObjective', { name: 'grpo', model });
    const before = await host.call('score', { rows, maxTokens: 4096 });
    const ready = await withNeededLogprobs(host, objective, groups, 4096);
    const plan = planTraining([{ source: 'own', objective, groups: ready }], 0, config)!;
    const epochs = [];
    for (const optimizer of plan.optimizers) {
      const { parts } = await executePlan(host, { ...plan, epochs: 1, optimizers: [optimizer] });
      epochs.push(parts.own!.metrics);
    }
    const after = await host.call('score', { rows, maxTokens: 4096 });
    const reference = await host.call('score', { rows, maxTokens: 4096, under: 'reference' });
    return { before, after, reference, epochs };
  } finally {
    await host.close();
  }
}

test('over several epochs the ratio leaves 1 and is clipped', async () => {
  const { epochs } = await train({ epochsPerRound: 4, learningRate: 1e-3, klWeight: 0 });
  const ratio = ({ ratio: sum, tokens }: Record<string, number>): number => sum! / tokens!;
  assert.ok(Math.abs(ratio(epochs[0]!) - 1) < 1e-5, 'the first epoch is on-policy');
  assert.equal(epochs[0]!.clippedTokens, 0);
  assert.ok(Math.abs(ratio(epochs[3]!) - 1) > 0.05, `the ratio stayed at ${ratio(epochs[3]!)}`);
  assert.ok(epochs[3]!.clippedTokens! > 0, 'clipping acts');
});

test('the reference stays what the policy was before training, and its pull holds the policy near', async () => {
  const free = await train({ epochsPerRound: 6, learningRate: 5e-4, klWeight: 0 });
  const held = await train({ epochsPerRound: 6, learningRate: 5e-4, klWeight: 5 });
  assert.deepEqual(held.reference, held.before);
  assert.equal(held.epochs[0]!.kl, 0, 'nothing to pull before the first step');
  assert.ok(held.epochs.slice(1).every(({ kl }) => kl! > 0));
  assert.ok(free.epochs.every(({ kl }) => kl === undefined));
  const moved = ({ before, after }: typeof free): number =>
    before.flat().reduce((sum, logprob, i) => sum + Math.abs(logprob - after.flat()[i]!), 0);
  assert.ok(moved(held) < 0.7 * moved(free), `moved ${moved(held)} held, ${moved(free)} free`);
});
