/** Ones in a binary representation. Reference: reasoning-gym `count_bits` (Apache-2.0). */
import { matchInteger } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { defineGenerator } from '../define-generator.ts';

export const countBits = defineGenerator({
  name: 'count_bits',
  version: 1,
  summary: 'Counts the ones in the binary form of an integer.',
  fields: {
    min_n: { kind: 'integer', default: 1, min: 1, max: 1e15 },
    max_n: { kind: 'integer', default: 2 ** 31 - 1, min: 1, max: 1e15 },
  },
  rules: [ordered('min_n', 'max_n')],
  levels: [
    { name: 'starter', config: { max_n: 1023 } },
    { name: 'easy', config: { max_n: 100_000 } },
    { name: 'medium', config: { min_n: 1000, max_n: 100_000_000 } },
    { name: 'reference', config: {} },
  ],
  draw(random, config) {
    const number = random.randint(config.min_n, config.max_n);
    const binary = number.toString(2);
    const ones = binary.replaceAll('0', '').length;
    return {
      question: [
        `Written in binary, how many ones does ${number} have?`,
        `Count the bits that are 1 in the binary form of ${number}.`,
        `How often does the digit 1 occur when ${number} is written in base 2?`,
      ],
      terse: `bits ${number}`,
      answer: String(ones),
      metadata: { number, solution: ones, binary, n: number, difficulty: { n: [config.min_n, config.max_n] } },
    };
  },
  verify: (answer, problem) => matchInteger(answer, problem.answer),
});
