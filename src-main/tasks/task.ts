/**
 * What a task generator is. One file per generator implements this; `registry.ts` lists them in one table.
 * Knows nothing of policies, prompts, rewards shaping, or the network.
 *
 * Invariant: `generate` is a pure function of (config, seed, index) on every machine; `verify` is pure, never throws,
 * and is bounded in time for any completion text up to the wire limit.
 */
import type { JsonObject, TaskRef, Verdict } from '../types.ts';

export interface TaskInstance {
  ref: TaskRef;
  /** Full wording, plain English, ours. */
  question: string;
  /** Short wording of the same instance for the bundled policy, a handful of tokens. */
  terse: string;
  /** Canonical answer text, as the reference library writes it. */
  answer: string;
  /** Shortest spelling of the answer that `verify` takes; what the bundled policy is taught to write. */
  terseAnswer: string;
  /** The reference library's metadata values (intermediate numbers, difficulty). */
  metadata: JsonObject;
}

/** An instance without its reference. */
export type TaskProblem = Omit<TaskInstance, 'ref'>;

/** A named difficulty: the config overrides that make it. Level 0 is the easiest. */
export interface TaskLevel {
  name: string;
  config: JsonObject;
}

export interface TaskGenerator {
  name: string;
  version: number;
  /** One sentence for people. */
  summary: string;
  levels: readonly TaskLevel[];
  defaults: Readonly<JsonObject>;
  /** Checks an untrusted config (unknown keys, types, ranges); returns it completed with defaults, or why not. */
  parseConfig(config: JsonObject): { ok: true; config: JsonObject } | { ok: false; reason: string };
  /**
   * `config` must come from `parseConfig`. Throws UndefinedInstanceError (undefined-instance.ts) where the reference has no
   * instance; `instantiate` (task-ref.ts) turns that into a reason.
   */
  generate(config: JsonObject, seed: bigint, index: number): TaskProblem;
  /** Strict score of an already extracted answer (1 right, 0 wrong). */
  verify(answer: string, problem: TaskProblem): Verdict;
  /** What the reference library's scorer gives for it, 0 to 1: an option for experiments. `config` as for `generate`. */
  partialCredit(answer: string, problem: TaskProblem, config: JsonObject): number;
}
