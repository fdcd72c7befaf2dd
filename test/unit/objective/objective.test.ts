/** Group arithmetic by hand, what degenerate groups give, and losses on log-probs that no policy would have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backward } from '../../../native-models/graph/backward.ts';
import { GraphBuilder } from '../../../native-models/graph/builder.ts';
import { configSchema } from '../../../src-main/config/schema.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import { isUniform, type Objective, type ScoredGroup } from '../../../src-main/objective/objective.ts';
import { runGraph } from '../../golden/ops/run-graph.ts';

const options = configSchema.parse({});
const grpo = createObjective('grpo', options);
const asympo = createObjective('asympo', options);
const spo = createObjective('spo', options);
const sft = createObjective('sft', options);
const all = (['grpo', 'asympo', 'spo', 'sft', 'naive'] as const).map((name) => createObjective(name, options));
const withKl = createObjective('grpo', { ...options, klWeight: 0.5 });
const near = (actual: number, expected: number, most = 1e-6): void =>
  assert.ok(Math.abs(actual - expected) <= most, `${actual}, expected ${expected}`);

interface Rows {
  logprobs: number[][];
  behavior?: number[][];
  reference?: number[][];
  mask: number[][];
  advantages: number[];
  rowWeights: number[];
}

/** Loss, metrics and the gradient of the log-probs themselves. */
async function evaluate(objective: Objective, rows: Rows) {
  const b = new GraphBuilder();
  const logprobs = b.input('logprobs', 'float32', ['B', 'T']);
  const { loss, metrics } = objective.loss(b, {
    logprobs,
    completionMask: b.input('completionMask', 'float32', ['B', 'T']),
    advantages: b.input('advantages', 'float32', ['B']),
    rowWeights: b.input('rowWeights', 'float32', ['B']),
    behaviorLogprobs: b.input('behaviorLogprobs', 'float32', ['B', 'T']),
    referenceLogprobs: b.input('referenceLogprobs', 'float32', ['B', 'T']),
  });
  b.output('loss', loss);
  for (const [name, value] of Object.entries(metrics)) b.output(name, value);
  b.output('gradient', backward(b, loss, [logprobs])[0]!);
  const dims = [rows.mask.length, rows.mask[0]!.length];
  const matrix = (values: number[][]) => ({ data: Float32Array.from(values.flat()), dims });
  const vector = (values: number[]) => ({ data: Float32Array.from(values), dims: [values.length] });
  const results = await runGraph(b, 'cpu', {
    logprobs: matrix(rows.logprobs),
    behaviorLogprobs: matrix(rows.behavior ?? rows.logprobs),
    referenceLogprobs: matrix(rows.reference ?? rows.logprobs),
    completionMask: matrix(rows.mask),
    advantages: vector(rows.advantages),
    rowWeights: vector(rows.rowWeights),
  });
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)]));
}

test('GRPO: advantages by hand, with the unbiased deviation', () => {
  // mean 0.25, squares 3 * 0.0625 + 0.5625 = 0.75, divided by 3 and rooted: 0.5
  const advantages = grpo.advantages([1, 0, 0, 0]);
  [1.5, -0.5, -0.5, -0.5].forEach((expected, i) => near(advantages[i]!, expected, 1e-7));
  assert.deepEqual(grpo.advantages([1, 1, 1]), [0, 0, 0]);
  assert.deepEqual(grpo.advantages([1]), [0], 'one completion compares with nothing');
});

test('ASymPO: advantages are the distance to the mean, nothing else', () => {
  assert.deepEqual(asympo.advantages([1, 0, 0, 0]), [0.75, -0.25, -0.25, -0.25]);
  assert.deepEqual(asympo.advantages([0.5, 0.5]), [0, 0]);
});

test('advantages of any group sum to zero and keep the order of the rewards', () => {
  const rewards = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 64 });
  fc.assert(
    fc.property(rewards, (group) => {
      for (const objective of all.filter(({ name }) => name !== 'sft')) {
        const advantages = objective.advantages(group);
        const scale = Math.max(1, ...advantages.map(Math.abs));
        // Where rewards differ in their last digits only, dividing by their deviation makes the mean's rounding error that much larger.
        near(advantages.reduce((sum, a) => sum + a, 0) / scale, 0, 1e-5);
        assert.ok(advantages.every(Number.isFinite));
        group.forEach((reward, i) => {
          group.forEach((other, j) => assert.ok(reward <= other || advantages[i]! >= advantages[j]!));
        });
      }
    }),
  );
});

