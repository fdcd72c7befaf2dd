/**
 * Our side of compare.py: opens a model folder and does the work that its standard input names, one JSON line each, answering
 * with one JSON line: {"work": "train" | "decode" | "round"} -> {"tokens", "seconds", "rssBytes"}. One process, so that compare.py can alternate.
 *
 * train: one LoRA step (rank 16 on all linears), rows of `length` tokens of which the first quarter is prompt.
 * decode: `rows` completions of `tokens` tokens at temperature 1, prefill included.
 * round: `prompts` x `rows` completions, then one GRPO step on all of them with the log-probs they were sampled with.
 */
import { createInterface } from 'node:readline';
import { adapterConfig, adapterSlots, initialAdapter } from '../../../native-models/policy/adapter.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { linearNames } from '../../../native-models/policy/linears.ts';
import type { TrainRow } from '../../../native-models/runtime/batch.ts';
import { generate } from '../../../native-models/runtime/generate.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';
import { configSchema } from '../../../src-main/config/schema.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import { sftLoss } from '../../../src-main/objective/sft.ts';

interface Work {
  work: 'train' | 'decode' | 'round';
  rows: number;
  prompts: number;
  /** Of a training row. */
  length: number;
  /** Decoded a row. */
  tokens: number;
  /** Of a decoded row. */
  promptTokens: number;
}

const [directory, threads = '2'] = process.argv.slice(2);
if (directory === undefined) throw new Error('Usage: node ours.ts MODEL_DIR [THREADS]');

const ROUND_MICRO_BATCH_TOKENS = 1024;
const random = randomStream(5);
const { config, weights } = await loadPolicyWeights(directory);
// No text ends early: every row is decoded to the last token.
config.eosTokenId = -1;
const adapter = adapterConfig(16, 32, linearNames);
const policy = new PolicyRuntime({
  config,
  weights,
  adapter: { config: adapter, weights: initialAdapter(adapterSlots(config, adapter), random) },
  provider: 'cpu',
  threads: Number(threads),
  padId: 0,
});
await policy.defineObjective('sft', sftLoss);
const grpo = createObjective('grpo', configSchema.parse({}));
await policy.defineObjective('grpo', grpo.loss);

const words = (count: number): number[] =>
  Array.from({ length: count }, () => Math.floor(random() * config.vocabularySize));
const nothing = (): void => undefined;
const adamW = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

async function train({ rows, length }: Work): Promise<number> {
  const batch = Array.from({ length: rows }, (): TrainRow => {
    const promptLength = length / 4;
    const rowWeight = 1 / (rows * (length - promptLength));
    return { tokens: words(length), promptLength, advantage: 1, rowWeight, behaviorLogprobs: null };
  });
  await policy.accumulate('sft', batch, rows * length, nothing);
  await policy.update(adamW, 1);
  return rows * length;
}

async function decode({ rows, tokens, promptTokens }: Work): Promise<number> {
  const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: rows, maxNewTokens: tokens, seed: 3 };
  await generate(policy, [words(promptTokens)], options, nothing);
  return rows * tokens;
}

async function round({ prompts, rows, tokens, promptTokens }: Work): Promise<number> {
  const questions = Array.from({ length: prompts }, () => words(promptTokens));
  const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: rows, maxNewTokens: tokens, seed: 3 };
  const groups = await generate(policy, questions, options, nothing);
  const batch = groups.flatMap((completions, group) =>
    completions.map((completion, i): TrainRow => ({
      tokens: [...questions[group]!, ...completion.tokens],
      promptLength: promptTokens,
      // Any spread will do: what is measured does not depend on who is right.
      advantage: i % 2 === 0 ? 1 : -1,
      rowWeight: 1 / (prompts * rows),
      behaviorLogprobs: completion.logprobs,
    })),
  );
  await policy.accumulate('grpo', batch, ROUND_MICRO_BATCH_TOKENS, nothing);
  await policy.update(adamW, 1);
  return prompts * rows * tokens;
}

const does = { train, decode, round };
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const work = JSON.parse(line) as Work;
  const start = performance.now();
  const tokens = await does[work.work](work);
  const seconds = (performance.now() - start) / 1000;
  // Kilobytes on Linux: the most this process has held so far.
  console.log(JSON.stringify({ tokens, seconds, rssBytes: process.resourceUsage().maxRSS * 1024 }));
}
await policy.close();
