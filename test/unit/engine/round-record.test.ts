/** What the objectives measured, as the history keeps it: sums become means and ratios, what was not measured is left out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../../src-main/config/schema.ts';
import type { RoundResult } from '../../../src-main/engine/loop.ts';
import { roundRecord } from '../../../src-main/engine/rounds/round-record.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import type { TrainOutcome } from '../../../src-main/train/outcome.ts';

const config = configSchema.parse({});
const around = {
  publicKey: 'a'.repeat(64),
  policyName: 'p',
  role: 'both' as const,
  at: 0,
  objectives: { own: createObjective('grpo', config), peers: createObjective('asympo', config) },
  peers: 1,
  pooledGroups: 2,
  admittedGroups: 3,
  rejectedRecords: 0,
  computeBytes: null,
  nodeBytes: 1e6,
  policyVersion: 1,
  credits: [],
  trainedMs: 0,
};
const result = (parts: TrainOutcome['parts'], tooForeign = 0): RoundResult => ({
  round: 1,
  own: [],
  shared: 0,
  trainedOwn: [],
  adopted: [],
  tooForeign,
  plan: null,
  outcome: {
    policyVersion: 1,
    steps: 1,
    tokens: 10,
    gradientNorm: 0.5,
    learningRate: 1e-4,
    skippedSteps: 0,
    parts,
  },
  seconds: { train: 2 },
});

const measured = (round: RoundResult) => roundRecord(round, around).record.round.metrics;

test('balance is what worse answers contributed over what better ones did; per-token sums become means', () => {
  const own = { tokens: 10, nll: 3, raised: 0.2, lowered: 0.5, clippedTokens: 1, ratio: 11, kl: 0.4 };
  const peers = { tokens: 4, nll: 6, raised: 0.3, lowered: 0.3, clippedHigh: 1, clippedLow: 2, surprise: 1 };
  const metrics = measured(result({ own: { loss: 0.1, metrics: own }, peers: { loss: 0, metrics: peers } }, 2));
  const { ownBalance, peerBalance, referenceKl, ownNll, peerNll, clippedTokens, importanceRatio } = metrics;
  assert.deepEqual(
    { ownBalance, peerBalance, referenceKl, ownNll, peerNll, clippedTokens, importanceRatio },
    {
      ownBalance: 2.5,
      peerBalance: 1,
      referenceKl: 0.04,
      ownNll: 0.3,
      peerNll: 1.5,
      clippedTokens: 0.1,
      importanceRatio: 1.1,
    },
  );
  assert.deepEqual([metrics.stabilisedHigh, metrics.stabilisedLow], [0.25, 0.5]);
  assert.equal(metrics.tooForeignGroups, 2);
});

test('the history shows the advantages that were trained with: a completion that was left out has none', () => {
  const completion = (reward: number) => ({ text: 'x', ended: true, reward });
  const task = { generator: 'gcd', version: 1, config: {}, seed: '1', index: 0 };
  const adopted: RoundResult['adopted'][number] = {
    group: {
      id: 'g',
      origin: 'b'.repeat(64),
      task,
      question: 'q',
      completions: [1, 1, 0, 0].map(completion),
      round: 0,
      policyName: 'p',
      receivedAt: 0,
    },
    waitedRounds: 0,
    instance: { ref: task, question: 'q', terse: 'q', answer: 'a', terseAnswer: 'a', metadata: {} },
    tokens: {
      promptTokens: [1],
      completions: [1, 2, 3].map((place) => ({
        tokens: [2],
        reward: place === 1 ? 1 : 0,
        behaviorLogprobs: null,
        place,
      })),
    },
  };
  const { rollouts } = roundRecord({ ...result({}), adopted: [adopted] }, around).record;
  assert.deepEqual(
    rollouts![0]!.completions.map(({ advantage }) => advantage),
    [null, 1 - 1 / 3, -1 / 3, -1 / 3],
  );
});

test('what was not measured is left out, not set to 0', () => {
  const metrics = measured(result({ own: { loss: 0, metrics: { tokens: 10, nll: 3, raised: 0, lowered: 0 } } }));
  for (const name of ['ownBalance', 'peerBalance', 'referenceKl', 'clippedTokens', 'peerNll', 'tooForeignGroups'])
    assert.ok(!(name in metrics), name);
});

test('a node that does half of it has no zeros for the other half', () => {
  const names = (role: 'both' | 'generates' | 'trains') =>
    Object.keys(roundRecord({ ...result({}), outcome: null }, { ...around, role }).record.round.metrics);
  const made = ['sharedGroups', 'generatedTokens'];
  const learnt = ['peerGroups'];
  assert.deepEqual(
    (['both', 'generates', 'trains'] as const).map((role) =>
      [...made, ...learnt, 'ownGroups'].filter((name) => names(role).includes(name)),
    ),
    [[...made, ...learnt, 'ownGroups'], made, learnt],
  );
});
