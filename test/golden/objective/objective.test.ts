/** GRPO, ASymPO and SFT against PyTorch: advantages, loss, metrics and the gradient at the logits, on the real runtime. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { backward } from '../../../native-models/graph/backward.ts';
import { GraphBuilder } from '../../../native-models/graph/builder.ts';
import type { TokenLossFunction } from '../../../native-models/policy/graphs.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import type { Objective } from '../../../src-main/objective/objective.ts';
import { sftLoss } from '../../../src-main/objective/sft.ts';
import { lowerings, openGraph, relativeError } from '../ops/run-graph.ts';

interface Case {
  name: string;
  objective: 'grpo' | 'asympo' | 'sft';
  /** Rewards by group; the rows are theirs in this order. */
  groups: number[][];
  /** Completion tokens by row. */
  lengths: number[];
  shape: [rows: number, length: number, vocabulary: number];
  clip: { clipLow: number; clipHigh: number };
  logits: number[];
  targets: number[];
  mask: number[];
  behavior: number[];
  advantages: number[];
  loss: number;
  gradient: number[];
  metrics: Record<string, number>;
}
const { cases } = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')) as { cases: Case[] };

/** The objective's loss on log-probs of a log-softmax, and the gradient of its logits. */
function lossGraph([rows, length, vocabulary]: Case['shape'], tokenLoss: TokenLossFunction): GraphBuilder {
  const b = new GraphBuilder();
  const logits = b.input('logits', 'float32', ['B', 'T', vocabulary]);
  const { loss, metrics } = tokenLoss(b, {
    logprobs: b.selectLast(b.logSoftmax(logits), b.input('targets', 'int32', ['B', 'T'])),
    completionMask: b.input('completionMask', 'float32', ['B', 'T']),
    advantages: b.input('advantages', 'float32', ['B']),
    rowWeights: b.input('rowWeights', 'float32', ['B']),
    behaviorLogprobs: b.input('behaviorLogprobs', 'float32', ['B', 'T']),
  });
  assert.ok(rows > 0 && length > 0);
  b.output('loss', loss);
  for (const [name, value] of Object.entries(metrics)) b.output(`metric:${name}`, value);
  b.output('gradient', backward(b, loss, [logits])[0]!);
  return b;
}

/** Group arithmetic as training does it: from rewards and token counts alone. */
function groupNumbers(row: Case, objective: Objective | null): { advantages: number[]; rowWeights: number[] } {
  const tokens = row.lengths.reduce((sum, n) => sum + n, 0);
  if (!objective) return { advantages: row.lengths.map(() => 0), rowWeights: row.lengths.map(() => 1 / tokens) };
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

/** Where a probability is 1 - 3e-6, float32 itself keeps three digits of what is missing to 1. */
const NEAR_CERTAIN = new Set(['certain tokens', 'S near 0']);

/** Largest distance over the largest of the expected numbers, `floor` at least: 0 is 0 up to float32 rounding. */
function checkNear(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  floor: number,
  most = 1e-5,
): void {
  const error = relativeError(actual, expected, floor);
  assert.ok(error < most, `${what}: relative error ${error}`);
}

for (const row of cases) {
  test(`${row.objective}, ${row.name}: loss, metrics and gradient equal PyTorch's`, async () => {
    const objective = row.objective === 'sft' ? null : createObjective(row.objective, row.clip);
    const { advantages, rowWeights } = groupNumbers(row, objective);
    checkNear('advantages', advantages, row.advantages, 0.1);
    const [rows, length] = row.shape;
    const dims = [rows, length];
    const most = NEAR_CERTAIN.has(row.name) ? 1e-4 : 1e-5;
    for (const lowering of lowerings) {
      const session = await openGraph(lossGraph(row.shape, objective?.loss ?? sftLoss), lowering);
      try {
        const results = await session.run({
          logits: { data: Float32Array.from(row.logits), dims: row.shape },
          targets: { data: Int32Array.from(row.targets), dims },
          completionMask: { data: Float32Array.from(row.mask), dims },
          behaviorLogprobs: { data: Float32Array.from(row.behavior), dims },
          advantages: { data: Float32Array.from(advantages), dims: [rows] },
          rowWeights: { data: Float32Array.from(rowWeights), dims: [rows] },
        });
        const numbers = (name: string): Float32Array => results[name]!.data as Float32Array;
        checkNear(`${lowering} loss`, numbers('loss'), [row.loss], 0.05, most);
        checkNear(`${lowering} gradient`, numbers('gradient'), row.gradient, 1e-4, most);
        const metrics = Object.entries(results).filter(([name]) => name.startsWith('metric:'));
        assert.deepEqual(metrics.map(([name]) => name.slice(7)).sort(), Object.keys(row.metrics).sort());
        for (const [name, value] of Object.entries(row.metrics)) {
          checkNear(`${lowering} ${name}`, numbers(`metric:${name}`), [value], 1, most);
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
  for (const name of ['grpo', 'asympo']) {
    assert.ok(find(name, 'equal rewards').gradient.every((x) => x === 0));
    assert.ok(find(name, 'wild padding').logits.some((x) => Math.abs(x) === 2e4));
  }
});
