/**
 * Notices that a process has been silent for too long while it owes an answer. Counts only time in which this process ran
 * itself: a machine that slept, or a node that was stopped, makes nothing late. Knows nothing of processes; how long is too
 * long is asked at every tick.
 */
import type { ComputeCallName, ComputeCalls } from './compute-protocol.ts';

export interface WatchdogOptions {
  /** Longest silence that is fine now; null while nothing is owed. */
  limitMs: () => number | null;
  onSilent: (silentMs: number) => void;
  tickMs?: number;
}

const TICK_MS = 1000;

export class Watchdog {
  private readonly options: WatchdogOptions;
  private readonly timer: NodeJS.Timeout;
  private readonly tickMs: number;
  private lastTickAt = performance.now();
  private silentMs = 0;

  constructor(options: WatchdogOptions) {
    this.options = options;
    this.tickMs = options.tickMs ?? TICK_MS;
    this.timer = setInterval(() => this.tick(), this.tickMs);
    this.timer.unref();
  }

  /** A sign of life, or the first thing owed after nothing was. */
  heard(): void {
    this.silentMs = 0;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const now = performance.now();
    const passed = Math.min(now - this.lastTickAt, 2 * this.tickMs);
    this.lastTickAt = now;
    const limit = this.options.limitMs();
    if (limit === null) this.silentMs = 0;
    else this.silentMs += passed;
    if (limit === null || this.silentMs <= limit) return;
    this.close();
    this.options.onSilent(this.silentMs);
  }
}

/** What may take no longer than this on any machine, shaders compiled and a slow disk awake. */
export const SILENCE_BASE_MS = 120_000;
/** Reading weights comes on top: several GB from a slow disk. */
const OPEN_MS = 600_000;
/** A processor of ten years ago under load. */
const SLOWEST_FLOPS_PER_MS = 4e6;
const SLOWEST_DISK_BYTES_PER_MS = 5e3;
/** An AdamW step reads and writes four numbers a parameter. */
const SLOWEST_UPDATES_PER_MS = 5e3;
/** Of a parameter: a forward pass, and one with its gradient. */
const [FORWARD_FLOPS, GRADIENT_FLOPS] = [2, 6];
const CHECKPOINT_BYTES = 12;
/** Of BRIDGE's step, in updates: a rank of 16 is worked in and out some five times. */
const BRIDGE_WORK = 30;

type Work = { [K in ComputeCallName]?: (args: ComputeCalls[K]['args'], parameters: number) => number };

const longest = (rows: readonly { tokens: readonly number[] }[]): number =>
  rows.reduce((most, { tokens }) => Math.max(most, tokens.length), 0);

/** Of calls that have no row of their own: a gradient of so many tokens. */
const OTHER_TOKENS = 4096;

/** Milliseconds beyond the base between two signs of life: one run of a session, or one file. */
const work: Work = {
  open: () => OPEN_MS,
  defineObjective: (_, parameters) => parameters / SLOWEST_UPDATES_PER_MS,
  // One row may be longer than a micro-batch is meant to be.
  generate: ({ prompts }, parameters) =>
    (FORWARD_FLOPS * parameters * prompts.reduce((sum, prompt) => sum + prompt.length, 0)) / SLOWEST_FLOPS_PER_MS,
  // The reference's weights are read at its first use.
  score: ({ rows, maxTokens, under }, parameters) =>
    (under === 'reference' ? OPEN_MS : 0) +
    (FORWARD_FLOPS * parameters * Math.max(maxTokens, longest(rows))) / SLOWEST_FLOPS_PER_MS,
  accumulate: ({ rows, maxTokens }, parameters) =>
    (GRADIENT_FLOPS * parameters * Math.max(maxTokens, longest(rows))) / SLOWEST_FLOPS_PER_MS,
  // Beside the passes: three updates, and the second adapter worked into all weights and out of their gradient, in this language.
  bridgeStep: ({ demonstrations, rollouts, maxTokens }, parameters) =>
    (GRADIENT_FLOPS *
      parameters *
      Math.max(maxTokens, longest(demonstrations), ...rollouts.map(({ rows }) => longest(rows)))) /
      SLOWEST_FLOPS_PER_MS +
    (BRIDGE_WORK * parameters) / SLOWEST_UPDATES_PER_MS,
  update: (_, parameters) => parameters / SLOWEST_UPDATES_PER_MS,
  dropGradient: () => 0,
  save: (_, parameters) => (CHECKPOINT_BYTES * parameters) / SLOWEST_DISK_BYTES_PER_MS,
  exportPolicy: (_, parameters) => (CHECKPOINT_BYTES * parameters) / SLOWEST_DISK_BYTES_PER_MS,
};

/** How long the process may say nothing while it works on a call. `parameters`: of the opened policy, 0 before. */
export function silenceLimitMs<K extends ComputeCallName>(
  call: K,
  args: ComputeCalls[K]['args'],
  parameters: number,
  baseMs: number = SILENCE_BASE_MS,
): number {
  const more = work[call]?.(args, parameters) ?? (GRADIENT_FLOPS * parameters * OTHER_TOKENS) / SLOWEST_FLOPS_PER_MS;
  return baseMs + (baseMs / SILENCE_BASE_MS) * more;
}
