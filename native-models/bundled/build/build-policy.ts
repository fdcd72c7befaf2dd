/**
 * `npm run build:policy`: pre-trains the bundled policy from random weights with our own engine and the SFT objective on our
 * own tasks, then writes it in Hugging Face layout with its model card. Seeded; resumes from its last checkpoint after
 * any interruption; the result depends on the options only.
 *
 *   --steps N        optimiser steps in all            --out DIR     where the policy goes (native-models/bundled/waggle-starter)
 *   --seed N         all random numbers                --work DIR    checkpoints (.cache/build-policy)
 *   --fresh          forget earlier checkpoints        --export-only    write the folder from the last checkpoint
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { sftLoss } from '../../../src-main/objective/sft.ts';
import { warmupCosine } from '../../optim/schedule.ts';
import { savePolicyFolder } from '../../policy/load-policy.ts';
import { initialParameters } from '../../policy/parameters.ts';
import type { PolicyConfig } from '../../policy/policy-config.ts';
import { PolicyRuntime } from '../../runtime/policy-runtime.ts';
import { randomStream } from '../../runtime/sampling.ts';
import { loadTokenizer, type Tokenizer } from '../../text/tokenizer.ts';
import { trainTokenizer, writeTokenizer } from '../../text/train-tokenizer.ts';
import { demonstrations, trainRows } from './demonstrations.ts';
import { accuracy, overall } from './evaluate.ts';
import { modelCard } from './model-card.ts';

const CONTEXT_TOKENS = 160;
const BATCH = 96;
const PEAK_LEARNING_RATE = 2e-3;
const FLOOR_LEARNING_RATE = 5e-5;
/** Where the cosine would end. Training stops well before: a policy that is right half the time leaves RL room. */
const SCHEDULE_STEPS = 9000;
const WARMUP_STEPS = 200;
const MICRO_BATCH_TOKENS = 1024;
const TOKENIZER_TEXTS = 20_000;
const CHECKPOINT_STEPS = 200;
const REPORT_STEPS = 50;
const EVALUATE_STEPS = 1000;
const EVALUATION_TASKS = 800;
const EVALUATION_SAMPLES = 4;
const MAX_NEW_TOKENS = 80;

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '20' },
    out: { type: 'string', default: 'native-models/bundled/waggle-starter' },
    work: { type: 'string', default: '.cache/build-policy' },
    fresh: { type: 'boolean', default: false },
    'export-only': { type: 'boolean', default: false },
  },
});

function policyConfig(tokenizer: Tokenizer): PolicyConfig {
  return {
    architecture: 'llama',
    ropeScaling: { type: 'none' },
    biases: [],
    queryKeyNorm: false,
    vocabularySize: tokenizer.vocabularySize,
    hiddenSize: 192,
    layers: 6,
    heads: 6,
    kvHeads: 2,
    headDim: 32,
    intermediateSize: 512,
    ropeTheta: 10_000,
    rmsNormEpsilon: 1e-6,
    contextTokens: CONTEXT_TOKENS,
    tiedHead: true,
    eosTokenId: tokenizer.eosId,
  };
}

async function buildTokenizer(directory: string, seed: number): Promise<Tokenizer> {
  const texts = demonstrations(seed, 0, TOKENIZER_TEXTS).map(({ prompt, completion }) => prompt + completion);
  const trained = trainTokenizer(texts, { contextTokens: CONTEXT_TOKENS });
  await writeTokenizer(directory, { ...trained, config: { ...trained.config, waggle_prompt_style: 'terse' } });
  console.log(`tokenizer: ${trained.words.map(({ word }) => JSON.stringify(word)).join(' ')}`);
  return loadTokenizer(directory);
}

interface Progress {
  step: number;
  seconds: number;
}

/** Weights and both moments one after the other, then the progress: the rename of the latter makes a checkpoint valid. */
async function saveProgress(directory: string, policy: PolicyRuntime, progress: Progress): Promise<void> {
  const count = policy.weights.length;
  const all = new Float32Array(count * 3);
  [policy.weights, policy.optimizer.m, policy.optimizer.v].forEach((part, i) => all.set(part, i * count));
  const file = `state-${progress.step}.f32`;
  await writeFile(join(directory, file), new Uint8Array(all.buffer));
  await writeFile(join(directory, 'progress.tmp'), JSON.stringify({ ...progress, file }));
  const earlier = await readProgress(directory);
  await rename(join(directory, 'progress.tmp'), join(directory, 'progress.json'));
  if (earlier && earlier.file !== file) await rm(join(directory, earlier.file), { force: true });
}

async function readProgress(directory: string): Promise<(Progress & { file: string }) | null> {
  try {
    return JSON.parse(await readFile(join(directory, 'progress.json'), 'utf8')) as Progress & { file: string };
  } catch {
    return null;
  }
}

async function restore(directory: string, policy: PolicyRuntime): Promise<Progress> {
  const progress = await readProgress(directory);
  if (!progress) return { step: 0, seconds: 0 };
  const bytes = await readFile(join(directory, progress.file));
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const count = policy.weights.length;
  [policy.weights, policy.optimizer.m, policy.optimizer.v].forEach((part, i) =>
    part.set(all.subarray(i * count, (i + 1) * count)),
  );
  policy.optimizer.step = progress.step;
  return progress;
}

