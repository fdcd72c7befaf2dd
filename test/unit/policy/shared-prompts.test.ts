/** A prompt that several rows of a pass share is computed once: the same log-probs and gradients as when each row has its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { adapterConfig, adapterSlots, initialAdapter } from '../../../native-models/policy/adapter.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import { linearNames } from '../../../native-models/policy/linears.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { microBatch, type TrainRow } from '../../../native-models/runtime/batch.ts';
import { compactFeeds } from '../../../native-models/runtime/compact-batch.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';
import { policyFolder, weightedLikelihood } from '../../golden/policy/folders.ts';

const random = randomStream(3);
const words = (count: number): number[] => Array.from({ length: count }, () => 4 + Math.floor(random() * 40));
const row = (prompt: readonly number[], completion: number): TrainRow => ({
  tokens: [...prompt, ...words(completion)],
  promptLength: prompt.length,
  advantage: random() - 0.5,
  rowWeight: 0.1 + random(),
  behaviorLogprobs: null,
});
const [long, short] = [words(9), words(4)];
/** Two groups of unlike size, in between each other; a prompt of one token twice; one that begins like another and ends otherwise. */
const rows = [
  row(long, 6),
  row(short, 3),
  row(long, 2),
  row([7], 5),
  row(short, 8),
  row(long, 7),
  row([7], 2),
  row([...long.slice(0, 8), 3], 4),
  row(long, 1),
];
const EVERY_ROW_ALONE = 1;
const ALL_IN_ONE = 10_000;

for (const name of ['untied', 'families/llama-compact-untied', 'families/qwen2-compact'])
  for (const recompute of [false, true])
    test(`${name}, recompute ${recompute}: gradients and log-probs as if each row had its own prompt`, async (t) => {
      const { config, weights } = await loadPolicyWeights(policyFolder(name).directory);
      const adapter = adapterConfig(4, 8, linearNames);
      const matrices = initialAdapter(adapterSlots(config, adapter), random).map((x) => x + 0.1 * (random() - 0.5));
      for (const adapted of [null, { config: adapter, weights: matrices }]) {
        const options = { config, weights, adapter: adapted, provider: 'cpu', threads: 2, padId: 0 } as const;
        const policy = new PolicyRuntime(options);
        t.after(() => policy.close());
        const graph = gradientGraph(config, weightedLikelihood, adapted?.config ?? null, { recompute });
        await policy.defineGradient('sft', lowerGraph(graph, 'cpu', 'sft'));
        const results = [];
        for (const maxTokens of [EVERY_ROW_ALONE, ALL_IN_ONE]) {
          const { loss } = await policy.accumulate('sft', rows, maxTokens, () => undefined);
          const gradient = policy.flatGradient().slice();
          policy.dropGradient();
          const logprobs = (await policy.score(rows, maxTokens, () => undefined)).flat();
          results.push({ loss, gradient, logprobs });
        }
        const [alone, shared] = results as [(typeof results)[0], (typeof results)[0]];
        assert.ok(Math.abs(shared.loss - alone.loss) < 1e-5 * Math.abs(alone.loss));
        assertClose(shared.logprobs, alone.logprobs);
        assertClose(shared.gradient, alone.gradient);
      }
    });

/** Against the largest of them: sums in another order differ by a few units in the last place. */
function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(actual.length, expected.length);
  const all = Array.from(expected);
  const largest = all.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.ok(largest > 0);
  const worst = all.reduce((most, value, i) => Math.max(most, Math.abs(actual[i]! - value)), 0);
  assert.ok(worst <= 1e-5 * largest, `differs by ${worst} of ${largest}`);
}

test('a prompt’s tokens but the last are computed once', () => {
  const feeds = compactFeeds(microBatch(rows, 0));
  const all = rows.reduce((sum, { tokens }) => sum + tokens.length - 1, 0);
  assert.deepEqual(feeds.tokens!.dims, [all - 3 * 8 - 3]);
  assert.deepEqual([feeds.copiedFrom!.dims, feeds.copies!.dims], [[8 + 3], [3, 1]]);
});

test('without a shared prompt there is nothing to copy, and no empty tensor', () => {
  const feeds = compactFeeds(microBatch([rows[0]!, rows[1]!, rows[7]!], 0));
  const sizes = Object.values(feeds).flatMap(({ dims }) => dims);
  assert.ok(sizes.every((size) => size > 0));
  const { data, dims } = feeds.copyPlace!;
  assert.ok(
    Array.from(data as Int32Array).every((place) => place === 1),
    'none of the places has a copy',
  );
  assert.deepEqual(dims, feeds.place!.dims);
});
