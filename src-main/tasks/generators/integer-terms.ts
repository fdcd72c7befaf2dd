/** The draw that chain_sum and products share: how many terms, how many digits, then the terms. */
import type { JsonObject } from '../../types.ts';
import type { PythonRandom } from '../python-random.ts';

interface TermRanges {
  min_terms: number;
  max_terms: number;
  min_digits: number;
  max_digits: number;
}

export interface DrawnTerms {
  terms: number[];
  termCount: number;
  digitCount: number;
  difficulty: JsonObject;
}

/** `lowest(digits)` is the smallest value a term of that many digits may take; the largest is all nines. */
export function drawTerms(random: PythonRandom, config: TermRanges, lowest: (digits: number) => number): DrawnTerms {
  const termCount = random.randint(config.min_terms, config.max_terms);
  const digitCount = random.randint(config.min_digits, config.max_digits);
  const low = lowest(digitCount);
  const high = 10 ** digitCount - 1;
  const terms = Array.from({ length: termCount }, () => random.randint(low, high));
  return {
    terms,
    termCount,
    digitCount,
    difficulty: {
      num_terms: [config.min_terms, config.max_terms],
      num_digits: [config.min_digits, config.max_digits],
    },
  };
}
