/**
 * The staleness experiment in small (test/experiments/staleness.ts): the bundled policy trains on rollouts that are 32 rounds old.
 * The naive objective must collapse and ASymPO must keep up with GRPO, which knows the behaviour log-probabilities that ASymPO does
 * not need. Fixed seed, CPU. Measured when this was written: naive 0.66 -> 0.21, ASymPO 0.57 and GRPO 0.54 at the end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src-main/config/schema.ts';
import { starterSet } from '../experiments/lab/round-tasks.ts';
import { runStalenessCell, type StalenessCurves } from '../experiments/lab/staleness-cell.ts';
import type { SubjectName } from '../experiments/lab/subjects.ts';
import { summariseCurve } from '../experiments/lab/summary.ts';
import { TrainedPolicy } from '../experiments/lab/trained-policy.ts';

const AGE_ROUNDS = 32;
const ROUNDS = 80;
const WINDOW_ROUNDS = 20;
const config = configSchema.parse({ learningRate: 4e-4, warmupSteps: 5, promptsPerRound: 4, maxNewTokens: 40 });
const tasks = starterSet(['count_bits', 'spell_backward', 'gcd', 'prime_factorization']);

async function curves(subject: SubjectName): Promise<StalenessCurves> {
  const policy = await TrainedPolicy.open({ config, threads: 1 });
  try {
    return await runStalenessCell(policy, { subject, staleness: AGE_ROUNDS, rounds: ROUNDS, seed: 2, tasks, config });
  } finally {
    await policy.close();
  }
}

function mean(values: readonly (number | null)[]): number {
  const known = values.filter((value) => value !== null);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

test('on stale rollouts the naive objective collapses and ASymPO keeps up with GRPO', async (t) => {
  const [naive, grpo, asympo] = await Promise.all([curves('naive'), curves('GRPO'), curves('ASymPO')]);
  for (const [name, { reward, balance }] of Object.entries({ naive, grpo, asympo })) {
    const { first, peak, last } = summariseCurve(reward, WINDOW_ROUNDS);
    const figures = [first, peak, last, mean(balance)].map((x) => x.toFixed(3)).join(', ');
    t.diagnostic(`${name}: first, best, last ${WINDOW_ROUNDS} rounds and balance: ${figures}`);
  }
  const { peak, last } = summariseCurve(naive.reward, WINDOW_ROUNDS);
  assert.ok(last <= 0.7 * peak, `naive went only from ${peak} to ${last}`);
  // All rounds that trained on what the policy of 32 rounds before wrote; the same tasks for both.
  const late = ({ reward }: StalenessCurves): number => mean(reward.slice(AGE_ROUNDS));
  assert.ok(late(asympo) >= 0.95 * late(grpo), `ASymPO ${late(asympo)}, GRPO ${late(grpo)}`);
  assert.ok(late(naive) <= 0.75 * late(asympo), `naive ${late(naive)}, ASymPO ${late(asympo)}`);
  // The cause that the paper names: worse answers outweigh better ones, unless each is divided by its surprise.
  assert.ok(mean(naive.balance) > 1.5, `naive balance ${mean(naive.balance)}`);
  assert.ok(mean(asympo.balance) > 0.5 && mean(asympo.balance) < 1.3, `ASymPO balance ${mean(asympo.balance)}`);
});
