/**
 * How well the memory estimate foretells what a compute process takes: for three policies, rounds of the real work (generate for
 * whole groups, score, two objectives' gradients, update) in a process of its own, its peak beside the estimate made from the config
 * alone. `node test/bench/memory-bench.ts [--record] [--only TEXT]`: one line a policy; `--record` puts them into
 * memory-measured.json, which a unit test holds the estimate against; `--only` takes those whose name has the text. The figures
 * do not depend on how busy the machine is.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { lowerGraph } from '../../native-models/graph/lower.ts';
import { chooseAdapter, type AdapterConfig, type AdapterRequest } from '../../native-models/policy/adapter.ts';
import { gradientGraph } from '../../native-models/policy/graphs.ts';
import { linearNames } from '../../native-models/policy/linears.ts';
import { parameterCount, parameterSlots } from '../../native-models/policy/parameters.ts';
import { parsePolicyConfig, type PolicyConfig } from '../../native-models/policy/policy-config.ts';
import type { TrainRow } from '../../native-models/runtime/batch.ts';
import { ComputeHost, forkCompute } from '../../native-models/runtime/compute-host.ts';
import {
  estimateMemory,
  type MemoryEstimate,
  type MemoryQuestion,
  type WorkShape,
} from '../../native-models/runtime/memory-estimate.ts';
import { loadConfig } from '../../src-main/config.ts';
import { bundledPolicyDirectory } from '../../src-main/engine/policy/bundled-policy.ts';
import { createObjective } from '../../src-main/objective/index.ts';
import type { DecodePrecision } from '../../native-models/runtime/policy-runtime.ts';
import { watchPeakMemory } from './peak-memory.ts';
import { writeRandomModel } from './random-model.ts';

interface Case {
  name: string;
  /** Null: the bundled policy. */
  config: Record<string, unknown> | null;
  adapter: AdapterRequest['mode'];
  /** Left out: f32. */
  decode?: DecodePrecision;
  work: WorkShape;
}
interface Measured extends MemoryEstimate {
  name: string;
  config: PolicyConfig;
  question: Omit<MemoryQuestion, 'config'>;
  measuredBytes: number;
}

const rounds = 2;
const objectives = ['grpo', 'asympo'] as const;

const bundled: Case = {
  name: 'bundled, 2.4 M',
  config: null,
  adapter: 'full',
  work: { prompts: 8, groupSize: 8, promptTokens: 48, completionTokens: 80, microBatchTokens: 1024 },
};
const small: Case = {
  name: '21 M, vocabulary 2048',
  config: {
    vocab_size: 2048,
    hidden_size: 384,
    num_hidden_layers: 12,
    num_attention_heads: 6,
    num_key_value_heads: 3,
    intermediate_size: 1024,
    max_position_embeddings: 512,
  },
  adapter: 'full',
  work: { prompts: 2, groupSize: 8, promptTokens: 64, completionTokens: 96, microBatchTokens: 1280 },
};
const wideVocabulary: Case = {
  name: '57 M, vocabulary 49152, adapter',
  config: {
    vocab_size: 49_152,
    hidden_size: 576,
    num_hidden_layers: 8,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    intermediate_size: 1536,
    max_position_embeddings: 512,
  },
  adapter: 'lora',
  work: { prompts: 1, groupSize: 8, promptTokens: 64, completionTokens: 96, microBatchTokens: 640 },
};
const smol: Case = {
  name: 'shape of SmolLM2-135M, adapter',
  config: { ...wideVocabulary.config, num_hidden_layers: 30 },
  adapter: 'lora',
  work: { prompts: 1, groupSize: 8, promptTokens: 64, completionTokens: 64, microBatchTokens: 512 },
};
const recomputed = (plain: Case): Case => ({
  ...plain,
  name: `${plain.name}, recomputed`,
  work: { ...plain.work, recompute: true },
});
const decodedInInt8 = (plain: Case): Case => ({ ...plain, name: `${plain.name}, decoded in int8`, decode: 'int8' });

const cases = [
  bundled,
  small,
  wideVocabulary,
  recomputed(small),
  recomputed(wideVocabulary),
  decodedInInt8(wideVocabulary),
  smol,
  decodedInInt8(smol),
  recomputed(smol),
];

const { values } = parseArgs({ options: { record: { type: 'boolean' }, only: { type: 'string', default: '' } } });
const results: Measured[] = [];
for (const one of cases.filter(({ name }) => name.includes(values.only))) {
  const result = await measure(one);
  process.stderr.write(`${lineOf(result)}\n`);
  results.push(result);
}
process.stdout.write(`${results.map(lineOf).join('\n')}\n`);
if (values.record === true) await record(results);

