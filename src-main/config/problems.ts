/**
 * What can be wrong with a configuration, as data and as one error that lists every problem at once.
 * Invariant: the value of a secret field never gets into a message.
 */
import { WaggleError, toJson } from '../base/errors.ts';

export type ConfigProblemKind =
  'unreadableFile' | 'notJson' | 'unknownField' | 'wrongType' | 'outOfRange' | 'badValue' | 'conflict';

export interface ConfigProblem {
  kind: ConfigProblemKind;
  /** `--rounds`, `WAGGLE_ROUNDS`, or the path of the config file. */
  from: string;
  /** Name of the field; empty where the whole file is at fault. */
  field: string;
  /** The offending value as JSON text, shortened; null where there is none or it is secret. */
  value: string | null;
  message: string;
  fix: string;
}

export class ConfigError extends WaggleError {
  readonly problems: readonly ConfigProblem[];
  readonly file: string | null;

  constructor(problems: readonly ConfigProblem[], file: string | null) {
    const lines = problems.map((problem) => `${problem.from}: ${problem.message}`);
    super({
      code: 'configInvalid',
      message:
        lines.length === 1
          ? `The configuration is invalid: ${lines[0]!}`
          : `The configuration has ${lines.length} problems:\n  ${lines.join('\n  ')}`,
      fix: [...new Set(problems.map((problem) => problem.fix))].join(' '),
      values: { file, problems: problems.map((problem) => ({ ...problem })) },
    });
    this.problems = problems;
    this.file = file;
  }
}

/** JSON text of a value for a message: one line, at most 80 characters, control characters escaped by JSON. */
export function showValue(value: unknown): string {
  let shown: string;
  try {
    shown = toJson(value) ?? String(value);
  } catch {
    shown = typeof value;
  }
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}

/** The candidate nearest to what was typed, if it is near enough to be a slip. */
export function nearest(typed: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.min(3, Math.floor(typed.length / 2)) + 1;
  if (typed.length > 64) return null;
  for (const candidate of candidates) {
    const distance = editDistance(typed.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const change = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
