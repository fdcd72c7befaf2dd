/**
 * The compute process with BRIDGE: theta, theta-hat, the second adapter and their optimisers survive it bit for bit; what generates
 * and is exported is theta with the second adapter; the method of training may be changed in between.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openCheckpointStore } from '../../../native-models/checkpoint/checkpoint-store.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { loadAdapterFolder } from '../../../native-models/policy/adapter-folder.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import { loadPolicyFolder } from '../../../native-models/policy/load-policy.ts';
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import type { ComputeCalls, OpenedPolicy } from '../../../native-models/runtime/compute-protocol.ts';
import { meanLossRows, policyFolder, weightedLikelihood } from '../../golden/policy/folders.ts';
import { openCompute } from './in-process.ts';

const { directory, vectors, name } = { ...policyFolder('families/qwen3'), name: 'qwen3' };
const lora = { mode: 'lora' as const, rank: 2, alpha: 4, targets: ['q_proj', 'v_proj'] };
const full = { ...lora, mode: 'full' as const };
const rows = vectors.rows.map(({ tokens, promptLength }) => ({ tokens, promptLength }));
const demonstrations = meanLossRows(vectors);
const rollouts = demonstrations.map((row, i) => ({ ...row, rowWeight: (i % 2 === 0 ? 0.3 : -0.2) * row.rowWeight }));
const optimizer = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const bridge = { rank: 3 };
const step = {
  sft: 'sft',
  demonstrations,
  rollouts: [{ objective: 'sft', rows: rollouts }],
  lambda: 0.5,
  theta: optimizer,
  adapter: optimizer,
  maxTokens: 1000,
  maxGradientNorm: 1,
};
type OpenArgs = Partial<ComputeCalls['open']['args']>;

async function open(args: OpenArgs): Promise<{ compute: ComputeHost; opened: OpenedPolicy }> {
  const started = await openCompute({ policyDirectory: directory, threads: 1, ...args });
  const { config, adapter } = started.opened;
  const model = lowerGraph(gradientGraph(config, weightedLikelihood, adapter), 'cpu');
  await started.compute.call('defineObjective', { name: 'sft', model });
  return started;
}

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'waggle-bridge-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

const score = (compute: ComputeHost, under: 'policy' | 'reference' = 'policy') =>
  compute.call('score', { rows, maxTokens: 1000, under });
const update = async (compute: ComputeHost): Promise<number> => {
  await compute.call('accumulate', { objective: 'sft', rows: demonstrations, maxTokens: 1000 });
  return (await compute.call('update', { optimizer, maxGradientNorm: 1 })).version;
};

for (const [what, adapter] of [
  ['all weights', full],
  ['a first adapter', lora],
] as const) {
  test(`over ${what}: saved, opened again, and the next steps have the same bits`, async (t) => {
    const checkpointDirectory = await folder(t);
    const undisturbed = await open({ adapter, bridge });
    const { compute, opened } = await open({ adapter, bridge, checkpointDirectory });
    const { adapter: second, startedAt } = opened.bridge!;
    assert.deepEqual([second.rank, second.alpha, opened.version, startedAt], [3, 3, 0, 0]);
    const start = await score(compute);
    for (const each of [compute, undisturbed.compute]) {
      assert.equal((await each.call('bridgeStep', step)).version, 1);
      // A step without rollouts leaves theta-hat behind: it has taken one less.
      assert.equal((await each.call('bridgeStep', { ...step, rollouts: [] })).cooperativeGain, null);
    }
    const { bytes } = await compute.call('save', { state: { round: 2 }, version: 2 });
    assert.ok(bytes > 2 * 12 * (opened.adapter ? 0 : opened.parameters));

    const again = await open({ adapter, bridge, checkpointDirectory });
    assert.deepEqual([again.opened.version, again.opened.state], [2, { round: 2 }]);
    const [next, expected] = [again, undisturbed].map((each) => each.compute.call('bridgeStep', step));
    assert.deepEqual(await next, await expected);
    assert.notEqual((await next)!.cooperativeGain, 0, 'theta-hat is its own');
    assert.deepEqual(await score(again.compute), await score(undisturbed.compute));
    assert.notDeepEqual(await score(again.compute), start);
    const reference = (await score(again.compute, 'reference')).flat();
    start.flat().forEach((logprob, i) => assert.ok(Math.abs(logprob - reference[i]!) < 1e-5, 'of the base'));

    await assert.rejects(again.compute.call('update', { optimizer, maxGradientNorm: 1 }), /bridgeStep/);
    await assert.rejects(open({ adapter, bridge: { rank: 4 }, checkpointDirectory }), {
      code: 'foreign',
      fix: /bridgeRank back to 3/,
    });
  });
}

test('exported is theta with the second adapter, over a first adapter also as one of both ranks', async (t) => {
  for (const adapter of [full, lora]) {
    const target = join(await folder(t), 'mine');
    const { compute, opened } = await open({ adapter, bridge });
    await compute.call('bridgeStep', step);
    await compute.call('bridgeStep', step);
    const scored = (await score(compute)).flat();
    await compute.call('exportPolicy', { directory: target });
    const again = await openCompute({ policyDirectory: target, threads: 1 });
    (await score(again.compute)).flat().forEach((x, i) => assert.ok(Math.abs(x - scored[i]!) < 1e-4));
    const card = await readFile(join(target, 'README.md'), 'utf8');
    assert.match(card, /\(BRIDGE, second adapter of rank 3\); 2 optimiser steps/);
    if (adapter === full) continue;
    const { config } = await loadPolicyFolder(target);
    assert.deepEqual((await loadAdapterFolder(join(target, 'adapter'), config)).config, opened.adapter);
    assert.deepEqual([opened.adapter!.rank, opened.adapter!.alpha], [5, 10]);
  }
});

test('a policy trained by rewards goes on with BRIDGE where it was, and back again', async (t) => {
  const checkpointDirectory = await folder(t);
  const plain = await open({ adapter: full, checkpointDirectory });
  assert.equal(await update(plain.compute), 1);
  await plain.compute.call('save', { state: {}, version: 1 });
  const trained = await score(plain.compute);

  const bridged = await open({ adapter: full, bridge, checkpointDirectory });
  assert.deepEqual([bridged.opened.version, bridged.opened.bridge!.startedAt], [1, 1]);
  assert.deepEqual(await score(bridged.compute), trained);
  const first = await bridged.compute.call('bridgeStep', step);
  assert.equal(first.version, 2);
  assert.equal(first.cooperativeGain, 0, 'theta-hat starts where theta is');
  await bridged.compute.call('bridgeStep', step);
  await bridged.compute.call('save', { state: {}, version: 3 });
  const joined = await score(bridged.compute);

  const back = await open({ adapter: full, checkpointDirectory });
  assert.deepEqual([back.opened.version, back.opened.bridge], [3, null]);
  assert.deepEqual(await score(back.compute), joined);
  assert.equal(await update(back.compute), 4);
});

test('over a first adapter there is no way back, and it says so; damaged contents are refused', async (t) => {
  const checkpointDirectory = await folder(t);
  const { compute } = await open({ adapter: lora, bridge, checkpointDirectory });
  await compute.call('bridgeStep', step);
  await compute.call('save', { state: {}, version: 1 });
  await assert.rejects(open({ adapter: lora, checkpointDirectory }), { code: 'foreign', fix: /method back to bridge/ });

  const store = await openCheckpointStore(checkpointDirectory, { keep: 2, identity: name });
  const { state, tensors } = (await store.loadLatest()).checkpoint!;
  const rest = Object.entries(tensors).filter(([part]) => part !== 'bridge.hat');
  await store.save({ version: 2, state, tensors: Object.fromEntries(rest) });
  await assert.rejects(open({ adapter: lora, bridge, checkpointDirectory }), {
    code: 'foreign',
    message: /0 numbers for bridge.hat/,
  });
});
