/** Prime factors of an integer. Reference: reasoning-gym `prime_factorization` (Apache-2.0). */
import { integerText, judgeAnswer } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { factorsCredit } from '../credit/credit-rules.ts';
import { defineGenerator } from '../define-generator.ts';
import { primeFactors } from './divisors.ts';

/** Factors written with × or *, in any order, as canonical "2*2*3"; null for anything else. */
function factorsText(text: string): string | null {
  const factors = text.split(/[×*]/).map((factor) => integerText(factor.trim()));
  if (factors.includes(null)) return null;
  return (factors as string[]).sort((a, b) => a.length - b.length || (a < b ? -1 : 1)).join('*');
}

export const primeFactorization = defineGenerator({
  name: 'prime_factorization',
  version: 1,
  summary: 'Splits an integer into its prime factors.',
  fields: {
    min_value: { kind: 'integer', default: 2, min: 2, max: 1e10 },
    max_value: { kind: 'integer', default: 1000, min: 2, max: 1e10 },
  },
  rules: [ordered('min_value', 'max_value')],
  levels: [
    { name: 'starter', config: { max_value: 300 } },
    { name: 'reference', config: {} },
    { name: 'medium', config: { min_value: 100, max_value: 5000 } },
    { name: 'hard', config: { min_value: 1000, max_value: 10_000 } },
    { name: 'harder', config: { min_value: 10_000, max_value: 1_000_000 } },
  ],
  draw(random, config) {
    const number = random.randint(config.min_value, config.max_value);
    const factors = primeFactors(number);
    return {
      question: [
        `Write ${number} as a product of primes, smallest first, joined by × (8 would be 2 × 2 × 2).`,
        `Factor ${number} into primes. List each as often as it occurs, smallest first, with × between them, as in 2 × 2 × 3 for 12.`,
        `Which primes multiply to ${number}? Repeat them as needed, from small to large, joined by × (for 18: 2 × 3 × 3).`,
      ],
      terse: `factor ${number}`,
      answer: factors.join(' × '),
      terseAnswer: factors.join('*'),
      metadata: { number, factors, difficulty: { value: [config.min_value, config.max_value] } },
    };
  },
  verify: (answer, problem) =>
    judgeAnswer(answer, problem.answer, (trimmed) => {
      const value = factorsText(trimmed);
      return value === null ? 'a product of integers' : value === problem.terseAnswer;
    }),
  partialCredit: factorsCredit,
});
