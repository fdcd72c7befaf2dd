/**
 * From a task reference and completions to verdicts: what the swarm's admission and the local rollouts both call, so that a
 * stranger's group is scored by the very code that scores our own. Knows nothing of peers.
 */
import type { TaskRef, Verdict } from '../types.ts';
import { extractAnswer } from './extract-answer.ts';
import { getGenerator } from './registry.ts';
import type { TaskInstance } from './task.ts';
import { instantiate } from './task-ref.ts';

export interface VerifyOptions {
  /** Takes a completion without answer tag as the answer itself. */
  bareAnswer?: boolean;
  /** Default 'strict': 1 or 0. 'partial' is the reference library's credit, see `credit/`. */
  scoring?: 'strict' | 'partial';
}

export type VerifiedGroup =
  { ok: true; ref: TaskRef; instance: TaskInstance; verdicts: Verdict[] } | { ok: false; reason: string };

function creditVerdict(reward: number): Verdict {
  return { reward, reason: reward === 1 ? 'correct' : reward === 0 ? 'wrong answer' : 'partly right' };
}

/** Scores an already extracted answer of an instance that `instantiate` made. */
export function verifyAnswer(
  instance: TaskInstance,
  answer: string,
  scoring: VerifyOptions['scoring'] = 'strict',
): Verdict {
  const generator = getGenerator(instance.ref.generator)!;
  if (scoring !== 'partial') return generator.verify(answer, instance);
  const parsed = generator.parseConfig(instance.ref.config);
  if (!parsed.ok) return { reward: 0, reason: parsed.reason };
  return creditVerdict(generator.partialCredit(answer, instance, parsed.config));
}

/** Scores one completion of an instance that `instantiate` made. */
export function verifyCompletion(instance: TaskInstance, completion: string, options: VerifyOptions = {}): Verdict {
  const extracted = extractAnswer(completion, options);
  if (!extracted.ok) return { reward: 0, reason: extracted.reason };
  return verifyAnswer(instance, extracted.answer, options.scoring);
}

/** Regenerates the task of an untrusted reference and scores every completion of it. Never throws on decoded input. */
export function verifyGroup(ref: unknown, completions: readonly string[], options: VerifyOptions = {}): VerifiedGroup {
  const made = instantiate(ref);
  if (!made.ok) return made;
  const { instance } = made;
  const verdicts = completions.map((completion) => verifyCompletion(instance, completion, options));
  return { ok: true, ref: instance.ref, instance, verdicts };
}
