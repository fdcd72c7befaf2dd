/**
 * Sorting a list of numbers. Reference: reasoning-gym `number_sorting` (Apache-2.0).
 * Stricter than the reference's scorer, which lets every number be off by one: here each must be equal.
 */
import { judgeAnswer } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { sortingCredit } from '../credit/list-credit.ts';
import { defineGenerator } from '../define-generator.ts';
import { floatText, numpyRound } from '../python-text.ts';

/** Numbers of a list written `['1', '2']`, `[1, 2]`, `1, 2` or `1 2`; null for anything else. */
function parseNumberList(text: string): number[] | null {
  const bracketed = text.startsWith('[') && text.endsWith(']');
  const inner = (bracketed ? text.slice(1, -1) : text).trim();
  const items = bracketed || inner.includes(',') ? inner.split(',') : inner.split(/\s+/);
  const numbers: number[] = [];
  for (const item of items) {
    const match = /^(['"]?)([+-]?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?)\1$/.exec(item.trim());
    if (match === null) return null;
    numbers.push(Number(match[2]));
  }
  return numbers;
}

/** "31.0" as "31". */
function shortNumber(text: string): string {
  return text.replace(/\.0$/, '');
}

export const numberSorting = defineGenerator({
  name: 'number_sorting',
  version: 1,
  summary: 'Puts a list of numbers in rising or falling order.',
  fields: {
    min_numbers: { kind: 'integer', default: 3, min: 1, max: 1000 },
    max_numbers: { kind: 'integer', default: 10, min: 1, max: 1000 },
    min_decimals: { kind: 'integer', default: 0, min: 0, max: 8 },
    max_decimals: { kind: 'integer', default: 2, min: 0, max: 8 },
    min_value: { kind: 'number', default: -100, min: -1e9, max: 1e9 },
    max_value: { kind: 'number', default: 100, min: -1e9, max: 1e9 },
  },
  rules: [
    ordered('min_numbers', 'max_numbers'),
    ordered('min_decimals', 'max_decimals'),
    ordered('min_value', 'max_value', true),
  ],
  levels: [
    { name: 'starter', config: { max_numbers: 5, max_decimals: 0, min_value: 0, max_value: 99 } },
    { name: 'easy', config: { min_numbers: 4, max_numbers: 8, max_decimals: 0 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_numbers: 10, max_numbers: 30, min_value: -1000, max_value: 1000 } },
    { name: 'harder', config: { min_numbers: 30, max_numbers: 100, min_value: -10_000, max_value: 10_000 } },
  ],
  draw(random, config) {
    const count = random.randint(config.min_numbers, config.max_numbers);
    const numbers = Array.from({ length: count }, () => {
      const value = random.uniform(config.min_value, config.max_value);
      return numpyRound(value, random.randint(config.min_decimals, config.max_decimals));
    });
    const rising = random.choice([true, false]);
    const texts = numbers.map(floatText);
    const sorted = [...numbers].sort((a, b) => (rising ? a - b : b - a)).map(floatText);
    const direction = rising ? 'ascending' : 'descending';
    return {
      question: [
        `Put the numbers ${texts.join(', ')} in ${direction} order. ` +
          `Write them as a list of quoted numbers in square brackets, such as ['-4', '0.5', '12'].`,
        `Sort these numbers, the ${rising ? 'smallest' : 'largest'} first: ${texts.join(', ')}. Answer with a list in square brackets, each number in quotes, as in ['-4', '0.5', '12'].`,
        `Bring ${texts.join(', ')} into ${direction} order. The answer is a list like ['-4', '0.5', '12'], quotes and brackets included.`,
      ],
      terse: `sort ${texts.map(shortNumber).join(' ')} ${rising ? 'asc' : 'desc'}`,
      answer: `[${sorted.map((text) => `'${text}'`).join(', ')}]`,
      terseAnswer: sorted.map(shortNumber).join(' '),
      metadata: {
        original_numbers: texts,
        direction,
        sorted_numbers: sorted,
        numbers: count,
        difficulty: {
          numbers: [config.min_numbers, config.max_numbers],
          decimals: [config.min_decimals, config.max_decimals],
          value: [config.min_value, config.max_value],
        },
      },
    };
  },
  verify(answer, problem) {
    const expected = (problem.metadata.sorted_numbers as string[]).map(Number);
    return judgeAnswer(answer, problem.answer, (trimmed) => {
      const numbers = parseNumberList(trimmed);
      if (numbers === null) return 'a list of numbers';
      return numbers.length === expected.length && numbers.every((number, i) => number === expected[i]);
    });
  },
  partialCredit: sortingCredit,
});
