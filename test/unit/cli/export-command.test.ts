/** `waggle export`: a trained checkpoint becomes folders that load; nothing trained, and the base's own folder, are refused. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { loadAdapterFolder } from '../../../native-models/policy/adapter-folder.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import { loadPolicyFolder } from '../../../native-models/policy/load-policy.ts';
import { ComputeHost, forkCompute } from '../../../native-models/runtime/compute-host.ts';
import { runCli } from '../../../src-main/cli/program.ts';
import { meanLossRows, policyFolder, weightedLikelihood } from '../../golden/policy/folders.ts';

const { directory: policy, vectors } = policyFolder('families/qwen2');
const settings = [
  '--policy',
  policy,
  '--adapter',
  'lora',
  '--lora-rank',
  '2',
  '--lora-alpha',
  '4',
  '--lora-targets',
  'q_proj,v_proj',
];

async function exported(...args: string[]): Promise<{ code: number; answer: Record<string, unknown> }> {
  let out = '';
  const terminal = { print: (text: string) => void (out += text), complain: () => undefined, colours: false };
  const surroundings = { terminal, env: {}, version: '0', interrupted: new AbortController().signal };
  const code = await runCli(['export', '--json', ...settings, ...args], surroundings);
  return { code, answer: JSON.parse(out) as Record<string, unknown> };
}

async function trainOneStep(checkpointDirectory: string): Promise<void> {
  const compute = new ComputeHost(forkCompute);
  try {
    const adapter = { mode: 'lora' as const, rank: 2, alpha: 4, targets: ['q_proj', 'v_proj'] };
    const place = { policyDirectory: policy, checkpointDirectory };
    const opened = await compute.call('open', { ...place, provider: 'cpu', threads: 1, adapter });
    const model = lowerGraph(gradientGraph(opened.config, weightedLikelihood, opened.adapter), 'cpu');
    await compute.call('defineObjective', { name: 'sft', model });
    await compute.call('accumulate', { objective: 'sft', rows: meanLossRows(vectors), maxTokens: 1000 });
    const optimizer = { learningRate: 1e-2, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };
    await compute.call('update', { optimizer, maxGradientNorm: 1 });
    await compute.call('save', { state: {}, version: 1 });
  } finally {
    await compute.close();
  }
}

test('a trained checkpoint is written as a whole policy and as an adapter; what cannot be is refused with a reason', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-export-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [data, target] = [join(folder, 'data'), join(folder, 'mine')];
  const codeOf = ({ answer }: { answer: Record<string, unknown> }): unknown => (answer.fault as { code: string }).code;
  assert.equal(codeOf(await exported(target, '--data', data)), 'nothingTrained');
  assert.ok(!existsSync(target));
  await trainOneStep(join(data, 'checkpoints'));
  assert.equal(codeOf(await exported(policy, '--data', data)), 'exportOverBase');
  const { code, answer } = await exported(target, '--data', data);
  assert.deepEqual([code, answer.directory, answer.steps], [0, target, 1]);
  const merged = await loadPolicyFolder(target);
  const adapter = await loadAdapterFolder(join(target, 'adapter'), merged.config);
  assert.deepEqual(adapter.config, { rank: 2, alpha: 4, targets: ['q_proj', 'v_proj'] });
  assert.equal(codeOf(await exported(target, '--data', data, '--lora-rank', '3')), 'foreign');
});
