/** Every objective against PyTorch: advantages, loss, metrics and the gradient of the token log-probs, on the real runtime. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { backward } from '../../../native-models/graph/backward.ts';
import { GraphBuilder } from '../../../native-models/graph/builder.ts';
import type { TokenLossFunction } from '../../../native-models/policy/graphs.ts';
import { configSchema } from '../../../src-main/config/schema.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import type { Objective, ObjectiveName, ObjectiveOptions } from '../../../src-main/objective/objective.ts';
import { lowerings, openGraph, relativeError } from '../ops/run-graph.ts';

interface Case {
  name: string;
  objective: ObjectiveName;
  /** Rewards by group; the rows are theirs in this order. */
  groups: number[][];
  /** Completion tokens by row. */
  lengths: number[];
  shape: [rows: number, length: number];
  /** By the names of make.py; what is missing is the default. */
  options: Record<string, never>;
  logprobs: number[];
  mask: number[];
  behavior: number[];
  reference?: number[];
  advantages: number[];
  loss: number;
  gradient: number[];
  metrics: Record<string, number>;
}
const { cases } = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')) as { cases: Case[] };

/** The objective's loss on log-probs that are fed, and their gradient. */
function lossGraph(tokenLoss: TokenLossFunction): GraphBuilder {
  const b = new GraphBuilder();
  const logprobs = b.input('logprobs', 'float32', ['B', 'T']);
  const { loss, metrics } = tokenLoss(b, {
    logprobs,
    completionMask: b.input('completionMask', 'float32', ['B', 'T']),
    advantages: b.input('advantages', 'float32', ['B']),
    rowWeights: b.input('rowWeights', 'float32', ['B']),
    behaviorLogprobs: b.input('behaviorLogprobs', 'float32', ['B', 'T']),
    referenceLogprobs: b.input('referenceLogprobs', 'float32', ['B', 'T']),
  });
  b.output('loss', loss);
  for (const [name, value] of Object.entries(metrics)) b.output(`metric:${name}`, value);
  b.output('gradient', backward(b, loss, [logprobs])[0]!);
  return b;
}

const ourName: Record<string, keyof ObjectiveOptions> = {
  low: 'clipLow',
  high: 'clipHigh',
  normaliser: 'grpoNormaliser',
  std: 'grpoScaleByStd',
  beta: 'klWeight',
  limit: 'maxNewTokens',
  p_low: 'asympoLow',
  p_high: 'asympoHigh',
  alpha: 'spoAlpha',
};
/** The defaults of the config, with the case's own. */
function objectiveOf(row: Case): Objective {
  const own = Object.entries(row.options).map(([name, value]) => [ourName[name]!, value]);
  const settings = Object.fromEntries(own) as Partial<ObjectiveOptions>;
  return createObjective(row.objective, { ...configSchema.parse({}), ...settings });
}

/** Group arithmetic as training does it: from rewards and token counts alone. */
function groupNumbers(row: Case, objective: Objective): { advantages: number[]; rowWeights: number[] } {
  let next = 0;
  const scored = row.groups.map((rewards) => ({
    rewards,
    completionTokens: rewards.map(() => row.lengths[next++]!),
  }));
  return {
    advantages: row.groups.flatMap((rewards) => objective.advantages(rewards)),
    rowWeights: objective.rowWeights(scored, 1).flat(),
  };
}

/** Largest distance over the largest of the expected numbers, `floor` at least: 0 is 0 up to float32 rounding. */
function checkNear(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>, floor: number): void {
  const error = relativeError(actual, expected, floor);
  assert.ok(error < 1e-5, `${what}: relative error ${error}`);
}

for (const row of cases) {
  test(`${row.objective}, ${row.name}: loss, metrics and gradient equal PyTorch's`, async () => {
    const objective = objectiveOf(row);
    const { advantages, rowWeights } = groupNumbers(row, objective);
    checkNear('advantages', advantages, row.advantages, 0.1);
    const dims = row.shape;
    for (const lowering of lowerings) {
      const session = await openGraph(lossGraph(objective.loss), lowering);
      try {
        const results = await session.run({
          logprobs: { data: Float32Array.from(row.logprobs), dims },
          completionMask: { data: Float32Array.from(row.mask), dims },
          behaviorLogprobs: { data: Float32Array.from(row.behavior), dims },
          referenceLogprobs: { data: Float32Array.from(row.reference ?? row.behavior), dims },
          advantages: { data: Float32Array.from(advantages), dims: [dims[0]] },
          rowWeights: { data: Float32Array.from(rowWeights), dims: [dims[0]] },
        });
        const numbers = (name: string): Float32Array => results[name]!.data as Float32Array;
        checkNear(`${lowering} loss`, numbers('loss'), [row.loss], 0.05);
        checkNear(`${lowering} gradient`, numbers('gradient'), row.gradient, 1e-4);
        const metrics = Object.entries(results).filter(([name]) => name.startsWith('metric:'));
        assert.deepEqual(metrics.map(([name]) => name.slice(7)).sort(), Object.keys(row.metrics).sort());
        for (const [name, value] of Object.entries(row.metrics)) {
          checkNear(`${lowering} ${name}`, numbers(`metric:${name}`), [value], 1);
        }
      } finally {
        await session.close();
      }
    }
  });
}

test('the vectors hold what they are meant to hold', () => {
  const find = (objective: string, name: string): Case =>
    cases.find((row) => row.objective === objective && row.name === name)!;
  assert.ok(find('grpo', 'clipped on both sides').metrics.clippedTokens! >= 4);
  assert.equal(find('grpo', 'first epoch: the ratio is 1').metrics.clippedTokens, 0);
  const stabilised = find('asympo', 'stabiliser on both sides').metrics;
  assert.ok(stabilised.clippedHigh! >= 3 && stabilised.clippedLow! >= 3);
  const { metrics, lengths, advantages } = find('asympo', 'S near 0');
  const held = advantages.filter((advantage) => advantage >= 0).length; // these are kept above -log 0.98
  assert.ok(metrics.surprise! < held * -Math.log(0.98) + lengths.length * 1e-4);
  const balance = ({ lowered, raised }: Record<string, number>): number => lowered! / raised!;
  assert.ok(balance(find('naive', 'unlikely worse answers weigh most').metrics) > 3);
  assert.ok(
    Math.abs(balance(find('asympo', 'unlikely worse answers weigh alike').metrics) - 1) < 1e-6,
    'ASymPO balances by construction',
  );
  for (const name of ['grpo', 'asympo']) {
    assert.ok(find(name, 'equal rewards').gradient.every((x) => x === 0));
    assert.ok(find(name, 'wild padding').logprobs.includes(-4e4));
  }
});
