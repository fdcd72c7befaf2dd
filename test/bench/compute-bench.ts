/**
 * Decoding and training of the bundled policy in the real compute process, without a round around them: the two speeds that
 * everything else is made of. Prompts are real tasks; knows nothing of rounds, swarm or store.
 *
 * Decoding is measured with all rows alive to the end, so that the figure is one of a batch size: the process opens a copy of
 * the policy that takes the padding token for the end of a text. Training is one whole step, gradient and update.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lowerGraph } from '../../native-models/graph/lower.ts';
import { gradientGraph } from '../../native-models/policy/graphs.ts';
import type { TrainRow } from '../../native-models/runtime/batch.ts';
import { ComputeHost, forkCompute } from '../../native-models/runtime/compute-host.ts';
import { loweringFor } from '../../native-models/runtime/provider.ts';
import { loadTokenizer } from '../../native-models/text/tokenizer.ts';
import { loadConfig, type Config } from '../../src-main/config.ts';
import { bundledPolicyDirectory, promptStyleOf } from '../../src-main/engine/bundled-policy.ts';
import { roundTasks } from '../../src-main/engine/task-stream.ts';
import { createObjective } from '../../src-main/objective/index.ts';
import { promptTokens } from '../../src-main/rollout/rollout.ts';
import { watchPeakMemory } from './peak-memory.ts';
import { unitsPerSecond, type Sample } from './sample.ts';

const rowCount = 64;
const groupSize = 8;
const decodedTokens = 48;
/** Mean length of a training row, prompt included; rows differ by up to a quarter of it, as answers do. */
const rowTokens = 48;
const repeated = { warmUps: 2, repetitions: 9 };

export interface ComputeFigures {
  decodeTokensPerSecond: Sample;
  trainTokensPerSecond: Sample;
  peakBytes: number;
}

export async function measureCompute(): Promise<ComputeFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-bench-'));
  const host = new ComputeHost(forkCompute);
  const memory = watchPeakMemory(host.pid!);
  try {
    const config = loadConfig({ flags: { dataDirectory: folder }, env: {} }).config;
    const prompts = await taskPrompts(config);
    const { config: shape } = await host.call('open', {
      policyDirectory: await withoutEnd(join(folder, 'policy')),
      checkpointDirectory: null,
      provider: 'cpu',
      threads: config.cpuThreads,
    });
    const decodeTokensPerSecond = await unitsPerSecond(repeated, async (seed) => {
      const { temperature, topK, topP } = config;
      const options = { completionsPerPrompt: groupSize, maxNewTokens: decodedTokens, temperature, topK, topP, seed };
      const generated = await host.call('generate', { prompts, options });
      return generated.flat().reduce((sum, { tokens }) => sum + tokens.length, 0);
    });

    const objective = createObjective(config.ownObjective, config);
    const model = lowerGraph(gradientGraph(shape, objective.loss), loweringFor('cpu'), objective.name);
    await host.call('defineObjective', { name: objective.name, model });
    const rows = trainingRows(prompts, shape.vocabularySize);
    const trainTokensPerSecond = await unitsPerSecond(repeated, async () => {
      const work = { objective: objective.name, rows, maxTokens: config.microBatchTokens };
      const { tokens } = await host.call('accumulate', work);
      const { applied } = await host.call('update', { optimizer: adamW(config), maxGradientNorm: 1 });
      if (!applied) throw new Error('The gradient was not finite: what was measured is no training step.');
      return tokens;
    });
    return { decodeTokensPerSecond, trainTokensPerSecond, peakBytes: await memory.peakBytes() };
  } finally {
    memory.close();
    await host.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function taskPrompts(config: Config): Promise<number[][]> {
  const directory = bundledPolicyDirectory();
  const text = { tokenizer: await loadTokenizer(directory), style: await promptStyleOf(directory) };
  return roundTasks(config.taskSet, '1', 0, rowCount / groupSize).map((task) => promptTokens(text, task));
}

/** A copy of the bundled policy that does not end its texts. */
async function withoutEnd(directory: string): Promise<string> {
  await cp(bundledPolicyDirectory(), directory, { recursive: true });
  const path = join(directory, 'config.json');
  const { padId } = await loadTokenizer(directory);
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...config, eos_token_id: padId }));
  return directory;
}

/** Tokens after the prompt are arbitrary: what is computed does not depend on which they are. */
function trainingRows(prompts: readonly (readonly number[])[], vocabularySize: number): TrainRow[] {
  return Array.from({ length: rowCount }, (_, row) => {
    const prompt = prompts[row % prompts.length]!;
    const length = Math.max(prompt.length + 1, Math.round(rowTokens * (0.75 + (0.5 * row) / (rowCount - 1))));
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
