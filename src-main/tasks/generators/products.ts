/** Products of a few integers. Reference: reasoning-gym `products` (Apache-2.0). */
import { matchDecimal } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { decimalCredit } from '../credit/credit-rules.ts';
import { defineGenerator } from '../define-generator.ts';
import { drawTerms } from './integer-terms.ts';

export const products = defineGenerator({
  name: 'products',
  version: 1,
  summary: 'Multiplies a few integers.',
  fields: {
    min_terms: { kind: 'integer', default: 2, min: 1, max: 20 },
    max_terms: { kind: 'integer', default: 2, min: 1, max: 20 },
    min_digits: { kind: 'integer', default: 1, min: 1, max: 15 },
    max_digits: { kind: 'integer', default: 5, min: 1, max: 15 },
    allow_negation: { kind: 'boolean', default: false },
  },
  rules: [ordered('min_terms', 'max_terms'), ordered('min_digits', 'max_digits')],
  levels: [
    { name: 'starter', config: { max_digits: 2 } },
    { name: 'easy', config: { max_digits: 3 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { max_terms: 3, min_digits: 2 } },
    { name: 'harder', config: { max_terms: 4, min_digits: 3, max_digits: 8, allow_negation: true } },
  ],
  draw(random, config) {
    const { terms, termCount, digitCount, difficulty } = drawTerms(random, config, (digits) =>
      config.allow_negation ? 1 - 10 ** digits : digits === 1 ? 0 : 10 ** (digits - 1),
    );
    const expression = terms.join(' * ');
    return {
      question: [
        `Multiply out ${expression} and give the product as a plain integer.`,
        `What integer is ${expression}?`,
        `The product ${expression} is which integer?`,
      ],
      terse: `mul ${expression}`,
      answer: String(terms.reduce((product, term) => product * BigInt(term), 1n)),
      metadata: { expression, num_terms: termCount, num_digits: digitCount, difficulty },
    };
  },
  verify: (answer, problem) => matchDecimal(answer, problem.answer),
  partialCredit: decimalCredit,
});