test('row weights: GRPO counts every token alike, ASymPO every group alike; a share scales them', () => {
  const groups: ScoredGroup[] = [
    { rewards: [1, 0], completionTokens: [3, 5] },
    { rewards: [1, 0, 0], completionTokens: [2, 1, 9] },
  ];
  assert.deepEqual(grpo.rowWeights(groups, 1), [
    [1 / 20, 1 / 20],
    [1 / 20, 1 / 20, 1 / 20],
  ]);
  assert.deepEqual(asympo.rowWeights(groups, 0.5), [
    [1 / 8, 1 / 8],
    [1 / 12, 1 / 12, 1 / 12],
  ]);
  const empty = grpo.rowWeights([{ rewards: [1, 0], completionTokens: [0, 0] }], 1);
  assert.ok(empty.flat().every(Number.isFinite), 'no tokens at all must not divide by zero');
});

test('GRPO normalisers by hand: every token, every answer, or the constant', () => {
  const groups: ScoredGroup[] = [
    { rewards: [1, 0], completionTokens: [3, 5] },
    { rewards: [1, 0], completionTokens: [2, 0] },
  ];
  const weights = (grpoNormaliser: 'tokens' | 'answers' | 'constant') =>
    createObjective('grpo', { ...options, grpoNormaliser, maxNewTokens: 10 }).rowWeights(groups, 0.5);
  const rounded = (rows: number[][]) => rows.map((row) => row.map((x) => Number(x.toFixed(12))));
  const all = (x: number) =>
    rounded([
      [x, x],
      [x, x],
    ]);
  assert.deepEqual(rounded(weights('tokens')), all(0.5 / 10));
  assert.deepEqual(rounded(weights('constant')), all(0.5 / (2 * 2 * 10)));
  const each = (tokens: number) => 0.5 / (2 * 2 * tokens);
  assert.deepEqual(
    rounded(weights('answers')),
    rounded([
      [each(3), each(5)],
      [each(2), each(1)],
    ]),
  );
});

test('GRPO without the deviation keeps the plain distance to the mean', () => {
  const plain = createObjective('grpo', { ...options, grpoScaleByStd: false });
  assert.deepEqual(plain.advantages([1, 0, 0, 0]), [0.75, -0.25, -0.25, -0.25]);
});

test('GRPO, k3 by hand: always a pull back to the reference, nothing where the two agree', async () => {
  assert.ok(withKl.needsReferenceLogprobs && !grpo.needsReferenceLogprobs);
  const { loss, gradient, kl } = await evaluate(withKl, {
    logprobs: [[-1, -2, -3]],
    reference: [[-1 + Math.log(2), -2 - Math.log(2), -3]],
    mask: [[1, 1, 1]],
    advantages: [0],
    rowWeights: [1 / 3],
  });
  // exp(d) - d - 1 with d = log 2, -log 2, 0; its slope in log p is 1 - exp(d).
  near(kl![0]!, 2 - Math.log(2) - 1 + (0.5 + Math.log(2) - 1));
  near(loss![0]!, (0.5 * kl![0]!) / 3);
  [-1, 0.5, 0].forEach((slope, i) => near(gradient![i]!, (0.5 * slope) / 3));
});

test('GRPO: text of quite another policy neither overflows nor becomes NaN', async () => {
  for (const objective of [grpo, withKl]) {
    const results = await evaluate(objective, {
      logprobs: [[-0.1, -500]],
      behavior: [[-500, -0.1]],
      reference: [[-500, -0.1]],
      mask: [[1, 1]],
      advantages: [-1],
      rowWeights: [1],
    });
    assert.ok(Object.values(results).flat().every(Number.isFinite));
  }
});

test('SPO by hand: worse completions at a fifth, each by its length, whatever their surprise', async () => {
  const { loss, gradient, raised, lowered } = await evaluate(spo, {
    logprobs: [
      [-1, -3],
      [-0.5, 0],
    ],
    mask: [
      [1, 1],
      [1, 0],
    ],
    advantages: [0.5, -0.5],
    rowWeights: [0.5, 0.5],
  });
  near(loss![0]!, 0.5 * (0.5 * 2 - 0.2 * 0.5 * 0.5));
  [-0.25 / 2, -0.25 / 2, 0.2 * 0.25, 0].forEach((g, i) => near(gradient![i]!, g));
  near(raised![0]!, 0.25 * 2);
  near(lowered![0]!, 0.2 * 0.25 * 0.5);
});

test('SFT imitates the right answers only, every token alike; without any it has no weight at all', () => {
  const groups: ScoredGroup[] = [
    { rewards: [1, 0, 1], completionTokens: [3, 50, 1] },
    { rewards: [0, 0.9], completionTokens: [7, 7] },
  ];
  assert.deepEqual(sft.rowWeights(groups, 1), [
    [0.25, 0, 0.25],
    [0, 0],
  ]);
  assert.deepEqual(sft.advantages([1, 0, 0.9]), [1, 0, 0]);
  assert.ok(
    sft
      .rowWeights(groups.slice(1), 1)
      .flat()
      .every((weight) => weight === 0),
  );
});

test('equal rewards are uniform, whatever they are', () => {
  assert.ok(isUniform([]) && isUniform([0.3]) && isUniform([1, 1, 1]));
  assert.ok(!isUniform([1, 1, 0.999]));
});

