/**
 * Decoding of one model folder in f32, int8 and int4, alternating in one run, each in a compute process of its own with an adapter
 * opened: tokens a second at several batch sizes, memory, and how far the log-probs of sampled answers are from those that are
 * trained. `node test/bench/decode-bench.ts MODEL_DIR [--record] [--threads N]`; `--record` writes decode-measured.json, on which the
 * choice of `decodePrecision: auto` rests.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { linearNames } from '../../native-models/policy/linears.ts';
import { ComputeHost, forkCompute } from '../../native-models/runtime/compute-host.ts';
import { loadTokenizer } from '../../native-models/text/tokenizer.ts';
import { residentBytes } from '../../src-main/engine/providers/hardware.ts';
import { describeMachine } from './machine.ts';
import { watchPeakMemory } from './peak-memory.ts';
import { sampleOf, type Sample } from './sample.ts';

const precisions = ['f32', 'int8', 'int4'] as const;
type Precision = (typeof precisions)[number];
const batches = [
  { rows: 1, tokens: 32 },
  { rows: 8, tokens: 24 },
  { rows: 64, tokens: 8 },
];
const repetitions = 5;
/** What is answered when log-probs are compared. */
const questions = [
  'Question: Tom has 12 apples and gives 5 to Anna. How many are left?\nAnswer:',
  'The capital of France is',
  'What is 38 + 17? Let us work it out:',
  'def gcd(a, b):\n',
];

interface Figures {
  openMs: number;
  openedBytes: number;
  peakBytes: number;
  tokensPerSecond: Record<string, Sample>;
  /** Of sampled tokens: log-prob under what is trained (f32) minus the recorded one. */
  logRatio: { meanSize: number; largest: number; tokens: number };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { record: { type: 'boolean' }, threads: { type: 'string', default: '2' } },
});
const [directory] = positionals;
if (directory === undefined)
  throw new Error('Usage: node test/bench/decode-bench.ts MODEL_DIR [--record] [--threads N]');

const machine = describeMachine();
const folder = await mkdtemp(join(tmpdir(), 'waggle-decode-'));
const hosts = new Map<Precision, { host: ComputeHost; memory: ReturnType<typeof watchPeakMemory> }>();
try {
  const model = await withoutEnd(directory, join(folder, 'model'));
  const tokenizer = await loadTokenizer(directory);
  const prompts = questions.map((text) => tokenizer.encode(text));
  const figures = {} as Record<Precision, Figures>;
  for (const precision of precisions) figures[precision] = await open(precision, model);
  const rates: Record<string, number[]> = {};
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    for (const { rows, tokens } of batches) {
      for (const precision of precisions) {
        const rate = await tokensPerSecond(precision, prompts[0]!, rows, tokens, repetition);
        if (repetition > 0) (rates[`${precision} ${rows}`] ??= []).push(rate);
      }
    }
  }
  for (const precision of precisions) {
    for (const { rows } of batches) figures[precision].tokensPerSecond[rows] = sampleOf(rates[`${precision} ${rows}`]!);
    figures[precision].peakBytes = await hosts.get(precision)!.memory.peakBytes();
    figures[precision].logRatio = await logRatio(precision, prompts);
  }
  const report = {
    made: 'node test/bench/decode-bench.ts MODEL_DIR --record',
    model: basename(resolve(directory)),
    threads: Number(values.threads),
    machine,
    figures,
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  if (values.record === true)
    await writeFile(join(import.meta.dirname, 'decode-measured.json'), `${JSON.stringify(report, null, 2)}\n`);
} finally {
  for (const { host, memory } of hosts.values()) {
    memory.close();
    await host.close();
  }
  await rm(folder, { recursive: true, force: true });
}

/** A copy whose texts never end, so that all rows live to the last step. */
async function withoutEnd(from: string, to: string): Promise<string> {
  await cp(from, to, { recursive: true, dereference: false });
  const config = JSON.parse(await readFile(join(to, 'config.json'), 'utf8')) as Record<string, unknown>;
  await writeFile(join(to, 'config.json'), JSON.stringify({ ...config, eos_token_id: config.pad_token_id ?? 0 }));
  return to;
}

async function open(decodePrecision: Precision, policyDirectory: string): Promise<Figures> {
  const host = new ComputeHost(forkCompute);
  hosts.set(decodePrecision, { host, memory: watchPeakMemory(host.pid!) });
  const startedAt = performance.now();
  const { decode } = await host.call('open', {
    policyDirectory,
    checkpointDirectory: null,
    provider: 'cpu',
    threads: Number(values.threads),
    decodePrecision,
    adapter: { mode: 'lora', rank: 16, alpha: 32, targets: linearNames },
  });
  if (decode.precision !== decodePrecision) throw new Error(`${decodePrecision} was not taken: ${decode.reason}`);
  return {
    openMs: performance.now() - startedAt,
    openedBytes: (await residentBytes([host.pid!])).get(host.pid!) ?? 0,
    peakBytes: 0,
    tokensPerSecond: {},
    logRatio: { meanSize: 0, largest: 0, tokens: 0 },
  };
}

async function tokensPerSecond(
  precision: Precision,
  prompt: number[],
  rows: number,
  maxNewTokens: number,
  seed: number,
): Promise<number> {
  const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: rows, maxNewTokens, seed };
  const startedAt = performance.now();
  const generated = await hosts.get(precision)!.host.call('generate', { prompts: [prompt], options });
  const tokens = generated.flat().reduce((sum, completion) => sum + completion.tokens.length, 0);
  return (tokens * 1000) / (performance.now() - startedAt);
}

async function logRatio(precision: Precision, prompts: number[][]): Promise<Figures['logRatio']> {
  const { host } = hosts.get(precision)!;
  const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: 4, maxNewTokens: 32, seed: 9 };
  const generated = await host.call('generate', { prompts, options });
  const completions = generated.flatMap((group, p) => group.map((completion) => ({ prompt: prompts[p]!, completion })));
  const rows = completions.map(({ prompt, completion }) => ({
    tokens: [...prompt, ...completion.tokens],
    promptLength: prompt.length,
  }));
  const scored = await host.call('score', { rows, maxTokens: 256 });
  const sizes = completions.flatMap(({ completion }, i) =>
    completion.logprobs.map((logprob, t) => Math.abs(scored[i]![t]! - logprob)),
  );
  const meanSize = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  return { meanSize, largest: Math.max(...sizes), tokens: sizes.length };
}
