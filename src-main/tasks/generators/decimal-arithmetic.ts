/**
 * Arithmetic with four operators on decimals of limited precision. Reference: reasoning-gym `decimal_arithmetic` (Apache-2.0).
 *
 * Every intermediate result is rounded to `precision` digits, so the last places depend on the order of work: as in the reference
 * an answer is right within one unit of the last of `max_num_decimal_places`. The reference reads each number through a
 * float first (9.810 becomes 9.81), which decides how many zeros the answer ends in. No instance where it divides by zero.
 */
import { judgeAnswer, plainDecimal } from '../answer-match.ts';
import { ordered, type ConfigOf } from '../config-fields.ts';
import {
  addDecimals,
  DecimalDivisionError,
  decimalPlainText,
  decimalString,
  divideDecimals,
  multiplyDecimals,
  parseDecimal,
  subtractDecimals,
  type Decimal,
} from '../decimal.ts';
import { toleranceCredit } from '../credit/tolerance-credit.ts';
import { defineGenerator } from '../define-generator.ts';
import { UndefinedInstanceError } from '../undefined-instance.ts';
import type { PythonRandom } from '../python-random.ts';
import { fixedText, floatText } from '../python-text.ts';

const FIELDS = {
  min_num_decimal_places: { kind: 'integer', default: 3, min: 0, max: 12 },
  max_num_decimal_places: { kind: 'integer', default: 3, min: 0, max: 12 },
  min_terms: { kind: 'integer', default: 2, min: 1, max: 20 },
  max_terms: { kind: 'integer', default: 6, min: 1, max: 20 },
  precision: { kind: 'integer', default: 12, min: 2, max: 50 },
} as const;

const OPERATORS = ['+', '-', '*', '/'] as const;
type Operator = (typeof OPERATORS)[number];

const APPLY: Record<Operator, (a: Decimal, b: Decimal, precision: number) => Decimal> = {
  '+': addDecimals,
  '-': subtractDecimals,
  '*': multiplyDecimals,
  '/': divideDecimals,
};

/** The literals and operators of an expression from left to right, parentheses as tokens of their own. */
type Token = string;

function drawGrouped(random: PythonRandom, operands: readonly string[], operators: readonly Operator[]): Token[] {
  if (operands.length === 1) return [operands[0]!];
  const split = random.randint(1, operands.length - 1);
  const left = drawGrouped(random, operands.slice(0, split), operators.slice(0, split - 1));
  const right = drawGrouped(random, operands.slice(split), operators.slice(split));
  const tokens = [...left, operators[split - 1]!, ...right];
  return random.choice([true, false]) ? ['(', ...tokens, ')'] : tokens;
}

function evaluateTokens(tokens: readonly Token[], precision: number): Decimal {
  let at = 0;
  const operand = (): Decimal => {
    const token = tokens[at++]!;
    if (token !== '(') return parseDecimal(token.includes('.') ? floatText(Number(token)) : token);
    const inside = sum();
    at++;
    return inside;
  };
  const chain = (next: () => Decimal, operators: readonly string[]): Decimal => {
    let value = next();
    while (operators.includes(tokens[at] ?? '')) {
      const apply = APPLY[tokens[at++] as Operator];
      value = apply(value, next(), precision);
    }
    return value;
  };
  const sum = (): Decimal => chain(() => chain(operand, ['*', '/']), ['+', '-']);
  return sum();
}

function drawTokens(random: PythonRandom, config: ConfigOf<typeof FIELDS>, terms: number): [Token[], number] {
  const operands: string[] = [];
  const operators: Operator[] = [];
  let mostPlaces = 1;
  for (let i = 0; i < terms; i++) {
    const places = random.randint(config.min_num_decimal_places, config.max_num_decimal_places);
    mostPlaces = Math.max(mostPlaces, places);
    operands.push(fixedText(BigInt(random.randint(1, 10 * 10 ** places)), places));
    if (i < terms - 1) operators.push(random.choice(OPERATORS));
  }
  return [drawGrouped(random, operands, operators), mostPlaces];
}

const WORDINGS = [
  (expression: string, tolerance: string, precision: number) =>
    `Work out ${expression}, keeping ${precision} significant digits at each step. ` +
    `The result must not be off by more than ${tolerance}.`,
  (expression: string, tolerance: string, precision: number) =>
    `What is ${expression}? Round each intermediate result to ${precision} significant digits. ` +
    `Give a decimal number within ${tolerance} of the value.`,
  (expression: string, tolerance: string, precision: number) =>
    `Evaluate ${expression} as a decimal number, with ${precision} significant digits in each step. ` +
    `An error of up to ${tolerance} is allowed.`,
] as const;

/** |a - b| <= 10^-places, for texts that `plainDecimal` made. */
function isWithin(a: string, b: string, places: number): boolean {
  const [x, y] = [parseDecimal(a), parseDecimal(b)];
  const exponent = Math.min(x.exponent, y.exponent, -places);
  const scaled = ({ negative, coefficient, exponent: own }: Decimal): bigint =>
    (negative ? -coefficient : coefficient) * 10n ** BigInt(own - exponent);
  const difference = scaled(x) - scaled(y);
  return (difference < 0n ? -difference : difference) <= 10n ** BigInt(-places - exponent);
}

export const decimalArithmetic = defineGenerator({
  name: 'decimal_arithmetic',
  version: 1,
  summary: 'Evaluates arithmetic with four operators on decimal numbers.',
  fields: FIELDS,
  rules: [
    ordered('min_num_decimal_places', 'max_num_decimal_places'),
    ordered('min_terms', 'max_terms'),
    ({ precision, max_num_decimal_places: places }) =>
      precision > places + 1 ? null : 'config field precision must be at least max_num_decimal_places + 2',
  ],
  levels: [
    { name: 'starter', config: { min_num_decimal_places: 1, max_num_decimal_places: 1, max_terms: 2 } },
    { name: 'easy', config: { min_num_decimal_places: 1, max_num_decimal_places: 2, max_terms: 3 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { max_num_decimal_places: 6, min_terms: 5, max_terms: 10 } },
  ],
  draw(random, config) {
    const terms = random.randint(config.min_terms, config.max_terms);
    const [tokens, mostPlaces] = drawTokens(random, config, terms);
    let value: Decimal;
    try {
      value = evaluateTokens(tokens, config.precision);
    } catch (error) {
      if (error instanceof DecimalDivisionError) throw new UndefinedInstanceError('this instance divides by zero');
      throw error;
    }
    const tolerance = fixedText(1n, config.max_num_decimal_places);
    const expression = tokens.join(' ').replaceAll('( ', '(').replaceAll(' )', ')');
    return {
      question: WORDINGS.map((wording) => wording(expression, tolerance, config.precision)),
      terse: `calc ${tokens.join('')}`,
      answer: decimalString(value),
      terseAnswer: decimalPlainText(value),
      metadata: {
        decimal_places: mostPlaces,
        num_terms: terms,
        difficulty: {
          decimal_places: [config.min_num_decimal_places, config.max_num_decimal_places],
          num_terms: [config.min_terms, config.max_terms],
        },
      },
    };
  },
  verify(answer, problem) {
    const { decimal_places: range } = problem.metadata.difficulty as { decimal_places: [number, number] };
    return judgeAnswer(answer, problem.terseAnswer, (trimmed) => {
      const value = trimmed === problem.answer ? problem.terseAnswer : plainDecimal(trimmed);
      return value === null ? 'a number' : isWithin(value, problem.terseAnswer, range[1]);
    });
  },
  partialCredit: toleranceCredit,
});