/** Those measured now take the place of those of their names. */
async function record(measured: readonly Measured[]): Promise<void> {
  const path = join(import.meta.dirname, 'memory-measured.json');
  const known = JSON.parse(await readFile(path, 'utf8').catch(() => '{"cases":[]}')) as { cases: Measured[] };
  const made = `${process.platform}-${process.arch}, Node ${process.versions.node}, node test/bench/memory-bench.ts --record`;
  const kept = known.cases.filter(({ name }) => !measured.some((one) => one.name === name));
  const all = [...kept, ...measured];
  const ordered = cases.flatMap(({ name }) => all.filter((one) => one.name === name));
  await writeFile(path, `${JSON.stringify({ made, cases: ordered }, null, 2)}\n`);
}

async function measure({ name, config: raw, adapter: mode, decode = 'f32', work }: Case): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-memory-'));
  const directory = raw === null ? bundledPolicyDirectory() : join(folder, 'model');
  if (raw !== null) await writeRandomModel(directory, raw);
  const host = new ComputeHost(forkCompute);
  const memory = watchPeakMemory(host.pid!);
  try {
    const config = parsePolicyConfig(JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')));
    const request = { mode, rank: 16, alpha: 32, targets: linearNames };
    const adapter = chooseAdapter(parameterCount(parameterSlots(config)), request);
    const question = { adapter, work, objectives: objectives.length, scoring: true, reference: false, decode };
    const estimate = estimateMemory({ config, ...question });
    const opening = { policyDirectory: directory, checkpointDirectory: null, provider: 'cpu', threads: 2 } as const;
    const opened = await host.call('open', { ...opening, adapter: request, decodePrecision: decode });
    if (opened.decode.precision !== decode) throw new Error(opened.decode.reason);
    await doRounds(host, config, adapter, work);
    return { name, config, question, ...estimate, measuredBytes: await memory.peakBytes() };
  } finally {
    memory.close();
    await host.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function doRounds(
  host: ComputeHost,
  config: PolicyConfig,
  adapter: AdapterConfig | null,
  work: WorkShape,
): Promise<void> {
  const options = loadConfig({ flags: {}, env: {} }).config;
  for (const name of objectives) {
    const recompute = work.recompute ?? false;
    const graph = gradientGraph(config, createObjective(name, options).loss, adapter, { recompute });
    await host.call('defineObjective', { name, model: lowerGraph(graph, 'cpu', name) });
  }
  const token = (i: number): number => 4 + ((i * 7919) % (config.vocabularySize - 4));
  for (let round = 0; round < rounds; round++) {
    const prompts = Array.from({ length: work.prompts }, (_, p) =>
      Array.from({ length: work.promptTokens }, (_unused, i) => token(round + 31 * p + i)),
    );
    await host.call('generate', {
      prompts,
      options: {
        completionsPerPrompt: work.groupSize,
        maxNewTokens: work.completionTokens,
        temperature: 1,
        topK: 0,
        topP: 1,
        seed: round,
      },
    });
    const rows = trainRows(prompts, work, token);
    const scored = rows.map(({ tokens, promptLength }) => ({ tokens: [...tokens], promptLength }));
    await host.call('score', { rows: scored, maxTokens: work.microBatchTokens });
    for (const objective of objectives) {
      await host.call('accumulate', { objective, rows, maxTokens: work.microBatchTokens });
    }
    const optimizer = { learningRate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
    await host.call('update', { optimizer, maxGradientNorm: 1 });
  }
}

/** Half of the groups as long as can be, the rows of the others shorter by up to a half of the completion. */
function trainRows(prompts: readonly number[][], work: WorkShape, token: (i: number) => number): TrainRow[] {
  const count = work.prompts * work.groupSize;
  return Array.from({ length: count }, (_, row) => {
    const group = row % prompts.length;
    const prompt = prompts[group]!;
    const missing = group < prompts.length / 2 ? 0 : Math.round((work.completionTokens / 2) * (row / count));
    const completion = Array.from({ length: work.completionTokens - missing }, (_unused, i) => token(row * 17 + i));
    return {
      tokens: [...prompt, ...completion],
      promptLength: prompt.length,
      advantage: row % 2 === 0 ? 1 : -1,
      rowWeight: 1 / count,
      behaviorLogprobs: completion.map(() => -5),
    };
  });
}

function lineOf({ name, measuredBytes, totalBytes, parts }: Measured): string {
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
  const off = (100 * (totalBytes - measuredBytes)) / measuredBytes;
  const list = Object.entries(parts).map(([part, bytes]) => `${part} ${mb(bytes as number)}`);
  return `${name}: measured ${mb(measuredBytes)} MB, estimated ${mb(totalBytes)} MB (${off.toFixed(1)} %): ${list.join(', ')}`;
}
