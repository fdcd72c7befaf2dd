/** How chain_sum, products and simple_equations are worked out step by step, and what goes wrong. */
import { pick, type RandomFloat, type Solver } from './manner.ts';

/** "+7" or "-7": a number as something to append to a sum. */
function signed(value: number): string {
  return value < 0 ? String(value) : `+${value}`;
}

/** Tens and ones apart, both with the number's sign: -47 is [-40, -7]. */
function split(value: number): [tens: number, ones: number] {
  const ones = value % 10;
  return [value - ones, ones];
}

/** `57+68=110+15=125`: tens, then ones, then both; single digits directly. */
function addStep(total: number, term: number): string {
  const sum = total + term;
  if (Math.abs(total) < 10 && Math.abs(term) < 10) return `${total}${signed(term)}=${sum}`;
  const [tensA, onesA] = split(total);
  const [tensB, onesB] = split(term);
  return `${total}${signed(term)}=${tensA + tensB}${signed(onesA + onesB)}=${sum}`;
}

/** The terms of `a + b - c` with their signs. */
function signedTerms(expression: string): number[] {
  return expression
    .replace(/([+-]) (-?\d+)/g, (_, sign: string, term: string) => String(Number(term) * (sign === '-' ? -1 : 1)))
    .split(' ')
    .map(Number);
}

function runningTotals(terms: readonly number[]): number[] {
  let total = 0;
  return terms.map((term) => (total += term));
}

function slippedNumber(right: number, random: RandomFloat): number {
  return right + pick(random, [-10, -2, -1, 1, 2, 10]);
}

export const chainSumSolver: Solver = {
  weights: { guess: 0.4, worked: 0.35, careless: 0.25 },
  work({ metadata }) {
    const terms = signedTerms(metadata.expression as string);
    const totals = runningTotals(terms);
    return terms
      .slice(1)
      .map((term, i) => addStep(totals[i]!, term))
      .join(';');
  },
  slip({ metadata }, random) {
    const terms = signedTerms(metadata.expression as string);
    // A sign misread, the last term forgotten, or a carry lost.
    const mistake = pick(random, ['sign', 'forgotten', 'carry', 'carry']);
    if (mistake === 'sign') terms[terms.length - 1]! *= -1;
    if (mistake === 'forgotten' && terms.length > 2) terms.pop();
    const totals = runningTotals(terms).slice(1);
    if (mistake === 'carry') totals[totals.length - 1] = slippedNumber(totals.at(-1)!, random);
    return { steps: totals.join(';'), answer: String(totals.at(-1)!) };
  },
};

/** 23 * 47 as [800, 140, 120, 21]: every digit by every digit. */
function partialProducts(expression: string): number[] {
  const [a, b] = expression.split(' * ').map(Number) as [number, number];
  const parts = (value: number): number[] => (value < 10 ? [value] : split(value));
  return parts(a).flatMap((left) => parts(b).map((right) => left * right));
}

export const productsSolver: Solver = {
  weights: { guess: 0.35, worked: 0.25, careless: 0.4 },
  work({ metadata }) {
    const parts = partialProducts(metadata.expression as string);
    return [parts.join('+'), ...runningTotals(parts).slice(1)].join(';');
  },
  slip({ metadata }, random) {
    const parts = partialProducts(metadata.expression as string);
    const total = parts.reduce((sum, part) => sum + part, 0);
    if (parts.length === 1) return { steps: '', answer: String(Math.max(0, slippedNumber(total, random))) };
    // Only tens by tens and ones by ones, or a carry lost.
    const wrong = random() < 0.5 ? parts[0]! + parts.at(-1)! : total + pick(random, [-100, -20, -10, 10, 100]);
    return { steps: `${parts[0]!}+${parts.at(-1)!}`, answer: String(Math.max(0, wrong)) };
  },
};

interface Equation {
  slope: number;
  offset: number;
  right: number;
}

/** Reads `3*x + 7 = 19`, `x - 2 = 5`, `9 - 4*x = 1`, `6*x = 12`; slope is not 0 at the starter level. */
function readEquation(text: string): Equation {
  const [left, right] = text.split(' = ') as [string, string];
  const equation = { slope: 0, offset: 0, right: Number(right) };
  for (const [, sign, body] of left.matchAll(/(?:^|([+-]) )(-?[0-9a-z*]+)/g)) {
    const factor = sign === '-' ? -1 : 1;
    const match = /^(-?)(?:(\d+)\*)?[a-z]$/.exec(body!);
    if (match === null) equation.offset += factor * Number(body);
    else equation.slope += factor * (match[1] === '-' ? -1 : 1) * Number(match[2] ?? 1);
  }
  return equation;
}

export const simpleEquationsSolver: Solver = {
  weights: { guess: 0.35, worked: 0.22, careless: 0.43 },
  work({ metadata }) {
    const { slope, offset, right } = readEquation(metadata.equation as string);
    const steps: string[] = [];
    // slope*x alone on one side, kept positive: right - offset, or offset - right for a falling line.
    const [from, taken] = slope > 0 ? [right, offset] : [offset, right];
    const product = from - taken;
    if (offset !== 0) steps.push(`${from}${signed(-taken).replace('+-', '-')}=${product}`);
    const size = Math.abs(slope);
    if (size !== 1) steps.push(`${product}/${size}=${product / size}`);
    return steps.join(';');
  },
  slip({ metadata, answer }, random) {
    const { slope, offset, right } = readEquation(metadata.equation as string);
    // Divided too early, moved the constant with the wrong sign, or miscounted.
    const wrong = pick(random, [
      Math.trunc(right / (slope || 1)) - offset,
      Math.trunc((right + offset) / (slope || 1)),
      slippedNumber(Number(answer), random),
    ]);
    return { steps: '', answer: String(wrong + 0) };
  },
};
