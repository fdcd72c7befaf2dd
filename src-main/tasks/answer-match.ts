/**
 * Strict comparison of an extracted answer with the expected one. Knows nothing of generators.
 *
 * Invariants: nothing throws; texts longer than `maxAnswerChars` are refused before any parse, so time is bounded on hostile
 * answers; no reason repeats what was answered. Only ASCII digits count as digits.
 */
import type { Verdict } from '../types.ts';

const CORRECT: Verdict = { reward: 1, reason: 'correct' };
const WRONG: Verdict = { reward: 0, reason: 'wrong answer' };
const TOO_LONG: Verdict = { reward: 0, reason: 'answer too long' };
const EMPTY: Verdict = { reward: 0, reason: 'empty answer' };

export function wrongForm(expected: string): Verdict {
  return { reward: 0, reason: `not ${expected}` };
}

/** Longest answer worth reading when `expected` is right: room for spelling variants, no room for floods. */
export function maxAnswerChars(expected: string): number {
  return 4 * expected.length + 256;
}

/** Trims and bounds the answer, then asks `judge`: true, false, or the form it should have had. */
export function judgeAnswer(answer: string, expected: string, judge: (trimmed: string) => boolean | string): Verdict {
  if (answer.length > maxAnswerChars(expected)) return TOO_LONG;
  const trimmed = answer.trim();
  if (trimmed === '') return EMPTY;
  const judged = judge(trimmed);
  if (typeof judged === 'string') return wrongForm(judged);
  return judged ? CORRECT : WRONG;
}

export function matchText(answer: string, expected: string): Verdict {
  return judgeAnswer(answer, expected, (trimmed) => trimmed === expected);
}

/** The integer as canonical text ("+007" gives "7", "-0" gives "0"), or null. */
export function integerText(text: string): string | null {
  const match = /^([+-]?)([0-9]+)$/.exec(text);
  if (match === null) return null;
  const digits = match[2]!.replace(/^0+/, '') || '0';
  return match[1] === '-' && digits !== '0' ? `-${digits}` : digits;
}

/** The decimal as canonical text (sign, leading and trailing zeros and thousands commas normalised), or null. */
export function plainDecimal(text: string): string | null {
  const match = /^([+-]?)([0-9,]*)(?:\.([0-9]*))?$/.exec(text);
  if (match === null) return null;
  const whole = match[2]!.replaceAll(',', '');
  const fraction = match[3] ?? '';
  if (whole + fraction === '') return null;
  const shortWhole = whole.replace(/^0+/, '') || '0';
  let end = fraction.length;
  while (end > 0 && fraction[end - 1] === '0') end--;
  const shortened = end > 0 ? `${shortWhole}.${fraction.slice(0, end)}` : shortWhole;
  return match[1] === '-' && shortened !== '0' ? `-${shortened}` : shortened;
}

export function matchInteger(answer: string, expected: string): Verdict {
  return judgeAnswer(answer, expected, (trimmed) => {
    const value = integerText(trimmed);
    return value === null ? 'an integer' : value === expected;
  });
}

/** Numeric equality; `expected` may be in any form `plainDecimal` reads. */
export function matchDecimal(answer: string, expected: string): Verdict {
  return judgeAnswer(answer, expected, (trimmed) => {
    const value = plainDecimal(trimmed);
    return value === null ? 'a number' : value === plainDecimal(expected);
  });
}
