/** The table of manners, one row per starter task, and the draw of one demonstration. For pre-training only. */
import type { TaskInstance } from '../../../../src-main/tasks/task.ts';
import { chainSumSolver, productsSolver, simpleEquationsSolver } from './arithmetic.ts';
import { mannersOf, type Manner, type MannerName, type RandomFloat } from './manner.ts';
import {
  baseConversionSolver,
  countBitsSolver,
  fractionSolver,
  gcdSolver,
  primeFactorizationSolver,
} from './number-theory.ts';
import { numberSortingSolver, spellBackwardSolver } from './sequences.ts';

const MANNERS: Readonly<Record<string, readonly Manner[]>> = {
  chain_sum: mannersOf(chainSumSolver),
  products: mannersOf(productsSolver),
  gcd: mannersOf(gcdSolver),
  number_sorting: mannersOf(numberSortingSolver),
  spell_backward: mannersOf(spellBackwardSolver),
  base_conversion: mannersOf(baseConversionSolver),
  fraction_simplification: mannersOf(fractionSolver),
  prime_factorization: mannersOf(primeFactorizationSolver),
  count_bits: mannersOf(countBitsSolver),
  simple_equations: mannersOf(simpleEquationsSolver),
};

/** The manners of a starter task; a RangeError for any other. */
export function mannersFor(generatorName: string): readonly Manner[] {
  const manners = Object.hasOwn(MANNERS, generatorName) ? MANNERS[generatorName] : undefined;
  if (manners === undefined) throw new RangeError(`no manners for ${generatorName}; add a row to manners/index.ts`);
  return manners;
}

/** One demonstration of a starter-level instance: a manner drawn by weight, and its text. */
export function sampleDemonstration(instance: TaskInstance, random: RandomFloat): { manner: MannerName; text: string } {
  const manners = mannersFor(instance.ref.generator);
  let rest = random();
  const manner = manners.find(({ weight }) => (rest -= weight) < 0) ?? manners.at(-1)!;
  return { manner: manner.name, text: manner.write(instance, random) };
}
