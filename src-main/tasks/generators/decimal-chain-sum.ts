/** Sums and differences of decimals. Reference: reasoning-gym `decimal_chain_sum` (Apache-2.0). Exact: coefficients are bigints. */
import { matchDecimal } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { equalDecimalCredit } from '../credit/credit-rules.ts';
import { defineGenerator } from '../define-generator.ts';
import { decimalText, fixedText } from '../python-text.ts';
import { drawTerms } from './integer-terms.ts';

export const decimalChainSum = defineGenerator({
  name: 'decimal_chain_sum',
  version: 1,
  summary: 'Adds and subtracts a few decimal numbers from left to right.',
  fields: {
    min_terms: { kind: 'integer', default: 2, min: 1, max: 50 },
    max_terms: { kind: 'integer', default: 6, min: 1, max: 50 },
    // Digits and places together stay within the 28 digits of Python's decimal context, so nothing is ever rounded.
    min_digits: { kind: 'integer', default: 1, min: 1, max: 12 },
    max_digits: { kind: 'integer', default: 4, min: 1, max: 12 },
    min_decimal_places: { kind: 'integer', default: 1, min: 0, max: 12 },
    max_decimal_places: { kind: 'integer', default: 4, min: 0, max: 12 },
    allow_negation: { kind: 'boolean', default: false },
  },
  rules: [
    ordered('min_terms', 'max_terms'),
    ordered('min_digits', 'max_digits'),
    ordered('min_decimal_places', 'max_decimal_places'),
  ],
  levels: [
    { name: 'starter', config: { max_terms: 2, max_digits: 1, max_decimal_places: 1 } },
    { name: 'easy', config: { max_terms: 3, max_digits: 2, max_decimal_places: 2 } },
    { name: 'reference', config: {} },
    {
      name: 'hard',
      config: { min_terms: 4, max_terms: 10, max_digits: 8, max_decimal_places: 6, allow_negation: true },
    },
  ],
  draw(random, config) {
    const { terms, termCount, digitCount, difficulty } = drawTerms(random, config, (digits) =>
      config.allow_negation ? 1 - 10 ** digits : digits === 1 ? 0 : 10 ** (digits - 1),
    );
    const places = terms.map(() => random.randint(config.min_decimal_places, config.max_decimal_places));
    // The drawn fraction is added to the integer part even where that is negative: -5 with .3 is -4.7.
    const coefficients = terms.map((term, i) => {
      const scale = 10 ** places[i]!;
      return BigInt(term) * BigInt(scale) + BigInt(random.randint(scale === 1 ? 0 : scale / 10, scale - 1));
    });
    const signs = terms.slice(1).map(() => random.choice('+-'));
    const mostPlaces = Math.max(...places);
    let total = 0n;
    let expression = '';
    coefficients.forEach((coefficient, i) => {
      const sign = i === 0 ? '+' : signs[i - 1]!;
      const scaled = coefficient * 10n ** BigInt(mostPlaces - places[i]!);
      total += sign === '+' ? scaled : -scaled;
      expression += (i === 0 ? '' : ` ${sign} `) + fixedText(coefficient, places[i]!);
    });
    return {
      question: [
        `Work out ${expression} exactly and give the result as a decimal number.`,
        `What is the exact value of ${expression}, as a decimal number?`,
        `Add and subtract from left to right, without rounding: ${expression}. Which decimal number comes out?`,
      ],
      terse: `sum ${expression}`,
      answer: decimalText(total, mostPlaces),
      terseAnswer: fixedText(total, mostPlaces),
      metadata: {
        num_terms: termCount,
        num_digits: digitCount,
        expression,
        difficulty: { ...difficulty, decimal_places: [config.min_decimal_places, config.max_decimal_places] },
      },
    };
  },
  verify: (answer, problem) => matchDecimal(answer, problem.terseAnswer),
  partialCredit: equalDecimalCredit,
});
