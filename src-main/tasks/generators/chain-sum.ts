/** Sums and differences of a few integers. Reference: reasoning-gym `chain_sum` (Apache-2.0). */
import { matchDecimal } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { decimalCredit } from '../credit/credit-rules.ts';
import { defineGenerator } from '../define-generator.ts';
import { drawTerms } from './integer-terms.ts';

export const chainSum = defineGenerator({
  name: 'chain_sum',
  version: 1,
  summary: 'Adds and subtracts a few integers from left to right.',
  fields: {
    min_terms: { kind: 'integer', default: 2, min: 1, max: 50 },
    max_terms: { kind: 'integer', default: 6, min: 1, max: 50 },
    min_digits: { kind: 'integer', default: 1, min: 1, max: 15 },
    max_digits: { kind: 'integer', default: 4, min: 1, max: 15 },
    allow_negation: { kind: 'boolean', default: false },
  },
  rules: [ordered('min_terms', 'max_terms'), ordered('min_digits', 'max_digits')],
  levels: [
    { name: 'starter', config: { max_terms: 3, max_digits: 2 } },
    { name: 'easy', config: { max_terms: 4, max_digits: 3 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_terms: 4, max_terms: 10, min_digits: 3, max_digits: 6 } },
    { name: 'harder', config: { min_terms: 6, max_terms: 12, min_digits: 4, max_digits: 10, allow_negation: true } },
  ],
  draw(random, config) {
    const { terms, termCount, digitCount, difficulty } = drawTerms(random, config, (digits) =>
      config.allow_negation ? 1 - 10 ** digits : digits === 1 ? 0 : 10 ** (digits - 1),
    );
    const signs = terms.slice(1).map(() => random.choice('+-'));
    let total = BigInt(terms[0]!);
    let expression = String(terms[0]!);
    signs.forEach((sign, i) => {
      const term = terms[i + 1]!;
      total += sign === '+' ? BigInt(term) : -BigInt(term);
      expression += ` ${sign} ${term}`;
    });
    return {
      question: [
        `Work out ${expression} and give the result as a plain integer.`,
        `What integer is ${expression}?`,
        `Add and subtract from left to right: ${expression}. What comes out?`,
      ],
      terse: `sum ${expression}`,
      answer: String(total),
      metadata: { num_terms: termCount, num_digits: digitCount, expression, difficulty },
    };
  },
  verify: (answer, problem) => matchDecimal(answer, problem.answer),
  partialCredit: decimalCredit,
});
