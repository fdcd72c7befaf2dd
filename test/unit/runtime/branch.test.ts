// A second line of training in the policy's place: two exchanges leave no trace, and nothing is saved as the policy in between.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Branch } from '../../../native-models/runtime/branch.ts';
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import { configSchema } from '../../../src-main/config/schema.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import { define, openCompute } from '../compute/in-process.ts';

const sft = createObjective('sft', configSchema.parse({}));
const row = (first: number) => ({
  tokens: [first, 7, 9, 11],
  promptLength: 2,
  advantage: 1,
  rowWeight: 0.5,
  behaviorLogprobs: null,
});
const optimizer = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

async function step(compute: ComputeHost, first: number): Promise<number> {
  await compute.call('accumulate', { objective: 'sft', rows: [row(first)], maxTokens: 64 });
  return (await compute.call('update', { optimizer, maxGradientNorm: 1 })).version;
}
const scores = async (compute: ComputeHost): Promise<number[][]> =>
  compute.call('score', { rows: [row(5), row(6)], maxTokens: 64 });

test('what is trained in between leaves the policy as it was, moments and steps included', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'waggle-branch-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const { compute, opened } = await openCompute({ checkpointDirectory: directory, threads: 1 });
  const plain = await openCompute({ threads: 1 });
  for (const each of [{ compute, opened }, plain]) await define(each.compute, each.opened, sft);
  const both = async (first: number): Promise<void> =>
    assert.equal(await step(compute, first), await step(plain.compute, first));

  await both(3);
  const { version, keptBytes } = await compute.call('branch', 'keep');
  assert.deepEqual([version, keptBytes], [1, opened.trainedParameters * 12]);
  const atBranch = await scores(compute);
  await both(4);
  const main = await scores(compute);
  assert.notDeepEqual(main, atBranch);

  assert.equal((await compute.call('branch', 'exchange')).version, 1);
  assert.deepEqual(await scores(compute), atBranch, 'it starts from where it was kept');
  assert.equal(await step(compute, 8), 2, 'as many steps as the policy has: only the branch knows that it is another');
  await assert.rejects(compute.call('save', { state: {}, version: 2 }), { code: 'checkpointMidRound' });
  await assert.rejects(compute.call('exportPolicy', { directory: join(directory, 'out') }), {
    code: 'checkpointMidRound',
  });
  await assert.rejects(compute.call('branch', 'keep'), { code: 'checkpointMidRound' });
  await assert.rejects(compute.call('branch', 'drop'), { code: 'checkpointMidRound' });
  // A gradient that was begun on the branch must not reach the policy.
  await compute.call('accumulate', { objective: 'sft', rows: [row(12)], maxTokens: 64 });

  assert.equal((await compute.call('branch', 'exchange')).version, 2);
  assert.deepEqual(await scores(compute), main);
  assert.equal((await compute.call('branch', 'drop')).keptBytes, 0);
  await both(5);
  await both(6);
  assert.deepEqual(await scores(compute), await scores(plain.compute), 'the next steps are those without a branch');
  assert.ok((await compute.call('save', { state: {}, version: 4 })).bytes > 0);
  await assert.rejects(compute.call('branch', 'exchange'), /No branch is kept/);
});

test('a policy of other parts is refused and left alone', () => {
  const line = { parts: { weights: Float32Array.of(1, 2) }, optimizer: { step: 3 } };
  const branch = new Branch(line);
  line.parts.weights.set([5, 6]);
  const others: Record<string, Float32Array>[] = [
    { weights: Float32Array.of(1) },
    { adapter: Float32Array.of(1, 2) },
    { weights: Float32Array.of(1, 2), more: Float32Array.of(1) },
  ];
  for (const parts of others) {
    assert.throws(() => branch.exchange({ parts, optimizer: { step: 9 } }), RangeError);
    assert.equal(branch.away, false);
  }
  branch.exchange(line);
  assert.deepEqual([[...line.parts.weights], branch.away], [[1, 2], true]);
});
