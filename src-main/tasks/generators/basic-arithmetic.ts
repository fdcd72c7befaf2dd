/**
 * Arithmetic with four operators, parentheses and floor division. Reference: reasoning-gym `basic_arithmetic` (Apache-2.0).
 *
 * No instance exists where the reference itself divides by zero, and where it would search divisors of a number above
 * `MAX_DIVISOR_SEARCH` (it would take minutes). Without parentheses the reference works from left to right, whatever binds
 * tighter, and divides by another number than its expression shows: the metadata keep that expression, the question states
 * what was really done.
 */
import { matchInteger } from '../answer-match.ts';
import { ordered, type ConfigOf } from '../config-fields.ts';
import { defineGenerator } from '../define-generator.ts';
import { UndefinedInstanceError } from '../undefined-instance.ts';
import { DivisionByZeroError, evaluateFloor } from '../floor-arithmetic.ts';
import type { PythonRandom } from '../python-random.ts';
import { divisorsBelow, gcdBig } from './divisors.ts';

const MAX_DIVISOR_SEARCH = 10n ** 12n;
/** Without parentheses divisors below the largest operand are searched: so many, and fewer of what no double holds. */
const MAX_DIVISOR = 1_000_000;
const MAX_DIVISOR_OF_BIG = 100_000;

const OPERATORS = ['+', '-', '*', '/'] as const;

const FIELDS = {
  min_terms: { kind: 'integer', default: 2, min: 1, max: 30 },
  max_terms: { kind: 'integer', default: 6, min: 1, max: 30 },
  min_digits: { kind: 'integer', default: 1, min: 1, max: 15 },
  max_digits: { kind: 'integer', default: 4, min: 1, max: 15 },
  operators: { kind: 'choices', default: OPERATORS, options: OPERATORS, maxLength: 8 },
  allow_parentheses: { kind: 'boolean', default: true },
  allow_negation: { kind: 'boolean', default: true },
  format_style: { kind: 'choice', default: 'simple', options: ['simple', 'natural'] },
  whitespace: { kind: 'choice', default: 'single', options: ['no_space', 'single', 'random'] },
} as const;

type Config = ConfigOf<typeof FIELDS>;

/** Positive common divisors in the reference's order: 1, n, then each next pair. Not both arguments are zero. */
function commonDivisors(a: bigint, b: bigint): string[] {
  const size = (value: bigint): bigint => (value < 0n ? -value : value);
  const common = gcdBig(size(a), size(b));
  if (common > MAX_DIVISOR_SEARCH) throw new UndefinedInstanceError('this instance needs an unbounded divisor search');
  const n = Number(common);
  const small = divisorsBelow(n, Math.floor(Math.sqrt(n)) + 1);
  const divisors = small.flatMap((divisor) => (divisor * divisor === n ? [divisor] : [divisor, n / divisor]));
  return divisors.map(String);
}

/** Draws the tokens of an expression of `remaining` terms, call for call as the reference does. */
function drawTokens(random: PythonRandom, config: Config, digits: number, remaining: number): string[] {
  const largest = 10 ** digits - 1;
  const again = (terms: number): string[] => drawTokens(random, config, digits, terms);
  const drawDivisor = (dividend: bigint): string =>
    dividend === 0n ? String(random.randint(1, largest)) : random.choice(commonDivisors(dividend, 0n));

  const leftTerms = random.randint(1, remaining);
  const rightTerms = remaining - leftTerms;
  const tokens: string[] = [];
  if (leftTerms > 1 && random.random() > 0.5) {
    tokens.push(random.random() > 0.5 && config.allow_negation ? '-(' : '(', ...again(leftTerms), ')');
  } else {
    const undividing = config.operators.filter((operator) => operator !== '/');
    for (let i = 0; i < leftTerms; i++) {
      tokens.push(String(random.randint(-largest, largest)));
      if (i + 1 < leftTerms) tokens.push(random.choice(undividing));
    }
  }
  if (rightTerms === 0) return tokens;

  const operator = random.choice(config.operators);
  if (operator !== '/') return [...tokens, operator, ...again(rightTerms)];

  const dividend = evaluateFloor(tokens.at(-1) === ')' ? tokens.join('') : tokens.at(-1)!);
  if (rightTerms === 1) return [...tokens, '/', drawDivisor(dividend)];
  const right = again(rightTerms - 1);
  if (right.at(-1) !== ')') return [...tokens, '/', drawDivisor(dividend), '+', ...right];
  const value = evaluateFloor(right.join(''));
  const correction = value === 0n ? 1n : BigInt(random.choice(commonDivisors(dividend, value))) - value;
  return [...tokens, '/', ...right.slice(0, -1), '+', String(correction), ')'];
}

function spaced(random: PythonRandom, tokens: readonly string[], whitespace: string): string {
  if (whitespace === 'no_space') return tokens.join('');
  if (whitespace === 'single') return tokens.join(' ');
  return tokens
    .map((token) => (random.random() < 0.15 ? ` ${token}` : token))
    .join('')
    .trim();
}

