// The real compute process on WebGPU (SwiftShader): what stays on the card is what is saved, resumed, branched, exported and scored.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openCheckpointStore } from '../../../native-models/checkpoint/checkpoint-store.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import type { AdapterRequest } from '../../../native-models/policy/adapter.ts';
import { ComputeHost, forkComputeEntry } from '../../../native-models/runtime/compute-host.ts';
import { loweringFor, type ProviderName } from '../../../native-models/runtime/provider.ts';
import { meanLossRows, policyFolder, weightedLikelihood } from '../../golden/policy/folders.ts';
import { relativeError } from '../../golden/ops/run-graph.ts';
import { swiftShaderEnvironment } from '../runtime/swiftshader.ts';

const entry = fileURLToPath(new URL('../../../native-models/runtime/compute-process.ts', import.meta.url));
const { directory, vectors } = policyFolder('untied');
const rows = meanLossRows(vectors).slice(0, 3);
const optimizer = { learningRate: 0.02, beta1: 0.9, beta2: 0.95, epsilon: 0.05, weightDecay: 0.1 };
const lora: AdapterRequest = { mode: 'lora', rank: 2, alpha: 4, targets: ['q_proj', 'down_proj'] };
const tolerance = 1e-4;

async function openOn(provider: ProviderName, checkpointDirectory: string, adapter: AdapterRequest | null) {
  const host = new ComputeHost(() => forkComputeEntry(entry, swiftShaderEnvironment()));
  const opened = await host.call('open', {
    policyDirectory: directory,
    checkpointDirectory,
    provider,
    threads: 1,
    ...(adapter ? { adapter } : {}),
  });
  const graph = gradientGraph(opened.config, weightedLikelihood, opened.adapter);
  await host.call('defineObjective', { name: 'sft', model: lowerGraph(graph, loweringFor(provider)) });
  return host;
}

async function step(host: ComputeHost): Promise<void> {
  await host.call('accumulate', { objective: 'sft', rows, maxTokens: 16 });
  assert.equal((await host.call('update', { optimizer, maxGradientNorm: 0.5 })).applied, true);
}
const texts = rows.map(({ tokens, promptLength }) => ({ tokens: [...tokens], promptLength }));
const score = (host: ComputeHost, under: 'policy' | 'reference' = 'policy') =>
  host.call('score', { rows: texts, maxTokens: 64, under });

interface Trace {
  scores: number[][];
  saved: Record<string, Float32Array>;
  exported: Float32Array;
}

/** Two steps, saved; the process dies; resumed, a branch is trained and put back; a third step, exported. */
async function life(t: TestContext, provider: ProviderName, adapter: AdapterRequest | null): Promise<Trace> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-on-card-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const scores: number[][] = [];
  const scored = async (host: ComputeHost, under?: 'reference'): Promise<void> =>
    void scores.push((await score(host, under)).flat());
  const first = await openOn(provider, folder, adapter);
  t.after(() => first.close());
  await step(first);
  await step(first);
  await scored(first);
  await first.call('save', { state: {}, version: 2 });
  await first.close();

  const second = await openOn(provider, folder, adapter);
  t.after(() => second.close());
  await scored(second);
  assert.deepEqual(scores[1], scores[0], 'what was saved is what was scored');
  await second.call('branch', 'keep');
  await step(second);
  await scored(second);
  await second.call('branch', 'exchange');
  await scored(second);
  assert.deepEqual(scores[3], scores[0], 'the copy is what it was');
  await second.call('branch', 'exchange');
  await scored(second);
  assert.deepEqual(scores[4], scores[2], 'and the policy goes on where it was');
  await second.call('branch', 'drop');
  await step(second);
  await scored(second);
  await scored(second, 'reference');
  await second.call('save', { state: {}, version: 4 });
  await second.call('exportPolicy', { directory: join(folder, 'mine') });
  await second.close();
  const store = await openCheckpointStore(folder, { keep: 2, identity: 'untied' });
  const { checkpoint } = await store.loadLatest();
  const saved = Object.fromEntries(Object.entries(checkpoint!.tensors).map(([name, { data }]) => [name, data]));
  return { scores, saved, exported: (await loadPolicyWeights(join(folder, 'mine'))).weights };
}

for (const [what, adapter] of [
  ['all weights', null],
  ['an adapter', lora],
] as const)
  test(
    `${what}, trained on the card, saved, resumed, branched and exported as on the CPU`,
    { timeout: 500_000 },
    async (t) => {
      const [card, cpu] = await Promise.all([life(t, 'webgpu', adapter), life(t, 'cpu', adapter)]);
      assert.notDeepEqual(card.scores[2], card.scores[0]);
      assert.deepEqual(Object.keys(card.saved), Object.keys(cpu.saved));
      for (const [i, values] of cpu.scores.entries())
        assert.ok(relativeError(card.scores[i]!, values) < tolerance, `scores ${i}`);
      for (const [name, values] of Object.entries(cpu.saved))
        assert.ok(relativeError(card.saved[name]!, values) < tolerance, name);
      assert.ok(relativeError(card.exported, cpu.exported) < tolerance, 'exported');
    },
  );
