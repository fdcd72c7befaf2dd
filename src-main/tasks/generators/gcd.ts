/** Greatest common divisor. Reference: reasoning-gym `gcd` (Apache-2.0). */
import { matchInteger } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { defineGenerator } from '../define-generator.ts';
import { gcd } from './divisors.ts';

export const greatestCommonDivisor = defineGenerator({
  name: 'gcd',
  version: 1,
  summary: 'Finds the greatest common divisor of some integers.',
  fields: {
    min_numbers: { kind: 'integer', default: 2, min: 2, max: 20 },
    max_numbers: { kind: 'integer', default: 2, min: 2, max: 20 },
    min_value: { kind: 'integer', default: 1, min: 1, max: 1e12 },
    max_value: { kind: 'integer', default: 1000, min: 2, max: 1e12 },
  },
  rules: [ordered('min_numbers', 'max_numbers'), ordered('min_value', 'max_value', true)],
  levels: [
    { name: 'starter', config: { max_value: 100 } },
    { name: 'reference', config: {} },
    { name: 'medium', config: { max_numbers: 3, max_value: 10_000 } },
    { name: 'hard', config: { max_numbers: 5, min_value: 100, max_value: 100_000 } },
  ],
  draw(random, config) {
    let numbers: number[] = [];
    let result = 1;
    // The reference redraws coprime sets, three times in all.
    for (let attempt = 0; attempt < 3 && result <= 1; attempt++) {
      const count = random.randint(config.min_numbers, config.max_numbers);
      numbers = Array.from({ length: count }, () => random.randint(config.min_value, config.max_value));
      result = numbers.reduce(gcd);
    }
    return {
      question: [
        `What is the largest integer that divides each of ${numbers.join(', ')} without remainder?`,
        `Find the greatest common divisor of ${numbers.join(', ')}.`,
        `Which is the greatest integer that all of ${numbers.join(', ')} are multiples of?`,
      ],
      terse: `gcd ${numbers.join(' ')}`,
      answer: String(result),
      metadata: {
        numbers,
        result,
        num_terms: numbers.length,
        difficulty: {
          num_terms: [config.min_numbers, config.max_numbers],
          value: [config.min_value, config.max_value],
        },
      },
    };
  },
  verify: (answer, problem) => matchInteger(answer, problem.answer),
});
