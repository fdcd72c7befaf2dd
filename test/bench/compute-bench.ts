/**
 * Decoding and training of a policy in the real compute process, without a round around them: the two speeds that
 * everything else is made of. Prompts are real tasks; knows nothing of rounds, swarm or store.
 *
 * Decoding is measured with all rows alive to the end, so that the figure is one of a batch size: the process opens a copy of
 * the policy folder that takes the padding token for the end of a text. Training is one whole step, gradient and update.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { lowerGraph } from '../../native-models/graph/lower.ts';
import type { AdapterRequest } from '../../native-models/policy/adapter.ts';
import { gradientGraph } from '../../native-models/policy/graphs.ts';
import type { TrainRow } from '../../native-models/runtime/batch.ts';
import { ComputeHost, forkCompute } from '../../native-models/runtime/compute-host.ts';
import type { DecodePrecisionRequest } from '../../native-models/runtime/precision.ts';
import { loweringFor } from '../../native-models/runtime/provider.ts';
import { loadTokenizer } from '../../native-models/text/tokenizer.ts';
import { loadConfig, type Config } from '../../src-main/config.ts';
import { bundledPolicyDirectory, promptStyleOf } from '../../src-main/engine/policy/bundled-policy.ts';
import { roundTasks } from '../../src-main/engine/rounds/task-stream.ts';
import { adapterRequestOf } from '../../src-main/models/model-fit.ts';
import { createObjective } from '../../src-main/objective/index.ts';
import { promptTokens } from '../../src-main/rollout/rollout.ts';
import { watchPeakMemory } from './peak-memory.ts';
import { unitsPerSecond, type Sample } from './sample.ts';

export interface ComputeWork {
  /** Any policy folder. */
  policyDirectory: string;
  adapter: AdapterRequest['mode'];
  decodePrecision: DecodePrecisionRequest;
  /** Answers decoded at once, and rows of a training step. */
  rows: number;
  groupSize: number;
  /** Of each answer. */
  decodedTokens: number;
  /** Mean length of a training row, prompt included; rows differ by up to a quarter of it, as answers do. */
  rowTokens: number;
  repetitions: number;
}
export const bundledWork: ComputeWork = {
  policyDirectory: bundledPolicyDirectory(),
  adapter: 'full',
  decodePrecision: 'f32',
  rows: 64,
  groupSize: 8,
  decodedTokens: 48,
  rowTokens: 48,
  repetitions: 9,
};

export interface ComputeFigures {
  decodeTokensPerSecond: Sample;
  trainTokensPerSecond: Sample;
  peakBytes: number;
  parameters: number;
  trainedParameters: number;
  /** What answers were sampled in. */
  decode: string;
}

export async function measureCompute(work: ComputeWork): Promise<ComputeFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-bench-'));
  const host = new ComputeHost(forkCompute);
  const memory = watchPeakMemory(host.pid!);
  try {
    const config = loadConfig({ flags: { dataDirectory: folder }, env: {} }).config;
    const repeated = { warmUps: Math.min(2, work.repetitions), repetitions: work.repetitions };
    const prompts = await taskPrompts(config, work);
    const opened = await host.call('open', {
      policyDirectory: await withoutEnd(work.policyDirectory, join(folder, 'policy')),
      checkpointDirectory: null,
      provider: 'cpu',
      threads: config.cpuThreads,
      decodePrecision: work.decodePrecision,
      adapter: adapterRequestOf({ ...config, adapter: work.adapter }),
    });
    const decodeTokensPerSecond = await unitsPerSecond(repeated, async (seed) => {
      const { temperature, topK, topP } = config;
      const { groupSize: completionsPerPrompt, decodedTokens: maxNewTokens } = work;
      const options = { completionsPerPrompt, maxNewTokens, temperature, topK, topP, seed };
      const generated = await host.call('generate', { prompts, options });
      return generated.flat().reduce((sum, { tokens }) => sum + tokens.length, 0);
    });

    const objective = createObjective(config.ownObjective, config);
    const model = lowerGraph(
      gradientGraph(opened.config, objective.loss, opened.adapter),
      loweringFor('cpu'),
      objective.name,
    );
    await host.call('defineObjective', { name: objective.name, model });
    const rows = trainingRows(prompts, opened.config.vocabularySize, work);
    const trainTokensPerSecond = await unitsPerSecond(repeated, async () => {
      const maxTokens = config.microBatchTokens;
      const { tokens } = await host.call('accumulate', { objective: objective.name, rows, maxTokens });
      const { applied } = await host.call('update', { optimizer: adamW(config), maxGradientNorm: 1 });
      if (!applied) throw new Error('The gradient was not finite: what was measured is no training step.');
      return tokens;
    });
    const { parameters, trainedParameters, decode } = opened;
    const peakBytes = await memory.peakBytes();
    return {
      decodeTokensPerSecond,
      trainTokensPerSecond,
      peakBytes,
      parameters,
      trainedParameters,
      decode: decode.precision,
    };
  } finally {
    memory.close();
    await host.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function taskPrompts(config: Config, { policyDirectory, rows, groupSize }: ComputeWork): Promise<number[][]> {
  const text = { tokenizer: await loadTokenizer(policyDirectory), style: await promptStyleOf(policyDirectory) };
  return roundTasks(config.taskSet, '1', 0, Math.ceil(rows / groupSize)).map((task) => promptTokens(text, task));
}

/** The policy folder with another config.json, whose texts do not end; the rest are links, for weights may be large. */
async function withoutEnd(from: string, to: string): Promise<string> {
  await mkdir(to);
  for (const name of await readdir(from))
    if (name !== 'config.json') await symlink(resolve(from, name), join(to, name));
  const { padId } = await loadTokenizer(from);
  const config = JSON.parse(await readFile(join(from, 'config.json'), 'utf8')) as Record<string, unknown>;
  await writeFile(join(to, 'config.json'), JSON.stringify({ ...config, eos_token_id: padId }));
  return to;
}

/** Tokens after the prompt are arbitrary: what is computed does not depend on which they are. */
function trainingRows(
  prompts: readonly (readonly number[])[],
  vocabularySize: number,
  { rows: rowCount, rowTokens }: ComputeWork,
): TrainRow[] {
  return Array.from({ length: rowCount }, (_, row) => {
    const prompt = prompts[row % prompts.length]!;
    const length = Math.max(
      prompt.length + 1,
      Math.round(rowTokens * (0.75 + (0.5 * row) / Math.max(1, rowCount - 1))),
    );
    const answer = Array.from({ length: length - prompt.length }, (_unused, i) => (7 * row + 13 * i) % vocabularySize);
    return {
      tokens: [...prompt, ...answer],
      promptLength: prompt.length,
      advantage: row % 2 === 0 ? 1 : -1,
      rowWeight: 1 / rowCount,
      behaviorLogprobs: answer.map(() => -Math.log(vocabularySize)),
    };
  });
}

function adamW({ learningRate, adamBeta1, adamBeta2, weightDecay }: Config) {
  return { learningRate, beta1: adamBeta1, beta2: adamBeta2, epsilon: 1e-8, weightDecay };
}
