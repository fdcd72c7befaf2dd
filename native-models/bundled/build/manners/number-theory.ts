/** How gcd, fraction_simplification, prime_factorization, base_conversion and count_bits are worked out, and what goes wrong. */
import { gcd, primeFactors } from '../../../../src-main/tasks/generators/divisors.ts';
import { pick, type RandomFloat, type Solver } from './manner.ts';

/** Euclid's remainders, larger number first, down to 0: 84,36,12,0. */
function remainders(a: number, b: number): number[] {
  const chain = [Math.max(a, b), Math.min(a, b)];
  while (chain.at(-1) !== 0) chain.push(chain.at(-2)! % chain.at(-1)!);
  return chain;
}

/** A number near or below `right` that is not it, at least 1. */
function wrongCount(right: number, random: RandomFloat): number {
  return right > 1 ? right + pick(random, [-1, 1]) : right + pick(random, [1, 2]);
}

export const gcdSolver: Solver = {
  weights: { guess: 0.28, worked: 0.24, careless: 0.48 },
  work({ metadata }) {
    const [a, b] = metadata.numbers as [number, number];
    return remainders(a, b).join(',');
  },
  slip({ metadata }, random) {
    const [a, b] = metadata.numbers as [number, number];
    const right = gcd(a, b);
    // A divisor of the divisor, the remainder before the last, or a near number.
    const smallest = right > 1 ? primeFactors(right)[0]! : 1;
    const early = remainders(a, b).at(-3)!;
    const wrong = pick(random, [right / smallest, early, right * 2, wrongCount(right, random)]);
    return { steps: remainders(a, b).slice(0, 2).join(','), answer: String(wrong) };
  },
};

export const fractionSolver: Solver = {
  weights: { guess: 0.28, worked: 0.24, careless: 0.48 },
  work({ metadata }) {
    const { numerator: top, denominator: bottom } = metadata as { numerator: number; denominator: number };
    const common = gcd(top, bottom);
    return `${remainders(top, bottom).join(',')};${top}/${common}=${top / common};${bottom}/${common}=${bottom / common}`;
  },
  slip({ metadata }, random) {
    const { numerator: top, denominator: bottom } = metadata as { numerator: number; denominator: number };
    const common = gcd(top, bottom);
    // Stopped after one common prime, or reduced only one of the two.
    const first = common > 1 ? primeFactors(common)[0]! : 1;
    const unfinished = `${top / first}/${bottom / first}`;
    const uneven = `${wrongCount(top / common, random)}/${bottom / common}`;
    const answer = pick(random, [unfinished, uneven, `${top / common}/${bottom / first}`]);
    return { steps: `/${first}`, answer };
  },
};

export const primeFactorizationSolver: Solver = {
  weights: { guess: 0.28, worked: 0.24, careless: 0.48 },
  work({ metadata }) {
    const { number, factors } = metadata as { number: number; factors: number[] };
    let rest = number;
    const steps = factors.slice(0, -1).map((factor) => {
      const step = `${rest}/${factor}`;
      rest /= factor;
      return step;
    });
    return [...steps, rest].join(',');
  },
  slip({ metadata }, random) {
    const { number, factors } = metadata as { number: number; factors: number[] };
    const first = factors[0]!;
    if (factors.length === 1) return { steps: '', answer: primeFactors(number + 1).join('*') };
    // The rest left undivided, a factor forgotten, or a factor repeated.
    const answer = pick(random, [[first, number / first], factors.slice(1), [first, ...factors]]);
    return { steps: `${number}/${first}`, answer: answer.join('*') };
  },
};

export const baseConversionSolver: Solver = {
  weights: { guess: 0.38, worked: 0.37, careless: 0.25 },
  work({ metadata }) {
    const {
      source_base: from,
      target_base: to,
      source_repr: source,
    } = metadata as Record<string, number> & {
      source_repr: string;
    };
    // To a number, digit by digit (value = value * base + digit), then repeated division: quotient r remainder.
    let value = 0;
    const values = Array.from(source, (digit) => (value = value * from! + Number(digit)));
    const divisions: string[] = [];
    do {
      divisions.push(`${Math.floor(value / to!)}r${value % to!}`);
      value = Math.floor(value / to!);
    } while (value > 0);
    return `${values.join(',')};${divisions.join(',')}`;
  },
  slip({ metadata, answer }, random) {
    const value = metadata.decimal_value as number;
    const to = metadata.target_base as number;
    // Miscalculated on the way, stopped at the plain number, or read the remainders the wrong way round.
    const shifted = Math.max(0, value + pick(random, [-2, -1, 1, 2, 10]));
    const wrong = pick(random, [
      shifted.toString(to),
      shifted.toString(to),
      String(value),
      Array.from(answer).reverse().join(''),
    ]);
    return { steps: String(value), answer: wrong };
  },
};

export const countBitsSolver: Solver = {
  weights: { guess: 0.38, worked: 0.26, careless: 0.36 },
  work({ metadata }) {
    // Halve down to 1, with the ones so far behind each number.
    let ones = 0;
    const steps: string[] = [];
    for (let rest = metadata.number as number; rest > 0; rest = Math.floor(rest / 2)) {
      ones += rest % 2;
      steps.push(`${rest}.${ones}`);
    }
    return steps.join(',');
  },
  slip({ metadata }, random) {
    const { binary, solution } = metadata as { binary: string; solution: number };
    const wrong = pick(random, [
      wrongCount(solution, random),
      wrongCount(solution, random),
      binary.length - solution,
      binary.length,
    ]);
    return { steps: '', answer: String(wrong) };
  },
};
