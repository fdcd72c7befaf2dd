// Another policy in the running node and back again: real compute processes, two real policies. What each had learnt is kept to the bit.
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { ModelsActivity, PolicyChange } from '../../../src-main/engine/api.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { MODEL, openFakeHub } from '../hub/fake-hub.ts';
import { changeOneWeight, newFolder, openNode, savedPolicy, type TestNode } from './test-node.ts';

async function otherPolicy(name = 'other-bee'): Promise<string> {
  const directory = join(newFolder(), name);
  await cp(bundledPolicyDirectory(), directory, { recursive: true });
  await changeOneWeight(directory);
  return directory;
}

/** Asks for another model and waits for how it ends. */
async function change(node: TestNode, key: string): Promise<PolicyChange> {
  const ended = ({ change: now }: ModelsActivity): boolean => now?.key === key && now.stage !== 'opening';
  const told = node.next('models', ended);
  const begun = await node.invoke('useModel', { key });
  assert.equal(begun.change?.stage, 'opening');
  return (await told).change!;
}

const rounds = async (node: TestNode): Promise<number[]> =>
  (await node.invoke('rounds', { sinceRound: 0, limit: 99 })).map(({ round }) => round);

describe('another policy', () => {
  test('is trained at once; back again, the former goes on where it was, with the same bits', async () => {
    const other = await otherPolicy();
    const node = await openNode({}, newFolder(), {});
    await node.next('round', ({ round }) => round === 2);
    const folders = await node.invoke('addModelFolder', { directory: other });
    assert.deepEqual(
      folders.rows.filter(({ source }) => source === 'folder').map(({ key, name, inUse }) => [key, name, inUse]),
      [[other, 'other-bee', false]],
    );
    const over = node.next('policyChanged');
    assert.deepEqual(await change(node, other).then(({ stage, to, fault }) => [stage, to, fault]), [
      'done',
      'other-bee',
      null,
    ]);
    assert.deepEqual(await over, { name: 'other-bee' });
    await node.next('round', ({ round }) => round === 1);
    const status = await node.status();
    assert.deepEqual([status.policy?.name, status.policy?.directory], ['other-bee', other]);
    assert.deepEqual((await rounds(node))[0], 1, 'a history of its own');
    const report = await node.invoke('models', null);
    assert.deepEqual([report.origin, report.rows.find(({ inUse }) => inUse)?.key], ['choice', other]);
    const kept = report.rows.find(({ key }) => key === 'bundled')!.trained!.round;
    assert.ok(kept >= 2);

    // Back, ended, started again: the choice was written both times.
    await change(node, 'bundled');
    await node.engine.close();
    const last = await openNode({ rounds: 1 }, node.directory);
    await last.until('waiting', 'roundsDone');
    assert.equal((await last.status()).policy?.name, 'waggle-starter');
    const all = await rounds(last);
    assert.ok(all.length > kept);
    assert.deepEqual(
      all,
      Array.from(all, (_, i) => i + 1),
    );
    await last.engine.close();

    const undisturbed = await openNode({ rounds: all.length });
    await undisturbed.until('waiting', 'roundsDone');
    await undisturbed.engine.close();
    assert.deepEqual(await savedPolicy(node.directory), await savedPolicy(undisturbed.directory));
    assert.ok((await savedPolicy(node.directory, other)).round >= 1, 'the other one was saved');
  });

  test('while paused: nothing computes, the choice holds, and the next start trains it', async () => {
    const other = await otherPolicy();
    const node = await openNode();
    await node.next('round');
    await node.invoke('pause', null);
    await node.invoke('addModelFolder', { directory: other });
    assert.equal((await change(node, other)).stage, 'done');
    const { state, policy } = await node.status();
    assert.deepEqual([state.name, policy?.name], ['paused', 'other-bee']);
    await node.engine.close();
    const again = await openNode({ rounds: 1 }, node.directory);
    assert.equal((await again.until('waiting', 'roundsDone')).policy?.name, 'other-bee');
    assert.deepEqual(await rounds(again), [1]);
    await again.engine.close();
  });

  test('that cannot be opened: said why, the former one is trained on, and stays the choice', async () => {
    const broken = await otherPolicy('broken-bee');
    await writeFile(join(broken, 'tokenizer.json'), '{"model":');
    const node = await openNode();
    await node.next('round', ({ round }) => round === 1);
    await node.invoke('addModelFolder', { directory: broken });
    const { stage, fault } = await change(node, broken);
    assert.equal(stage, 'failed');
    assert.match(fault!.message, /tokenizer/);
    assert.ok(fault!.fix.length > 10);
    const before = (await node.status()).round;
    const { round } = await node.next('round', (row) => row.round > before);
    assert.equal((await node.status()).policy?.name, 'waggle-starter');
    assert.ok(round >= 2, 'it goes on');
    assert.equal((await node.invoke('models', null)).origin, 'bundled');
    await node.engine.close();
    await assert.rejects(readFile(join(node.directory, 'policy.json')), { code: 'ENOENT' });
  });

  test('helps out of an error: a node whose policy is gone takes another one', async () => {
    const node = await openNode();
    await node.next('round');
    const other = await otherPolicy('gone-bee');
    await node.invoke('addModelFolder', { directory: other });
    await change(node, other);
    await node.engine.close();
    await writeFile(join(other, 'config.json'), '{"model_type":"mamba"}');
    const again = await openNode({}, node.directory);
    const { state } = await again.until('error', 'fault');
    assert.match(state.text, /mamba/);
    assert.equal((await change(again, 'bundled')).stage, 'done');
    await again.until('training');
    await again.engine.close();
  });
});

