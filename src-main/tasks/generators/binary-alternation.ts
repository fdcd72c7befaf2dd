/** Fewest swaps that make a bit string alternate. Reference: reasoning-gym `binary_alternation` (Apache-2.0). */
import { matchInteger } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { defineGenerator } from '../define-generator.ts';
import type { PythonRandom } from '../python-random.ts';

function drawBits(random: PythonRandom, length: number, solvable: boolean): string {
  let ones = Math.floor(length / 2);
  let zeros = ones;
  const add = (toOnes: boolean, count: number): void => {
    if (toOnes) ones += count;
    else zeros += count;
  };
  if (length % 2 === 1) add(random.random() < 0.5, 1);
  if (!solvable) {
    if (ones === zeros) add(random.random() < 0.5, 2);
    else add(ones > zeros, 1);
  }
  const bits = [...Array<string>(ones).fill('1'), ...Array<string>(zeros).fill('0')];
  random.shuffle(bits);
  return bits.join('');
}

/** Swaps to reach the alternating string that starts with `first`: half of the places that differ. */
function swapsFrom(bits: string, first: 0 | 1): number {
  let differing = 0;
  for (let i = 0; i < bits.length; i++) if (Number(bits[i]) !== (first + i) % 2) differing++;
  return Math.floor(differing / 2);
}

/** -1 when no swapping helps. */
function fewestSwaps(bits: string): number {
  const ones = bits.replaceAll('0', '').length;
  const surplus = ones - (bits.length - ones);
  if (Math.abs(surplus) > 1) return -1;
  if (surplus === 0) return Math.min(swapsFrom(bits, 0), swapsFrom(bits, 1));
  return swapsFrom(bits, surplus > 0 ? 1 : 0);
}

export const binaryAlternation = defineGenerator({
  name: 'binary_alternation',
  version: 1,
  summary: 'Finds the fewest swaps that make a bit string alternate.',
  fields: {
    min_n: { kind: 'integer', default: 10, min: 1, max: 1000 },
    max_n: { kind: 'integer', default: 30, min: 1, max: 1000 },
    p_solvable: { kind: 'number', default: 0.8, min: 0, max: 1 },
  },
  rules: [ordered('min_n', 'max_n')],
  levels: [
    { name: 'starter', config: { min_n: 4, max_n: 8 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_n: 30, max_n: 100 } },
  ],
  draw(random, config) {
    const length = random.randint(config.min_n, config.max_n);
    const solvable = random.random() < config.p_solvable;
    const bits = drawBits(random, length, solvable);
    const swaps = fewestSwaps(bits);
    return {
      question: [
        `A swap exchanges any two characters of the bit string ${bits}. What is the smallest number of swaps after which ` +
          `no two neighbours are equal? Answer -1 if that cannot be reached.`,
        `In ${bits}, any two characters may change places. How many such swaps are needed at least until zeros and ones alternate? Answer -1 if they never can.`,
        `How few exchanges of two characters turn ${bits} into a string in which no two neighbours are equal? If none do, answer -1.`,
      ],
      terse: `alternate ${bits}`,
      answer: String(swaps),
      metadata: {
        string: bits,
        solution: swaps,
        solvable,
        n: length,
        difficulty: { n: [config.min_n, config.max_n] },
      },
    };
  },
  verify: (answer, problem) => matchInteger(answer, problem.answer),
});
