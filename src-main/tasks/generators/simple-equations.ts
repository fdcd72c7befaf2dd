/**
 * Linear equations in one unknown. Reference: reasoning-gym `simple_equations` (Apache-2.0), which builds the left side with
 * sympy; whatever it builds is a*x + b, so only that form and how sympy prints it are needed.
 *
 * Where the draw cancels the unknown (a = 0) every number would do, but only the drawn one counts, as in the reference.
 */
import { matchInteger } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { defineGenerator } from '../define-generator.ts';

interface Linear {
  slope: bigint;
  offset: bigint;
}

/** At most one operand has a slope, so a product stays linear. */
const OPERATIONS: Record<string, (left: Linear, right: Linear) => Linear> = {
  '+': (l, r) => ({ slope: l.slope + r.slope, offset: l.offset + r.offset }),
  '-': (l, r) => ({ slope: l.slope - r.slope, offset: l.offset - r.offset }),
  '*': (l, r) => ({ slope: l.slope * r.offset + l.offset * r.slope, offset: l.offset * r.offset }),
};

/** sympy's `str` of slope*x + offset: the positive constant goes first when the slope is negative. */
function linearText({ slope, offset }: Linear, variable: string): string {
  if (slope === 0n) return String(offset);
  const size = slope < 0n ? -slope : slope;
  const product = size === 1n ? variable : `${size}*${variable}`;
  if (slope < 0n && offset > 0n) return `${offset} - ${product}`;
  const first = slope < 0n ? `-${product}` : product;
  if (offset === 0n) return first;
  return offset > 0n ? `${first} + ${offset}` : `${first} - ${-offset}`;
}

const WORDINGS = [
  (variable: string, equation: string) => `Which value of ${variable} makes ${equation} true?`,
  (variable: string, equation: string) => `Given that ${equation}, what is ${variable}?`,
  (variable: string, equation: string) => `The equation ${equation} holds for one value of ${variable}. State it.`,
] as const;

export const simpleEquations = defineGenerator({
  name: 'simple_equations',
  version: 1,
  summary: 'Solves a linear equation in one unknown.',
  fields: {
    min_terms: { kind: 'integer', default: 2, min: 1, max: 20 },
    max_terms: { kind: 'integer', default: 4, min: 1, max: 20 },
    min_value: { kind: 'integer', default: 1, min: 1, max: 1e9 },
    max_value: { kind: 'integer', default: 100, min: 1, max: 1e9 },
    operators: { kind: 'choices', default: ['+', '-', '*'], options: ['+', '-', '*'], maxLength: 6 },
    operators_weights: { kind: 'weights', default: [0.4, 0.4, 0.2], maxLength: 6 },
  },
  rules: [
    ordered('min_terms', 'max_terms'),
    ordered('min_value', 'max_value'),
    ({ operators, operators_weights: weights }) =>
      operators.length === weights.length ? null : 'operators and operators_weights must be equally long',
    ({ operators_weights: weights }) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return total > 0.9501 && total < 1.0499 ? null : 'operators_weights must sum to 1';
    },
  ],
  levels: [
    { name: 'starter', config: { max_terms: 2, max_value: 12 } },
    { name: 'easy', config: { max_terms: 3, max_value: 30 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_terms: 3, max_terms: 10, min_value: 10, max_value: 10_000 } },
  ],
  draw(random, config) {
    const variable = random.choice('abcdefghijklmnopqrstuvwxyz');
    const count = random.randint(config.min_terms, config.max_terms);
    const drawValue = (): number => random.randint(config.min_value, config.max_value);
    const terms: Linear[] = Array.from({ length: count }, () => ({ slope: 0n, offset: BigInt(drawValue()) }));
    const at = random.randint(0, count - 1);
    const coefficient = BigInt(drawValue());
    terms[at] = { slope: config.operators.includes('*') ? coefficient : 1n, offset: 0n };
    let left = terms[0]!;
    for (const term of terms.slice(1)) {
      const [operator] = random.choices(config.operators, config.operators_weights, 1);
      left = OPERATIONS[operator!]!(left, term);
    }
    const solution = drawValue();
    const equation = `${linearText(left, variable)} = ${left.slope * BigInt(solution) + left.offset}`;
    return {
      question: random.choice(WORDINGS)(variable, equation),
      terse: `solve ${equation.replaceAll(' ', '')}`,
      answer: String(solution),
      metadata: {
        equation,
        variable,
        difficulty: {
          min_terms: config.min_terms,
          max_terms: config.max_terms,
          min_value: config.min_value,
          max_value: config.max_value,
          operators_weights: [...config.operators_weights],
        },
      },
    };
  },
  verify: (answer, problem) => matchInteger(answer, problem.answer),
});