test('what is refused: a model that is not here, a folder that is none, a policy that the settings name', async () => {
  const node = await openNode({}, newFolder());
  await node.until('training');
  await assert.rejects(node.invoke('useModel', { key: 'Qwen/Qwen3-0.6B' }), { code: 'modelNotHere' });
  await assert.rejects(node.invoke('useModel', { key: '/etc' }), { code: 'modelNotHere' });
  await assert.rejects(node.invoke('addModelFolder', { directory: '/etc' }), { code: 'notAModelFolder' });
  await assert.rejects(node.invoke('addModelFolder', { directory: 'relative/path' }), { code: 'notAModelFolder' });
  assert.equal((await node.invoke('useModel', { key: 'bundled' })).change, null, 'it is in use already');
  await node.engine.close();

  const fixed = await openNode({ policyDirectory: bundledPolicyDirectory() });
  await fixed.until('training');
  assert.equal((await fixed.invoke('models', null)).origin, 'settings');
  await assert.rejects(fixed.invoke('useModel', { key: 'bundled' }), { code: 'policySetBySettings', fix: /--policy/ });
  await fixed.engine.close();
});

test('a model fetched by the API is used, cannot be deleted then, and can be afterwards', async (t) => {
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const other = await otherPolicy();
  const files = await Promise.all(names.map(async (name) => [name, await readFile(join(other, name))] as const));
  const hub = await openFakeHub(Object.fromEntries(files));
  t.after(() => hub.close());
  const directory = newFolder();
  const env = { HF_HOME: join(directory, 'hf'), HF_ENDPOINT: hub.endpoint.href };
  const node = await openNode({}, directory, { env });
  const arrived = node.next('models', ({ downloads }) => downloads[0]?.stage === 'done');
  await node.invoke('downloadModel', { id: MODEL });
  await arrived;
  const row = (await node.invoke('models', null)).rows.find(({ key }) => key === MODEL)!;
  assert.deepEqual([row.source, row.fit !== null, row.deletable], ['models', true, true]);
  assert.equal((await change(node, MODEL)).stage, 'done');
  assert.equal((await node.status()).policy?.directory, row.directory);
  await assert.rejects(node.invoke('deleteModel', { id: MODEL }), { code: 'modelInUse' });
  await node.next('round');
  await change(node, 'bundled');
  const { rows } = await node.invoke('deleteModel', { id: MODEL });
  assert.ok(!rows.some(({ key }) => key === MODEL));
  await assert.rejects(node.invoke('useModel', { key: MODEL }), { code: 'modelNotHere' });
  await node.engine.close();
});

test('answers end after a stop text, which stays in them', async () => {
  const node = await openNode({ stopTexts: ['<answer>'], rounds: 1 });
  await node.until('waiting', 'roundsDone');
  const rows = await node.invoke('rollouts', { limit: 100, beforeId: null, origin: 'own' });
  assert.equal(rows.length, 12);
  for (const { completion } of rows)
    assert.ok(completion.indexOf('<answer>') === -1 || completion.endsWith('<answer>'), completion);
  assert.ok(rows.some(({ ended, completion }) => !ended && completion.endsWith('<answer>')));
  await node.engine.close();
});

test('an adapter is trained with the learning rate for adapters', async () => {
  const rate = async (adapter: string): Promise<number | undefined> => {
    const node = await openNode({ adapter, learningRate: 1e-5, adapterLearningRate: 2e-4, rounds: 1 });
    const row = await node.next('round');
    await node.engine.close();
    return row.metrics['learningRate'];
  };
  assert.deepEqual([await rate('full'), await rate('lora')], [1e-5, 2e-4]);
});
