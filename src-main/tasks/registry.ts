/** The one table of task generators. Knows nothing of mixtures, peers or policies. */
import { arc1d } from './generators/arc-1d.ts';
import { baseConversion } from './generators/base-conversion.ts';
import { basicArithmetic } from './generators/basic-arithmetic.ts';
import { bf } from './generators/bf.ts';
import { binaryAlternation } from './generators/binary-alternation.ts';
import { binaryMatrix } from './generators/binary-matrix.ts';
import { bitwiseArithmetic } from './generators/bitwise-arithmetic.ts';
import { calendarArithmetic } from './generators/calendar-arithmetic.ts';
import { chainSum } from './generators/chain-sum.ts';
import { countBits } from './generators/count-bits.ts';
import { decimalArithmetic } from './generators/decimal-arithmetic.ts';
import { decimalChainSum } from './generators/decimal-chain-sum.ts';
import { fractionSimplification } from './generators/fraction-simplification.ts';
import { greatestCommonDivisor } from './generators/gcd.ts';
import { leastCommonMultiple } from './generators/lcm.ts';
import { letterCounting } from './generators/letter-counting.ts';
import { numberSorting } from './generators/number-sorting.ts';
import { primeFactorization } from './generators/prime-factorization.ts';
import { products } from './generators/products.ts';
import { propositionalLogic } from './generators/propositional-logic.ts';
import { simpleEquations } from './generators/simple-equations.ts';
import { spellBackward } from './generators/spell-backward.ts';
import type { TaskGenerator } from './task.ts';

const GENERATORS: readonly TaskGenerator[] = [
  chainSum,
  products,
  greatestCommonDivisor,
  numberSorting,
  spellBackward,
  baseConversion,
  fractionSimplification,
  primeFactorization,
  leastCommonMultiple,
  countBits,
  simpleEquations,
  bitwiseArithmetic,
  binaryAlternation,
  letterCounting,
  basicArithmetic,
  decimalChainSum,
  decimalArithmetic,
  calendarArithmetic,
  binaryMatrix,
  arc1d,
  propositionalLogic,
  bf,
];

const BY_NAME: ReadonlyMap<string, TaskGenerator> = new Map(GENERATORS.map((generator) => [generator.name, generator]));

export function listGenerators(): readonly TaskGenerator[] {
  return GENERATORS;
}

export function getGenerator(name: string): TaskGenerator | undefined {
  return BY_NAME.get(name);
}
