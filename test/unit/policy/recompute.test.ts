/** Layers computed again for their gradient: the same bits as without, for every family; less memory in a real process. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backward } from '../../../native-models/graph/backward.ts';
import { GraphBuilder } from '../../../native-models/graph/builder.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { adapterConfig, adapterSlots, initialAdapter } from '../../../native-models/policy/adapter.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import { linearNames } from '../../../native-models/policy/linears.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { ComputeHost, forkCompute } from '../../../native-models/runtime/compute-host.ts';
import { graphPeakBytes } from '../../../native-models/runtime/graph-memory.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';
import { watchPeakMemory } from '../../bench/peak-memory.ts';
import { writeRandomModel } from '../../bench/random-model.ts';
import { meanLossRows, policyFolder, weightedLikelihood } from '../../golden/policy/folders.ts';

const adapter = adapterConfig(4, 8, linearNames);
const names = ['tied', 'untied', 'families/llama-biased', 'families/llama-compact-untied', 'families/qwen2', 'families/qwen2-compact', 'families/qwen3']; // prettier-ignore

for (const name of names)
  test(`${name}: recomputed gradients have the same bits, of all weights and of an adapter`, async (t) => {
    const { directory, vectors } = policyFolder(name);
    const { config, weights } = await loadPolicyWeights(directory);
    const random = randomStream(7);
    const matrices = initialAdapter(adapterSlots(config, adapter), random).map((x) => x + 0.1 * (random() - 0.5));
    for (const adapted of [null, { config: adapter, weights: matrices }]) {
      const options = { config, weights, adapter: adapted, provider: 'cpu', threads: 1, padId: 0 } as const;
      const policy = new PolicyRuntime(options);
      t.after(() => policy.close());
      const gradients: Record<string, Float32Array>[] = [];
      for (const recompute of [false, true]) {
        const graph = gradientGraph(config, weightedLikelihood, adapted?.config ?? null, { recompute });
        await policy.defineGradient('sft', lowerGraph(graph, 'cpu', 'sft'));
        await policy.accumulate('sft', meanLossRows(vectors), 40, () => undefined);
        gradients.push(Object.fromEntries(Object.entries(policy.gradients()).map(([slot, g]) => [slot, g.slice()])));
        policy.dropGradient();
      }
      assert.deepEqual(gradients[1], gradients[0]);
      assert.ok(Object.values(gradients[0]!).every((gradient) => gradient.some((x) => x !== 0)));
    }
  });

const deep = {
  vocab_size: 300,
  hidden_size: 192,
  num_hidden_layers: 12,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  intermediate_size: 512,
  max_position_embeddings: 256,
};
const [rowCount, length, promptLength] = [10, 128, 40];

test('a real process needs a third of the memory for a pass, the walk over the graph foretells it', async (t) => {
  if (process.platform !== 'linux') {
    t.skip('only Linux keeps the peak of a process');
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'waggle-recompute-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeRandomModel(folder, deep);
  const [kept, again] = [await passBytes(folder, false), await passBytes(folder, true)];
  assert.ok(again.measured < kept.measured / 3, `${again.measured} with, ${kept.measured} without`);
  assert.ok(again.walked < kept.walked / 3, `${again.walked} with, ${kept.walked} without`);
  assert.ok(kept.walked > 0.6 * kept.measured && kept.walked < 1.1 * kept.measured, `${kept.walked}, ${kept.measured}`);
});

/** What a first pass adds to the peak of a compute process, and what the graph lets expect. */
async function passBytes(folder: string, recompute: boolean): Promise<{ measured: number; walked: number }> {
  const { config } = await loadPolicyWeights(folder);
  const small = adapterConfig(4, 8, linearNames);
  const graph = gradientGraph(config, weightedLikelihood, small, { recompute });
  const host = new ComputeHost(forkCompute);
  const memory = watchPeakMemory(host.pid!);
  try {
    await host.call('open', {
      policyDirectory: folder,
      checkpointDirectory: null,
      provider: 'cpu',
      threads: 2,
      adapter: { mode: 'lora', ...small },
    });
    await host.call('defineObjective', { name: 'sft', model: lowerGraph(graph, 'cpu', 'sft') });
    const before = await memory.peakBytes();
    const rows = Array.from({ length: rowCount }, (_, r) => ({
      tokens: Array.from({ length: length + 1 }, (_unused, i) => 4 + ((i * 31 + r) % 290)),
      promptLength,
      advantage: 1,
      rowWeight: 0.01,
      behaviorLogprobs: null,
    }));
    await host.call('accumulate', { objective: 'sft', rows, maxTokens: rowCount * length });
    const padded = { B: rowCount, T: length, GT: 3 * length, P: 512, rows: rowCount * length };
    const sizes = { ...padded, N: rowCount * length, M: rowCount * (length + 1 - promptLength), S: 1, C: 1 };
    return { measured: (await memory.peakBytes()) - before, walked: graphPeakBytes(graph, sizes) };
  } finally {
    memory.close();
    await host.close();
  }
}

test('what is held between the layers grows by one activation a layer, not by what a layer makes', () => {
  const layers = 10;
  const held = (recompute: boolean): number => {
    const b = new GraphBuilder();
    const weights = Array.from({ length: layers }, (_, i) => b.input(`w${i}`, 'float32', [8, 8]));
    let x = b.input('x', 'float32', ['B', 8]);
    for (const weight of weights)
      x = b.segment(x, (input) => b.add(input, b.exp(b.sigmoid(b.exp(b.matmul(input, weight))))));
    const gradients = backward(b, b.reduceSum(x), weights, { recompute });
    gradients.forEach((gradient, i) => b.output(`gradient${i}`, gradient));
    return graphPeakBytes(b, { B: 4 }) / (4 * 8 * 4);
  };
  assert.ok(held(true) <= layers + 8, `${held(true)} values held`);
  assert.ok(held(false) >= 3 * layers, `${held(false)} values held`);
});

test('a value within a segment that is used outside of it is refused', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['B', 8]);
  let within = x;
  const y = b.segment(x, (input) => b.exp((within = b.exp(input))));
  const loss = b.reduceSum(b.mul(y, within));
  assert.throws(() => backward(b, loss, [x], { recompute: true }), /within the segment .* used outside/);
});
