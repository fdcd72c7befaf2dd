/**
 * What a policy needs in the compute process on the CPU, from its config alone, before anything is loaded; and the largest
 * micro-batch with which it fits. Weights, optimiser and cache are counted; what a pass of a graph holds is walked through
 * (graph-memory.ts); the rest, the constants below, is measured (test/bench/memory-bench.ts compares with real
 * processes). Knows nothing of how much memory there is.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import { adapterSlots, type AdapterConfig } from '../policy/adapter.ts';
import { decodeGraph, gradientGraph, scoreGraph, type TokenLossFunction } from '../policy/graphs.ts';
import { compressedBytes } from '../policy/compressed-weights.ts';
import { parameterCount, parameterSlots } from '../policy/parameters.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';
import { secondAdapter, stackedConfig } from '../policy/stacked-adapter.ts';
import { paddedLength, PassCost } from './batch.ts';
import { rowsThatFit } from './generate.ts';
import { graphPeakBytes, type Dimensions } from './graph-memory.ts';
import type { DecodePrecision } from './policy-runtime.ts';

/** The work of a round. */
export interface WorkShape {
  prompts: number;
  /** Completions of each prompt (G). */
  groupSize: number;
  promptTokens: number;
  completionTokens: number;
  /** Most tokens of one training pass, as `PassCost` counts them. */
  microBatchTokens: number;
  /** Layers are computed again for their gradient. */
  recompute?: boolean;
  /** Most rows that are decoded at once; left out, as many as generate.ts takes. */
  decodedRows?: number;
}
export interface MemoryQuestion {
  config: PolicyConfig;
  /** Null: all weights are trained. */
  adapter: AdapterConfig | null;
  work: WorkShape;
  /** Objectives in use: each has a session whose memory stays with it. */
  objectives: number;
  /** Rows are also scored under the policy or a reference. */
  scoring: boolean;
  /** A second copy of the weights to score with; an adapter needs none. */
  reference: boolean;
  /** What answers are sampled in; left out, f32. */
  decode?: DecodePrecision;
  /**
   * card: what a graphics card holds, without process and tokenizer. The same parts are counted as in main memory; how much more a driver
   * takes is not known. Left out: the compute process on the CPU.
   */
  place?: 'process' | 'card';
  /** Where BRIDGE trains it: rank of the second adapter. Its twin costs all that is trained, with its optimiser, once more. */
  bridge?: { rank: number } | null;
}
/** Bytes; their sum is what the process has resident at most. */
export interface MemoryParts {
  /** Node, ONNX Runtime, its sessions, and what waits to be collected. */
  process: number;
  tokenizer: number;
  weights: number;
  /** Adam's two moments of what is trained. */
  optimiser: number;
  /** The sum, one micro-batch's, and its copy. */
  gradients: number;
  /** Keys and values of the prompts and of the rows that are decoded at once. */
  cache: number;
  /** What the sessions' passes hold: decoding, training, scoring. */
  activations: number;
}
export interface MemoryEstimate {
  parts: MemoryParts;
  totalBytes: number;
}

/** Node and ONNX Runtime with nothing loaded; and a session with its model and the small things of its passes. */
const PROCESS_BYTES = 110e6;
const SESSION_BYTES = 10e6;
/** Vocabulary and merges as JavaScript objects. */
const TOKENIZER_BYTES_PER_TOKEN = 600;
/** Passes of different lengths leave gaps in a session's memory, which it keeps; where layers are recomputed, as much again. */
const ARENA_WASTE = { kept: 1.06, recomputed: 2 };
/** onnxruntime-node returns a copy of every output; the small ones live until V8 collects them. */
const UNCOLLECTED_BYTES = 8e6;
/** The sum, one micro-batch's, and its copy. */
const GRADIENTS_ALIVE = 3;
/** The session's own form of compressed weights, and what is left of the form they came in. */
const COMPRESSED_COPIES = 2;
const CACHE_STEP = 16;

/** Within 15 % of the measured peak for the shapes of the bench; of a card's memory nothing was measured. */
export function estimateMemory(question: MemoryQuestion): MemoryEstimate {
  const { config, adapter, work, objectives, scoring, reference, decode = 'f32' } = question;
  const total = parameterCount(parameterSlots(config));
  const bridge = question.bridge ? bridgeCounts(config, adapter, question.bridge.rank) : null;
  const computed = bridge ? bridge.computed : adapter;
  const trained = computed ? parameterCount(adapterSlots(config, computed)) : total;
  const onCard = question.place === 'card';
  const rows = decodedRows(config, work);
  const perPosition = config.layers * 2 * config.kvHeads * config.headDim * 4;
  const { gradient, score } = graphsOf(config, computed, work.recompute ?? false);
  const dimensions = trainingDimensions(config, work, true);
  // Demonstrations, which one of the objectives is for, have a prompt each.
  const imitating = bridge ? graphPeakBytes(gradient(), trainingDimensions(config, work, false)) : 0;
  const training = (objectives - (bridge ? 1 : 0)) * graphPeakBytes(gradient(), dimensions) + imitating;
  const scored = scoring ? graphPeakBytes(score(), dimensions) : 0;
  const waste = work.recompute ? ARENA_WASTE.recomputed : ARENA_WASTE.kept;
  const parts: MemoryParts = {
    process: onCard ? 0 : PROCESS_BYTES + UNCOLLECTED_BYTES + SESSION_BYTES * (1 + objectives + (scoring ? 1 : 0)),
    tokenizer: onCard ? 0 : config.vocabularySize * TOKENIZER_BYTES_PER_TOKEN,
    weights:
      4 * (total + (adapter ? trained : 0) + (reference && !adapter ? total : 0) + (bridge?.weights ?? 0)) +
      (decode === 'f32' ? 0 : COMPRESSED_COPIES * compressedBytes(config, decode)),
    optimiser: 8 * (bridge?.moments ?? trained),
    gradients: 4 * GRADIENTS_ALIVE * trained + 4 * (bridge?.gradients ?? 0),
    cache: (rows + work.prompts) * capacity(work) * perPosition,
    activations: Math.round(waste * (decodingBytes(config, computed, work) + training + scored)),
  };
  const bytes = Object.values(parts as Readonly<Record<keyof MemoryParts, number>>);
  return { parts, totalBytes: bytes.reduce((sum, part) => sum + part, 0) };
}

