/**
 * llama.cpp's side of compare.py, by node-llama-cpp: answers `decode` lines as ours.ts does. The package is some 700 MB, so it is no dependency:
 * install it into a folder of its own (`npm install --ignore-scripts node-llama-cpp`) and name that folder.
 *
 * decode: `rows` sequences of one context, stepped together, `tokens` tokens each at temperature 1; texts do not end early.
 */
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** The few members used here, version 3.22. */
interface Sequence {
  evaluate(tokens: number[], options: object): AsyncIterable<number>;
  clearHistory(): Promise<void>;
  dispose(): void;
}
interface Context {
  getSequence(): Sequence;
}
interface NodeLlamaCpp {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<{ createContext(options: object): Promise<Context> }>;
    dispose(): Promise<void>;
  }>;
}
interface Work {
  rows: number;
  tokens: number;
  promptTokens: number;
}

const [model, threads = '2', modules] = process.argv.slice(2);
if (model === undefined || modules === undefined)
  throw new Error('Usage: node llama-cpp.ts MODEL.gguf THREADS FOLDER_WITH_NODE_LLAMA_CPP');
const entry = join(resolve(modules), 'node_modules', 'node-llama-cpp', 'dist', 'index.js');
const nodeLlamaCpp = (await import(pathToFileURL(entry).href)) as NodeLlamaCpp;

const llama = await nodeLlamaCpp.getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error' });
const loaded = await llama.loadModel({ modelPath: model, useMmap: true });
let context: Context | null = null;

async function decode({ rows, tokens, promptTokens }: Work): Promise<number> {
  context ??= await loaded.createContext({
    sequences: rows,
    contextSize: promptTokens + tokens + 8,
    threads: Number(threads),
    batchSize: rows * promptTokens,
  });
  const prompt = Array.from({ length: promptTokens }, (_, i) => 300 + ((i * 131) % 20_000));
  const shared = context;
  const sequences = Array.from({ length: rows }, () => shared.getSequence());
  const counts = await Promise.all(
    sequences.map(async (sequence, row) => {
      let count = 0;
      const options = { temperature: 1, topK: 0, topP: 1, seed: row + 1, yieldEogToken: true };
      const steps = sequence.evaluate(prompt, options)[Symbol.asyncIterator]();
      while (count < tokens && (await steps.next()).done !== true) count++;
      await steps.return?.();
      return count;
    }),
  );
  for (const sequence of sequences) {
    await sequence.clearHistory();
    sequence.dispose();
  }
  return counts.reduce((sum, count) => sum + count, 0);
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const work = JSON.parse(line) as Work;
  const start = performance.now();
  const tokens = await decode(work);
  const seconds = (performance.now() - start) / 1000;
  console.log(JSON.stringify({ tokens, seconds, rssBytes: process.resourceUsage().maxRSS * 1024 }));
}
await llama.dispose();
