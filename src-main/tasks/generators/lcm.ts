/** Least common multiple. Reference: reasoning-gym `lcm` (Apache-2.0). Results beyond 2^53 are text in the metadata. */
import { matchInteger } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { defineGenerator } from '../define-generator.ts';
import { jsonInteger } from '../python-text.ts';
import { gcdBig } from './divisors.ts';

export const leastCommonMultiple = defineGenerator({
  name: 'lcm',
  version: 1,
  summary: 'Finds the least common multiple of some integers.',
  fields: {
    min_numbers: { kind: 'integer', default: 2, min: 2, max: 20 },
    max_numbers: { kind: 'integer', default: 2, min: 2, max: 20 },
    min_value: { kind: 'integer', default: 1, min: 1, max: 1e12 },
    max_value: { kind: 'integer', default: 100, min: 2, max: 1e12 },
  },
  rules: [ordered('min_numbers', 'max_numbers'), ordered('min_value', 'max_value', true)],
  levels: [
    { name: 'starter', config: { max_value: 30 } },
    { name: 'reference', config: {} },
    { name: 'medium', config: { max_numbers: 3, max_value: 1000 } },
    { name: 'hard', config: { max_numbers: 5, min_value: 10, max_value: 10_000 } },
  ],
  draw(random, config) {
    let numbers: number[] = [];
    let result = 1n;
    // The reference redraws pairwise coprime sets, three times in all.
    for (let attempt = 0; attempt < 3; attempt++) {
      const count = random.randint(config.min_numbers, config.max_numbers);
      numbers = Array.from({ length: count }, () => random.randint(config.min_value, config.max_value));
      const values = numbers.map(BigInt);
      result = values.reduce((a, b) => (a / gcdBig(a, b)) * b);
      if (result < values.reduce((a, b) => a * b)) break;
    }
    return {
      question: [
        `What is the smallest positive integer that each of ${numbers.join(', ')} divides without remainder?`,
        `Find the least common multiple of ${numbers.join(', ')}.`,
        `Which is the smallest positive integer that is a multiple of each of ${numbers.join(', ')}?`,
      ],
      terse: `lcm ${numbers.join(' ')}`,
      answer: String(result),
      metadata: {
        numbers,
        result: jsonInteger(result),
        difficulty: {
          numbers: [config.min_numbers, config.max_numbers],
          value: [config.min_value, config.max_value],
        },
      },
    };
  },
  verify: (answer, problem) => matchInteger(answer, problem.answer),
});
