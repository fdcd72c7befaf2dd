/** The compute process with an adapter: opened, trained, checkpointed, resumed, exported; and what it does with ruined gradients. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { chooseAdapter, ADAPTED_FROM_WEIGHTS } from '../../../native-models/policy/adapter.ts';
import { loadAdapterFolder } from '../../../native-models/policy/adapter-folder.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import { loadPolicyFolder } from '../../../native-models/policy/load-policy.ts';
import type { ComputeCalls, FromCompute, ToCompute } from '../../../native-models/runtime/compute-protocol.ts';
import { ComputeServer } from '../../../native-models/runtime/compute-server.ts';
import { meanLossRows, policyFolder, weightedLikelihood } from '../../golden/policy/folders.ts';

const { directory, vectors } = policyFolder('families/qwen3');
const lora = { mode: 'lora' as const, rank: 2, alpha: 4, targets: ['v_proj', 'q_proj'] };
const optimizer = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
const rows = vectors.rows.map(({ tokens, promptLength }) => ({ tokens, promptLength }));

type Call = <K extends keyof ComputeCalls>(
  call: K,
  args: ComputeCalls[K]['args'],
) => Promise<ComputeCalls[K]['result']>;

function compute(): Call {
  const waiting = new Map<number, (message: FromCompute) => void>();
  const server = new ComputeServer((message) => 'id' in message && waiting.get(message.id)?.(message));
  let next = 1;
  return (call, args) =>
    new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, (message) => {
        if (message.kind === 'result') resolve(message.result as never);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an error as data, as it travels
        if (message.kind === 'fault') reject(message.fault);
      });
      server.receive({ kind: 'call', id, call, args } as ToCompute);
    });
}

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'waggle-adapted-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

const openArgs = (checkpointDirectory: string | null, adapter = lora) => ({
  policyDirectory: directory,
  checkpointDirectory,
  provider: 'cpu' as const,
  threads: 1,
  adapter,
});

async function openAndDefine(call: Call, checkpointDirectory: string | null): Promise<ComputeCalls['open']['result']> {
  const opened = await call('open', openArgs(checkpointDirectory));
  const model = lowerGraph(gradientGraph(opened.config, weightedLikelihood, opened.adapter), 'cpu');
  await call('defineObjective', { name: 'sft', model });
  return opened;
}

async function step(call: Call): Promise<number> {
  const { loss } = await call('accumulate', { objective: 'sft', rows: meanLossRows(vectors), maxTokens: 1000 });
  assert.equal((await call('update', { optimizer, maxGradientNorm: 1 })).applied, true);
  return loss;
}

test('an adapter is trained, checkpointed without the base, resumed bit for bit, and exported in both forms', async (t) => {
  const [checkpoints, target] = [await folder(t), join(await folder(t), 'mine')];
  const first = compute();
  const opened = await openAndDefine(first, checkpoints);
  assert.deepEqual(opened.adapter, { rank: 2, alpha: 4, targets: ['q_proj', 'v_proj'] });
  assert.ok(opened.trainedParameters < opened.parameters / 10);
  const losses = [await step(first), await step(first), await step(first)];
  assert.ok(losses[2]! < losses[0]!, losses.join(' '));
  const { bytes } = await first('save', { state: { round: 3 }, version: 3 });
  assert.equal(bytes, opened.trainedParameters * 12);
  const scored = await first('score', { rows, maxTokens: 1000 });
  await first('exportPolicy', { directory: target });

  const second = compute();
  const resumed = await openAndDefine(second, checkpoints);
  assert.equal(resumed.version, 3);
  assert.deepEqual(resumed.state, { round: 3 });
  assert.deepEqual(await second('score', { rows, maxTokens: 1000 }), scored);
  const reference = await second('score', { rows, maxTokens: 1000, under: 'reference' });
  assert.notDeepEqual(reference, scored);
  assert.equal(await step(second), await step(first), 'the same step from the same moments');

  const merged = await loadPolicyFolder(target);
  const adapter = await loadAdapterFolder(join(target, 'adapter'), merged.config);
  assert.deepEqual(adapter.config, opened.adapter);
  const third = compute();
  await third('open', { ...openArgs(null), policyDirectory: target, adapter: { ...lora, mode: 'full' } });
  const again = (await third('score', { rows, maxTokens: 1000 })).flat();
  scored.flat().forEach((logprob, i) => assert.ok(Math.abs(logprob - again[i]!) < 1e-4));
  for (const card of [join(target, 'README.md'), join(target, 'adapter/README.md')]) {
    const text = await readFile(card, 'utf8');
    assert.match(text, /^---\nlibrary_name: (peft|transformers)\n/);
    assert.match(text, /rank 2, alpha 4, on q_proj, v_proj.*3 optimiser steps/);
  }
});

test('a checkpoint is not resumed under another adapter, and the fix says how', async (t) => {
  const checkpoints = await folder(t);
  const first = compute();
  await openAndDefine(first, checkpoints);
  await step(first);
  await first('save', { state: {}, version: 1 });
  for (const other of [
    { ...lora, alpha: 8 },
    { ...lora, targets: ['q_proj', 'k_proj'] },
    { ...lora, mode: 'full' as const },
  ]) {
    await assert.rejects(compute()('open', openArgs(checkpoints, other as typeof lora)), (fault) => {
      const { code, fix, message } = fault as { code: string; fix: string; message: string };
      return code === 'foreign' && /loraRank/.test(fix) && /rank 2, alpha 4, on q_proj, v_proj/.test(message);
    });
  }
});

test('small policies are trained in full unless an adapter is asked for; nonsense is refused', async () => {
  assert.equal(chooseAdapter(ADAPTED_FROM_WEIGHTS - 1, { ...lora, mode: 'auto' }), null);
  assert.equal(chooseAdapter(ADAPTED_FROM_WEIGHTS, { ...lora, mode: 'auto' })?.rank, 2);
  assert.equal(chooseAdapter(1e9, { ...lora, mode: 'full' }), null);
  await assert.rejects(compute()('open', openArgs(null, { ...lora, rank: 0 })), { code: 'policyInvalid' });
});

test('answers are sampled in 8 bits beside the adapter as it is now; all weights trained, that is refused', async () => {
  const call = compute();
  const args = { ...openArgs(null), decodePrecision: 'int8' as const };
  const opened = await call('open', args);
  assert.deepEqual(opened.decode, { precision: 'int8', reason: 'The settings ask for it.' });
  assert.equal(opened.training.precision, 'f32');
  assert.match(opened.training.reason, /^The weights are stored in it; /);
  const model = lowerGraph(gradientGraph(opened.config, weightedLikelihood, opened.adapter), 'cpu');
  await call('defineObjective', { name: 'sft', model });
  const prompts = [vectors.greedy[0]!.prompt];
  const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: 4, maxNewTokens: 8, seed: 2 };
  const distance = async (): Promise<number> => {
    const generated = (await call('generate', { prompts, options })).flat();
    const sampled = generated.map(({ tokens }) => ({
      tokens: [...prompts[0]!, ...tokens],
      promptLength: prompts[0]!.length,
    }));
    const scored = (await call('score', { rows: sampled, maxTokens: 1000 })).flat();
    const recorded = generated.flatMap(({ logprobs }) => logprobs);
    return scored.reduce((sum, logprob, i) => sum + Math.abs(logprob - recorded[i]!), 0) / scored.length;
  };
  const before = await distance();
  for (let i = 0; i < 3; i++) await step(call);
  const after = await distance();
  assert.ok(before > 1e-6 && before < 0.1 && after < 0.1, `mean |log ratio| ${before}, after training ${after}`);

  const full = { ...args, adapter: { ...lora, mode: 'full' as const } };
  await assert.rejects(call('open', full), { code: 'policyUnsupported', fix: /decodePrecision to auto or f32/ });
  const chosen = await call('open', { ...full, decodePrecision: 'auto' });
  assert.deepEqual(chosen.decode, {
    precision: 'f32',
    reason: 'All weights are trained, so a compressed copy would be out of date at each step.',
  });
});

test('gradients that are not finite are left out; the fifth in a row ends training with a reason', async () => {
  const call = compute();
  await openAndDefine(call, null);
  const ruined = meanLossRows(vectors).map((row) => ({ ...row, rowWeight: NaN }));
  const before = await call('score', { rows, maxTokens: 1000 });
  const skip = async (): Promise<boolean> => {
    await call('accumulate', { objective: 'sft', rows: ruined, maxTokens: 1000 });
    return (await call('update', { optimizer, maxGradientNorm: 1 })).applied;
  };
  for (let i = 0; i < 4; i++) assert.equal(await skip(), false);
  assert.deepEqual(await call('score', { rows, maxTokens: 1000 }), before);
  await step(call);
  for (let i = 0; i < 4; i++) assert.equal(await skip(), false);
  await assert.rejects(skip(), { code: 'gradientNotFinite' });
});