test('GRPO by hand: the gradient stops where the ratio left the bounds on the side of its advantage', async () => {
  const ratios = [1.5, 1.1, 0.5, 1.5, 0.9, 0.5];
  const { loss, gradient, clippedTokens, ratio, tokens } = await evaluate(grpo, {
    logprobs: [ratios.slice(0, 3).map((r) => Math.log(r) - 3), ratios.slice(3).map((r) => Math.log(r) - 3)],
    behavior: [
      [-3, -3, -3],
      [-3, -3, -3],
    ],
    mask: [
      [1, 1, 1],
      [1, 1, 1],
    ],
    advantages: [1, -1],
    rowWeights: [1 / 6, 1 / 6],
  });
  // Better: min(1.5, 1.28), 1.1, min(0.5, 0.8). Worse: -max(1.5, 0.8 .. 1.28), -0.9, -max(0.5, 0.8).
  near(loss![0]!, -(1.28 + 1.1 + 0.5 - 1.5 - 0.9 - 0.8) / 6);
  [0, 1.1, 0.5, -1.5, -0.9, 0].forEach((expected, i) => near(gradient![i]!, -expected / 6));
  assert.deepEqual([clippedTokens![0], tokens![0]], [2, 6]);
  near(ratio![0]!, 6);
});

test('ASymPO by hand: a completion is pushed by its advantage over its own surprise, and the loss says nothing', async () => {
  const { loss, gradient, surprise, clippedHigh, clippedLow } = await evaluate(asympo, {
    logprobs: [
      [-1, -3],
      [-0.5, 0],
    ],
    mask: [
      [1, 1],
      [1, 0],
    ],
    advantages: [0.5, -0.5],
    rowWeights: [0.5, 0.5],
  });
  near(loss![0]!, 0);
  near(surprise![0]!, 2.5); // S: 2 and 0.5
  // d/dl_i of (1/2) A_g S_g / sg(S_g) = -(1/2) A_g / (m_g S_g)
  [-0.5 / 2 / (2 * 2), -0.5 / 2 / (2 * 2), 0.5 / 2 / (1 * 0.5), 0].forEach((g, i) => near(gradient![i]!, g));
  assert.deepEqual([clippedHigh![0], clippedLow![0]], [0, 0]);
});

test('ASymPO: the stabiliser leaves alone what is certain already, and what is all but impossible', async () => {
  const [certain, impossible] = [Math.log(0.99), Math.log(0.01)];
  const { gradient, clippedHigh, clippedLow } = await evaluate(asympo, {
    logprobs: [
      [certain, impossible],
      [certain, impossible],
    ],
    mask: [
      [1, 1],
      [1, 1],
    ],
    advantages: [0.5, -0.5],
    rowWeights: [0.5, 0.5],
  });
  assert.equal(gradient![0], 0, 'better and certain: not pulled further');
  assert.ok(gradient![1]! < 0, 'better and unlikely: pulled up');
  assert.ok(gradient![2]! > 0, 'worse and certain: pushed down');
  assert.equal(gradient![3], 0, 'worse and unlikely: not pushed further');
  assert.deepEqual([clippedHigh![0], clippedLow![0]], [1, 1]);
});

test('log-probs of padding, however extreme, change nothing', async () => {
  const extreme = [-3e38, 3e38, -1e30, 88, 1e5, -1e5];
  const rows = (padding: number): Rows => ({
    logprobs: [
      [padding, -1, -2],
      [-0.7, padding, padding],
    ],
    behavior: [
      [0, -1.2, -1.9],
      [-0.9, 0, 0],
    ],
    mask: [
      [0, 1, 1],
      [1, 0, 0],
    ],
    advantages: [1, -1],
    rowWeights: [0.5, 0.5],
  });
  for (const objective of [...all, withKl]) {
    const calm = await evaluate(objective, rows(0));
    for (const padding of extreme) {
      const wild = await evaluate(objective, rows(padding));
      assert.deepEqual(
        Object.fromEntries(Object.entries(wild).map(([name, values]) => [name, values.map((x) => x + 0)])),
        Object.fromEntries(Object.entries(calm).map(([name, values]) => [name, values.map((x) => x + 0)])),
        `${objective.name} with ${padding}`,
      );
    }
  }
});

test('an advantage of zero and an empty mask have no gradient, and nothing is NaN', async () => {
  for (const objective of all.filter(({ name }) => name !== 'sft')) {
    const results = await evaluate(objective, {
      logprobs: [
        [-1, -2],
        [-1, -2],
      ],
      mask: [
        [1, 1],
        [0, 0],
      ],
      advantages: [0, 1],
      rowWeights: [0.5, 0.5],
    });
    assert.ok(Object.values(results).flat().every(Number.isFinite), objective.name);
    assert.deepEqual(
      results.gradient!.map((x) => x + 0),
      [0, 0, 0, 0],
      objective.name,
    );
  }
});