interface DrawnExpression {
  /** As in the reference's metadata. */
  expression: string;
  /** What the question asks for. */
  asked: string;
  value: bigint;
}

function drawGrouped(random: PythonRandom, config: Config, terms: number, digits: number): DrawnExpression {
  const text = spaced(random, drawTokens(random, config, digits, terms), config.whitespace);
  const expression = text.replaceAll('/ 0', '/ 1');
  return { expression, asked: expression, value: evaluateFloor(expression) };
}

/** Divisors of `value` from 2 on, below both `value` and `limit`, in rising order. */
function properDivisors(value: bigint, limit: number): number[] {
  const size = value < 0n ? -value : value;
  const end = size < BigInt(limit) ? Number(size) : limit;
  const isBig = size > BigInt(Number.MAX_SAFE_INTEGER);
  if (end > (isBig ? MAX_DIVISOR_OF_BIG : MAX_DIVISOR))
    throw new UndefinedInstanceError('this instance needs an unbounded divisor search');
  return divisorsBelow(isBig ? size : Number(size), end).slice(1);
}

function drawUngrouped(random: PythonRandom, config: Config, terms: number, digits: number): DrawnExpression {
  const limit = 10 ** digits;
  const [first, ...rest] = Array.from({ length: terms }, () => random.randint(0, limit));
  const operators = rest.map(() => random.choice(config.operators));
  let value = BigInt(first!);
  let [expression, asked] = [String(first!), String(first!)];
  const apply = (operator: string, operand: number): void => {
    if (operator === '+') value += BigInt(operand);
    else if (operator === '-') value -= BigInt(operand);
    else if (operator === '*') value *= BigInt(operand);
    else value /= BigInt(operand);
    asked += ` ${operator} ${operand}`;
  };
  rest.forEach((shown, i) => {
    const operator = operators[i]!;
    expression += ` ${operator} ${shown}`;
    if (operator !== '/') {
      apply(operator, shown);
      return;
    }
    const divisors = properDivisors(value, limit);
    if (divisors.length > 0) apply('/', random.choice(divisors));
    else apply('*', random.randint(1, limit - 1));
  });
  return { expression, asked, value };
}

const RULE = 'Where a division leaves a remainder, round the quotient down.';
const LEFT_TO_RIGHT = 'Go strictly from left to right; no operator binds tighter than another.';

const SIMPLE_WORDINGS = [
  (expression: string, rule: string) => `Evaluate ${expression}. ${rule}`,
  (expression: string, rule: string) => `Which integer is ${expression}? ${rule}`,
  (expression: string, rule: string) => `Calculate ${expression}. ${rule}`,
] as const;

const NATURAL_WORDINGS = [
  (expression: string, rule: string) => `What does ${expression} come to? ${rule}`,
  (expression: string, rule: string) => `Find the value of ${expression}. ${rule}`,
  (expression: string, rule: string) => `Work out ${expression}. ${rule}`,
  (expression: string, rule: string) => `Give the result of ${expression}. ${rule}`,
] as const;

export const basicArithmetic = defineGenerator({
  name: 'basic_arithmetic',
  version: 1,
  summary: 'Evaluates arithmetic with four operators and parentheses.',
  fields: FIELDS,
  rules: [
    ordered('min_terms', 'max_terms'),
    ordered('min_digits', 'max_digits'),
    ({ operators, allow_parentheses: grouped }) =>
      !grouped || operators.some((operator) => operator !== '/') ? null : 'operators must hold more than /',
  ],
  levels: [
    { name: 'starter', config: { max_terms: 3, max_digits: 1 } },
    { name: 'easy', config: { max_terms: 4, max_digits: 2 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_terms: 5, max_terms: 10, min_digits: 2 } },
  ],
  draw(random, config) {
    const terms = random.randint(config.min_terms, config.max_terms);
    const digits = random.randint(config.min_digits, config.max_digits);
    try {
      const draw = config.allow_parentheses ? drawGrouped : drawUngrouped;
      const { expression, asked, value } = draw(random, config, terms, digits);
      const rule = config.allow_parentheses ? RULE : LEFT_TO_RIGHT;
      const natural = config.format_style === 'natural' ? random.choice(NATURAL_WORDINGS) : undefined;
      return {
        question: natural?.(asked, rule) ?? SIMPLE_WORDINGS.map((wording) => wording(asked, rule)),
        terse: `calc ${asked}`,
        answer: String(value),
        metadata: {
          expression,
          num_terms: terms,
          num_digits: digits,
          difficulty: {
            num_terms: [config.min_terms, config.max_terms],
            num_digits: [config.min_digits, config.max_digits],
          },
        },
      };
    } catch (error) {
      if (error instanceof DivisionByZeroError) throw new UndefinedInstanceError('this instance divides by zero');
      throw error;
    }
  },
  verify: (answer, problem) => matchInteger(answer, problem.answer),
});
