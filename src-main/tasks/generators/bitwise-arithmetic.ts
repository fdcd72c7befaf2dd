/** Hexadecimal arithmetic with shifts on signed integers of any size. Reference: reasoning-gym `bitwise_arithmetic` (Apache-2.0). */
import { judgeAnswer } from '../answer-match.ts';
import { prefixedIntegerCredit } from '../credit/credit-rules.ts';
import { defineGenerator } from '../define-generator.ts';
import type { PythonRandom } from '../python-random.ts';

interface Expression {
  text: string;
  value: bigint;
}

const OPERATORS: readonly [string, (left: bigint, right: bigint) => bigint][] = [
  ['+', (a, b) => a + b],
  ['-', (a, b) => a - b],
  ['*', (a, b) => a * b],
  ['<<', (a, b) => a << b],
  ['>>', (a, b) => a >> b],
];

function drawNumber(random: PythonRandom, low: number, high: number): Expression {
  const value = random.randint(low, high);
  return { text: `0x${value.toString(16)}`, value: BigInt(value) };
}

function drawExpression(random: PythonRandom, depth: number): Expression {
  if (depth <= 0 || random.random() < 0.01) return drawNumber(random, 0x100, 0xffff);
  const [operator, apply] = random.choice(OPERATORS);
  const left = drawExpression(random, depth - 1);
  const drawn = drawExpression(random, depth - 1);
  // The reference draws a full right side even for a shift, then replaces it.
  const right = operator === '<<' || operator === '>>' ? drawNumber(random, 0, 3) : drawn;
  return { text: `(${left.text} ${operator} ${right.text})`, value: apply(left.value, right.value) };
}

function hexText(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** Python's int(text, 0) without underscores: 0x, 0o, 0b or decimal without leading zeros, signed; null for anything else. */
function prefixedInteger(text: string): bigint | null {
  const match = /^([+-]?)(0x[0-9a-f]+|0o[0-7]+|0b[01]+|[1-9][0-9]*|0+)$/i.exec(text);
  if (match === null) return null;
  const size = BigInt(match[2]!.toLowerCase());
  return match[1] === '-' ? -size : size;
}

export const bitwiseArithmetic = defineGenerator({
  name: 'bitwise_arithmetic',
  version: 1,
  summary: 'Evaluates hexadecimal arithmetic with bit shifts.',
  fields: { difficulty: { kind: 'integer', default: 2, min: 1, max: 10 } },
  rules: [],
  levels: [
    { name: 'starter', config: { difficulty: 1 } },
    { name: 'reference', config: {} },
    { name: 'medium', config: { difficulty: 3 } },
    { name: 'hard', config: { difficulty: 5 } },
  ],
  draw(random, config) {
    const { text, value } = drawExpression(random, config.difficulty);
    return {
      question: [
        `Evaluate ${text}. Integers are signed and of unlimited width. ` +
          `Answer in hexadecimal with the prefix 0x, negative values with a leading minus sign.`,
        `What is ${text} for signed integers without a limit of width? Write the value as 0x and hexadecimal digits, after a minus sign if it is negative.`,
        `Work out ${text}. Shifts and signs are those of integers of any size. Give the result in hexadecimal, like 0x1f or -0x1f.`,
      ],
      terse: `hex ${text}`,
      answer: hexText(value),
      metadata: { problem: text, difficulty: { difficulty: config.difficulty } },
    };
  },
  verify: (answer, problem) =>
    judgeAnswer(answer, problem.answer, (trimmed) => {
      const value = prefixedInteger(trimmed);
      return value === null ? 'an integer' : hexText(value) === problem.answer;
    }),
  partialCredit: prefixedIntegerCredit,
});
