/**
 * The partial credit of the reference library (reasoning-gym, Apache-2.0), one rule per kind of answer: what its scorers give for an
 * extracted answer, from 0 to 1. An option only: strict verdicts are the default, since small consolation credits grow to full
 * advantages once a group is standardised. Rules that need more than some lines have files of their own.
 *
 * Invariants: nothing throws, nothing is evaluated, time is linear in the answer. Where the reference's scorer raises, the credit is 0.
 */
import type { JsonObject } from '../../types.ts';
import { WEEKDAYS } from '../generators/calendar-dates.ts';
import type { TaskProblem } from '../task.ts';
import { expOf } from './exp.ts';
import {
  equalDecimals,
  PYTHON_SPACES,
  pythonDecimal,
  pythonInteger,
  pythonLength,
  pythonPrefixedInteger,
  pythonStrip,
  stripWhere,
} from './python-number.ts';

/** `config` is complete, as `parseConfig` returns it. */
export type CreditRule = (answer: string, problem: TaskProblem, config: JsonObject) => number;

/** Where the right answer stands somewhere in what was said: its share of the length. */
function containmentOf(answer: string, right: string): number {
  if (answer === '') return 0;
  if (answer === right) return 1;
  return answer.includes(right) ? pythonLength(right) / pythonLength(answer) : 0;
}

/** The reference's default rule. */
export const containmentCredit: CreditRule = (answer, problem) => containmentOf(answer, problem.answer);

/** Equal as decimals without thousands commas, else containment. */
export const decimalCredit: CreditRule = (answer, problem) => {
  const said = answer.replaceAll(',', '');
  const [value, right] = [pythonDecimal(said), pythonDecimal(problem.answer)];
  if (value !== null && right !== null && equalDecimals(value, right)) return 1;
  // An answer of commas only has become empty: nothing is in it.
  return said.includes(problem.answer) ? pythonLength(problem.answer) / pythonLength(said) : 0;
};

export const equalDecimalCredit: CreditRule = (answer, problem) => {
  const [value, right] = [pythonDecimal(answer), pythonDecimal(problem.answer)];
  return value !== null && right !== null && equalDecimals(value, right) ? 1 : 0;
};

export const prefixedIntegerCredit: CreditRule = (answer, problem) => {
  const value = pythonPrefixedInteger(answer);
  return value !== null && value === pythonPrefixedInteger(problem.answer) ? 1 : 0;
};

const FRACTION = new RegExp(
  `^\\\\d?frac[${PYTHON_SPACES}]*\\{[${PYTHON_SPACES}]*(\\p{Nd}+)[${PYTHON_SPACES}]*\\}` +
    `[${PYTHON_SPACES}]*\\{[${PYTHON_SPACES}]*(\\p{Nd}+)[${PYTHON_SPACES}]*\\}`,
  'iu',
);

function readFraction(answer: string): [bigint, bigint] | null {
  const bare = pythonStrip(stripWhere(pythonStrip(answer), (code) => code === 0x24));
  const latex = FRACTION.exec(bare);
  const slash = bare.indexOf('/');
  if (latex === null && slash < 0) return null;
  const top = pythonInteger(latex?.[1] ?? pythonStrip(bare.slice(0, slash)));
  const bottom = pythonInteger(latex?.[2] ?? pythonStrip(bare.slice(slash + 1)));
  return top === null || bottom === null ? null : [top, bottom];
}

/** A tenth where numerator or denominator were left as they were; something for any fraction, and for anything at all. */
export const fractionCredit: CreditRule = (answer, { metadata }) => {
  const fraction = readFraction(answer);
  if (fraction === null) return 0.01;
  const is = (i: 0 | 1, field: string): boolean => fraction[i] === BigInt(metadata[field] as number);
  if (is(0, 'simplified_numerator') && is(1, 'simplified_denominator')) return 1;
  return is(0, 'numerator') || is(1, 'denominator') ? 0.1 : 0.05;
};

/** Half for factors that multiply to the number but are not all prime. */
export const factorsCredit: CreditRule = (answer, { metadata }) => {
  const parts = answer.split('×').filter((part) => pythonStrip(part) !== '');
  const said: bigint[] = [];
  for (const part of parts) {
    const factor = pythonInteger(pythonStrip(part));
    if (factor === null) return 0;
    said.push(factor);
  }
  const right = (metadata.factors as number[]).map(BigInt);
  const sorted = said.length === right.length ? said.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)) : [];
  if (sorted.length > 0 && right.every((factor, i) => factor === sorted[i])) return 1;
  if (said.includes(0n)) return 0.01;
  // Beyond the number itself the product can only grow in size.
  const number = BigInt(metadata.number as number);
  let product = 1n;
  for (const factor of said) {
    product *= factor;
    if (product > number || -product > number) return 0.01;
  }
  return product === number ? 0.5 : 0.01;
};

/** Letters at their places; a right beginning with something after it loses a fifth. */
export const lettersCredit: CreditRule = (answer, problem) => {
  const right = Array.from(problem.answer.toLowerCase());
  const lower = answer.toLowerCase();
  if (lower === problem.answer.toLowerCase()) return 1;
  const said = Array.from(lower.slice(0, 2 * right.length));
  let credit = 0;
  for (const [i, letter] of right.entries()) if (said[i] === letter) credit += 1 / right.length;
  return credit === 1 ? credit - 0.2 : credit;
};

/** Some for any weekday, a little for one in odd capitals; counts by their relative error. */
export const calendarCredit: CreditRule = (answer, problem) => {
  const said = pythonStrip(answer);
  switch (problem.metadata.task) {
    case 'is_leap_year':
      return said.toLowerCase() === problem.answer.toLowerCase() ? 1 : 0;
    case 'count_days':
    case 'count_business_days':
    case 'recurring_event_day':
      return countCredit(pythonInteger(said), Number(problem.answer));
    default: {
      if (said === problem.answer) return 1;
      if (said.length > 16) return 0;
      const names: readonly string[] = WEEKDAYS;
      if (names.includes(said)) return 0.1;
      const titled = said.slice(0, 1).toUpperCase() + said.slice(1).toLowerCase();
      return names.includes(titled) ? 0.05 : 0;
    }
  }
};

function countCredit(said: bigint | null, right: number): number {
  if (said === null) return 0;
  if (right === 0) return said === 0n ? 1 : 0;
  const difference = said - BigInt(right);
  const error = Number(difference < 0n ? -difference : difference) / right;
  return Number.isFinite(error) ? expOf(-5 * error) : 0;
}