async function train(
  policy: PolicyRuntime,
  tokenizer: Tokenizer,
  steps: number,
  seed: number,
  work: string,
): Promise<Progress> {
  const progress = await restore(work, policy);
  const startedAt = performance.now() - progress.seconds * 1000;
  const startStep = progress.step;
  let lossSum = 0;
  let tokens = 0;
  let sinceReport = performance.now();
  while (progress.step < steps) {
    const batch = demonstrations(seed, TOKENIZER_TEXTS + progress.step * BATCH, BATCH);
    const sum = await policy.accumulate('sft', trainRows(batch, tokenizer), MICRO_BATCH_TOKENS, () => undefined);
    const learningRate = warmupCosine(
      progress.step,
      PEAK_LEARNING_RATE,
      WARMUP_STEPS,
      SCHEDULE_STEPS,
      FLOOR_LEARNING_RATE,
    );
    await policy.update({ learningRate, beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0.01 }, 1);
    progress.step++;
    progress.seconds = (performance.now() - startedAt) / 1000;
    lossSum += sum.loss;
    tokens += sum.tokens;
    if (progress.step % REPORT_STEPS === 0) {
      const seconds = (performance.now() - sinceReport) / 1000;
      const left = ((steps - progress.step) * (performance.now() - startedAt)) / Math.max(1, progress.step) / 60_000;
      console.log(
        `step ${progress.step}/${steps}  loss ${(lossSum / Math.min(REPORT_STEPS, progress.step - startStep)).toFixed(4)}  ` +
          `${(tokens / seconds).toFixed(0)} tokens/s  about ${left.toFixed(0)} min left`,
      );
      [lossSum, tokens, sinceReport] = [0, 0, performance.now()];
    }
    if (progress.step % CHECKPOINT_STEPS === 0 || progress.step === steps) await saveProgress(work, policy, progress);
    if (progress.step % EVALUATE_STEPS === 0) {
      const sampled = await accuracy(policy, tokenizer, {
        tasks: 160,
        samples: 2,
        temperature: 1,
        seed,
        maxNewTokens: 80,
      });
      const perTask = Object.entries(sampled).map(
        ([task, by]) => `${task} ${((100 * by.all!.right) / by.all!.total).toFixed(0)}%`,
      );
      console.log(`sampled accuracy ${(100 * overall(sampled)).toFixed(1)} %  ${perTask.join('  ')}`);
      sinceReport = performance.now();
    }
  }
  return progress;
}

/** Evaluates and writes the folder that ships. */
async function finish(policy: PolicyRuntime, tokenizer: Tokenizer, progress: Progress, seed: number): Promise<void> {
  const { config, weights } = policy;
  const shared = { tasks: EVALUATION_TASKS, seed: seed + 1, maxNewTokens: MAX_NEW_TOKENS };
  const greedy = await accuracy(policy, tokenizer, { ...shared, samples: 1, temperature: 0 });
  const sampled = await accuracy(policy, tokenizer, { ...shared, samples: EVALUATION_SAMPLES, temperature: 1 });
  await savePolicyFolder(options.out, { config, weights, dtype: 'float16', tokenizerFrom: options.work });
  const card = modelCard({
    name: basename(options.out),
    parameters: weights.length,
    architecture: `Llama decoder, ${config.layers} layers, ${config.hiddenSize} wide, ${config.heads} heads over ${config.kvHeads} key/value heads`,
    vocabularySize: config.vocabularySize,
    contextTokens: config.contextTokens,
    steps: progress.step,
    batch: BATCH,
    demonstrations: progress.step * BATCH,
    peakLearningRate: PEAK_LEARNING_RATE,
    seed,
    minutes: progress.seconds / 60,
    machine: `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown CPU'}`,
    tasks: EVALUATION_TASKS,
    samples: EVALUATION_SAMPLES,
    greedy,
    sampled,
  });
  await writeFile(join(options.out, 'README.md'), card);
  console.log(
    `${options.out}: greedy ${(100 * overall(greedy)).toFixed(1)} %, sampled ${(100 * overall(sampled)).toFixed(1)} %`,
  );
}

async function main(): Promise<void> {
  const [steps, seed] = [Number(options.steps), Number(options.seed)];
  if (options.fresh) await rm(options.work, { recursive: true, force: true });
  await mkdir(options.work, { recursive: true });
  const tokenizer = await buildTokenizer(options.work, seed);
  const config = policyConfig(tokenizer);
  const weights = initialParameters(config, randomStream(seed));
  const policy = new PolicyRuntime({ config, weights, provider: 'cpu', threads: 0, padId: tokenizer.padId ?? 0 });
  try {
    await policy.defineObjective('sft', sftLoss);
    console.log(`${weights.length} parameters, vocabulary ${config.vocabularySize}, ${steps} steps`);
    const progress = options['export-only']
      ? await restore(options.work, policy)
      : await train(policy, tokenizer, steps, seed, options.work);
    console.log(`trained ${progress.step} steps in ${(progress.seconds / 60).toFixed(1)} min`);
    await finish(policy, tokenizer, progress, seed);
  } finally {
    await policy.close();
  }
}

await main();