/** Fitting asks for the same graphs again and again; they go when the config goes. */
const knownGraphs = new WeakMap<PolicyConfig, Map<string, GraphBuilder>>();

function graphsOf(config: PolicyConfig, adapter: AdapterConfig | null, recompute: boolean) {
  const known = knownGraphs.get(config) ?? new Map<string, GraphBuilder>();
  knownGraphs.set(config, known);
  const once = (kind: string, make: () => GraphBuilder) => (): GraphBuilder => {
    const key = JSON.stringify([kind, adapter]);
    const graph = known.get(key) ?? make();
    known.set(key, graph);
    return graph;
  };
  return {
    gradient: once(`gradient ${recompute}`, () => gradientGraph(config, anyLoss, adapter, { recompute })),
    score: once('score', () => scoreGraph(config, adapter)),
    decode: once('decode', () => decodeGraph(config, { adapter })),
  };
}

/** What BRIDGE keeps (bridge-policy.ts), in numbers: theta and its twin apart from what computes, w, their optimisers. */
function bridgeCounts(config: PolicyConfig, first: AdapterConfig | null, rank: number) {
  const second = secondAdapter(rank, first);
  const computed = first && stackedConfig(first, second);
  const theta = parameterCount(first ? adapterSlots(config, first) : parameterSlots(config));
  const w = parameterCount(adapterSlots(config, second));
  return {
    /** The adapter of the graphs. */
    computed,
    weights: 2 * theta + w,
    moments: 2 * theta + w,
    // theta's while its twin's is computed, and w's two halves.
    gradients: (computed ? 3 * theta + w : theta) + 2 * w,
  };
}

/** What any objective's loss costs: its own values are [B,T], next to nothing beside the policy's. */
const anyLoss: TokenLossFunction = (b, { logprobs, completionMask, advantages, rowWeights }) => {
  const rowLoss = b.reduceSum(b.mul(logprobs, completionMask), [1]);
  return { loss: b.reduceSum(b.mul(b.mul(rowLoss, advantages), rowWeights)), metrics: {} };
};

function capacity({ promptTokens, completionTokens }: WorkShape): number {
  return Math.ceil((promptTokens + completionTokens) / CACHE_STEP) * CACHE_STEP;
}

/** Rows in the cache at once; the others wait for a place. */
export function decodedRows(config: PolicyConfig, work: WorkShape): number {
  return Math.min(work.prompts * work.groupSize, work.decodedRows ?? rowsThatFit(config, capacity(work)));
}

/**
 * One micro-batch of rows that are all as long as can be. Rows of a group share its prompt; where a micro-batch does not hold whole
 * groups, it may begin within one and end within another.
 */
function trainingDimensions(config: PolicyConfig, work: WorkShape, sharedPrompts: boolean): Dimensions {
  const { promptTokens, completionTokens, prompts, groupSize } = work;
  const length = paddedLength(promptTokens + completionTokens);
  const rows = rowsOfPass(work, sharedPrompts);
  const groups = sharedPrompts ? Math.ceil(rows / groupSize) + (rows % groupSize === 0 ? 0 : 1) : rows;
  const computed = Math.min(rows, prompts, groups);
  const copied = rows > computed ? promptTokens - 1 : 0;
  return {
    B: rows,
    T: length,
    GT: (config.heads / config.kvHeads) * length,
    P: length,
    rows: rows * length,
    N: rows * (promptTokens + completionTokens - 1) - (rows - computed) * copied,
    M: rows * completionTokens,
    S: Math.max(1, computed * copied),
    C: Math.max(1, Math.min(groupSize, rows) - 1),
  };
}

/** As bucketRows makes them, of the longest rows. */
function rowsOfPass({ promptTokens, completionTokens, ...work }: WorkShape, sharedPrompts: boolean): number {
  const row = { tokens: { length: promptTokens + completionTokens }, promptLength: promptTokens };
  const cost = new PassCost().add(row, false);
  let rows = 1;
  while (rows < work.prompts * work.groupSize) {
    if (cost.add(row, sharedPrompts && rows % work.groupSize !== 0).tokens > work.microBatchTokens) break;
    rows++;
  }
  return rows;
}

/** The larger of prefilling all prompts and a step of all rows; logits come back as arrays that live on for a while. */
function decodingBytes(config: PolicyConfig, adapter: AdapterConfig | null, work: WorkShape): number {
  const graph = graphsOf(config, adapter, false).decode();
  const C = capacity(work);
  const rows = decodedRows(config, work);
  const prefill = graphPeakBytes(graph, { B: work.prompts, S: work.promptTokens, C, P: C });
  const step = graphPeakBytes(graph, { B: rows, S: 1, C, P: C });
  return Math.max(prefill, step) + 2 * rows * config.vocabularySize * 4;
}
