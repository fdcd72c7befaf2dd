/**
 * The BRIDGE experiment in small (test/experiments/bridge.ts): the bundled policy learns from worked solutions and from its own verified
 * answers at once. That each step is the paper's is checked number by number in test/unit/runtime/bridge-policy.test.ts; here, that
 * such steps teach. Fixed seed, CPU. Measured when this was written: held-out accuracy 0.385 -> 0.575.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src-main/config/schema.ts';
import { runBridgeCell } from '../experiments/lab/bridge-cell.ts';
import { starterSet } from '../experiments/lab/round-tasks.ts';

const ROUNDS = 20;
const LEARNING_RATE = 2e-4;

test('demonstrations and rewards together raise the held-out accuracy', async (t) => {
  const { heldOut, cooperativeGain, seconds } = await runBridgeCell({
    arm: 'BRIDGE',
    rounds: ROUNDS,
    seed: 1,
    wrongShare: 0,
    demonstrations: 16,
    adapterLearningRate: 4 * LEARNING_RATE,
    evaluateEvery: ROUNDS,
    evaluationTasks: 100,
    tasks: starterSet(),
    config: configSchema.parse({
      learningRate: LEARNING_RATE,
      warmupSteps: 5,
      promptsPerRound: 4,
      maxNewTokens: 60,
      cpuThreads: 2,
    }),
  });
  const [first, last] = [heldOut[0]!, heldOut.at(-1)!];
  t.diagnostic(
    `held-out accuracy ${first.toFixed(3)} -> ${last.toFixed(3)} in ${ROUNDS} rounds, ${seconds.toFixed(0)} s`,
  );
  assert.ok(last >= first + 0.08, `went only from ${first} to ${last}`);
  const gains = cooperativeGain.filter((gain) => gain !== null);
  assert.ok(gains.length > ROUNDS / 2, 'the gain is measured in rounds with rollouts to learn from');
  assert.ok(
    gains.slice(1).some((gain) => Math.abs(gain) > 1e-4),
    'theta-hat went its own way',
  );
});
