/**
 * A real node that trains with BRIDGE: kills change no bit of theta, its twin, the second adapter or their optimisers; without
 * demonstrations it goes on by rewards and says so; a bad file of them is told with the fix; the method may be changed.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { openCheckpointStore } from '../../../native-models/checkpoint/checkpoint-store.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import { getTaskSet, sampleTaskRefs } from '../../../src-main/tasks/task-sets.ts';
import { newFolder, openNode, progressOf, type TestNode } from './test-node.ts';

const ROUNDS = 3;
const path = `${newFolder()}.jsonl`;
const settings = {
  method: 'bridge',
  demonstrationFile: path,
  demonstrationsPerRound: 4,
  rounds: ROUNDS,
  epochsPerRound: 2,
};

before(async () => {
  const refs = sampleTaskRefs(getTaskSet('starter')!, { seed: 99n, from: 0, count: 24 });
  const lines = refs.map((task) => {
    const made = instantiate(task);
    assert.ok(made.ok);
    return JSON.stringify({ task, completion: `:<answer>${made.instance.terseAnswer}</answer>` });
  });
  await writeFile(path, `${lines.join('\n')}\nnot json\n`);
});

/** Bits of every array in the newest checkpoint, in short, and its counters. */
async function saved(directory: string): Promise<Record<string, unknown>> {
  const { checkpoints, identity } = await progressOf(directory);
  const store = await openCheckpointStore(checkpoints, { keep: 2, identity });
  const { checkpoint } = await store.loadLatest();
  assert.ok(checkpoint, 'there is a checkpoint');
  const digests = Object.entries(checkpoint.tensors).map(([name, { data }]): [string, string] => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [name, createHash('sha256').update(bytes).digest('hex').slice(0, 16)];
  });
  const { optimizerStep, bridge, node } = checkpoint.state as Record<string, { round?: number }>;
  return { ...Object.fromEntries(digests), optimizerStep, bridge, round: node!.round };
}

const metricsOf = async (node: TestNode) =>
  (await node.invoke('rounds', { sinceRound: 0, limit: 100 })).map(({ metrics }) => metrics);
const report = (node: TestNode) => node.invoke('demonstrations', { limit: 100 });

test('kill -9 while generating and between two steps: the very same bits of all three parts', async () => {
  const undisturbed = await openNode(settings);
  await undisturbed.until('waiting', 'roundsDone');
  const { latest, file, used } = await report(undisturbed);
  assert.deepEqual([file!.kept, file!.dropped], [24, [{ reason: 'notJson', count: 1, firstLine: 25 }]]);
  assert.deepEqual(used, { peer: 0, file: 4 * ROUNDS, own: 0 });
  assert.deepEqual([latest.length, latest[0]!.source, latest[0]!.origin], [4 * ROUNDS, 'file', null]);
  const metrics = await metricsOf(undisturbed);
  assert.ok(metrics.every(({ demonstrations, bridgeLambda }) => demonstrations === 4 && bridgeLambda === 0.5));
  assert.ok(
    metrics.at(-1)!.lossSft! < metrics[0]!.lossSft! + 0.5 && metrics.some(({ cooperativeGain }) => cooperativeGain),
  );
  await undisturbed.engine.close();
  const expected = await saved(undisturbed.directory);
  assert.deepEqual(
    Object.keys(expected).filter((name) => name.startsWith('bridge.')),
    ['bridge.adapter', 'bridge.adapter.m', 'bridge.adapter.v', 'bridge.hat', 'bridge.hat.m', 'bridge.hat.v'],
  );
  assert.notEqual(expected['bridge.hat'], expected.weights);

  const node = await openNode({ ...settings, checkpointSeconds: 3600 });
  await node.killComputeAt('progress', ({ round, stage, done }) => round === 2 && stage === 'generate' && done > 0);
  assert.equal((await node.until('waiting', 'computeRestarting')).round, 1);
  await node.killComputeAt('progress', ({ round, stage, done }) => round === 3 && stage === 'train' && done === 1);
  assert.equal((await node.until('waiting', 'computeRestarting')).round, 2);
  await node.until('waiting', 'roundsDone');
  await node.engine.close();
  assert.deepEqual(await saved(node.directory), expected);
});

test('without demonstrations a round follows the rewards alone and says so, once; own right answers fill in on request', async () => {
  const alone = { ...settings, demonstrationFile: '', demonstrationSources: ['peers'], epochsPerRound: 1 };
  const node = await openNode(alone);
  await node.until('waiting', 'roundsDone');
  const said = node.log.filter(({ message }) => message.startsWith('No demonstrations for round'));
  assert.equal(said.length, 1);
  for (const { demonstrations, bridgeLambda, lossSft } of (await metricsOf(node)).filter(
    (row) => 'bridgeLambda' in row,
  ))
    assert.deepEqual([demonstrations, bridgeLambda, lossSft], [0, 1, undefined]);
  assert.deepEqual((await report(node)).latest, []);
  await node.engine.close();

  const own = await openNode({ ...alone, demonstrationSources: ['peers', 'own'] });
  await own.until('waiting', 'roundsDone');
  const { latest, used } = await report(own);
  assert.ok(latest.length > 0 && latest.every(({ source, origin }) => source === 'own' && origin !== null));
  assert.equal(used.own, latest.length);
  await own.engine.close();
});

test('a file of demonstrations that is not there stops the node with the fix; when it is there, it goes on', async () => {
  const directory = newFolder();
  const missing = `${newFolder()}.jsonl`;
  const node = await openNode({ ...settings, demonstrationFile: missing, rounds: 1 }, directory);
  const { state } = await node.until('error');
  assert.equal(state.reason?.kind === 'fault' && state.reason.code, 'demonstrationFile');
  assert.match(state.text, /cannot be used: ENOENT/);
  await writeFile(missing, JSON.stringify({ prompt: 'gcd 4 6\n', completion: '<answer>2</answer>' }));
  await node.invoke('resume', null);
  await node.until('waiting', 'roundsDone');
  assert.deepEqual(
    (await report(node)).latest.map(({ task, question }) => [task, question]),
    [[null, 'gcd 4 6\n']],
  );
  await node.engine.close();
});

test('the method may be changed both ways', async () => {
  const plain = { ...settings, method: 'sapo', rounds: 1, demonstrationFile: '' };
  const first = await openNode(plain);
  await first.until('waiting', 'roundsDone');
  await first.engine.close();
  const bridged = await openNode({ ...settings, rounds: 1 }, first.directory);
  assert.equal((await bridged.until('waiting', 'roundsDone')).round, 2);
  await bridged.engine.close();
  const { bridge } = (await saved(first.directory)) as { bridge: { counts: { startedAt: number } } };
  assert.ok(bridge.counts.startedAt > 0, 'BRIDGE began where the rewards had led');
  const back = await openNode(plain, first.directory);
  assert.equal((await back.until('waiting', 'roundsDone')).round, 3);
  await back.engine.close();
  assert.equal((await saved(first.directory)).bridge, undefined);
});
