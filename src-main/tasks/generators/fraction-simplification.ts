/** Reducing a fraction. Reference: reasoning-gym `fraction_simplification` (Apache-2.0). */
import { integerText, judgeAnswer } from '../answer-match.ts';
import { ordered, type ConfigOf } from '../config-fields.ts';
import { fractionCredit } from '../credit/credit-rules.ts';
import { defineGenerator } from '../define-generator.ts';
import type { PythonRandom } from '../python-random.ts';
import { gcd } from './divisors.ts';

const FORMATS = {
  plain: (top: number, bottom: number) => `${top}/${bottom}`,
  latex_inline: (top: number, bottom: number) => `$${top}/${bottom}$`,
  latex_frac: (top: number, bottom: number) => `$\\frac{${top}}{${bottom}}$`,
  latex_dfrac: (top: number, bottom: number) => `$\\dfrac{${top}}{${bottom}}$`,
} as const;

const STYLES = Object.keys(FORMATS) as (keyof typeof FORMATS)[];

const FIELDS = {
  min_value: { kind: 'integer', default: 1, min: 1, max: 1e6 },
  max_value: { kind: 'integer', default: 1000, min: 2, max: 1e6 },
  min_factor: { kind: 'integer', default: 1, min: 1, max: 1e6 },
  max_factor: { kind: 'integer', default: 100, min: 1, max: 1e6 },
  styles: { kind: 'choices', default: STYLES, options: STYLES, maxLength: 8 },
} as const;

/** Numerator and denominator, the smaller first. Reduced, unless ten draws left the bounds when reduced. */
function drawReduced(random: PythonRandom, config: ConfigOf<typeof FIELDS>): [number, number] {
  const drawTerm = (): number => random.randint(config.min_value, config.max_value);
  const inBounds = (term: number): boolean => config.min_value <= term && term <= config.max_value;
  for (let attempt = 0; attempt < 10; attempt++) {
    const [a, b] = [drawTerm(), drawTerm()];
    const common = gcd(a, b);
    const [top, bottom] = [a / common, b / common];
    if (inBounds(top) && inBounds(bottom)) return [Math.min(top, bottom), Math.max(top, bottom)];
  }
  const [a, b] = [drawTerm(), drawTerm()];
  return [Math.min(a, b), Math.max(a, b)];
}

/** `a/b`, `$a/b$` or a LaTeX \frac or \dfrac, as canonical "a/b"; null for anything else. */
function fractionText(text: string): string | null {
  const bare = text.replace(/^\$/, '').replace(/\$$/, '').trim();
  const match =
    /^\\d?frac\s*\{\s*([0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}$/.exec(bare) ??
    /^([+-]?[0-9]+)\s*\/\s*([+-]?[0-9]+)$/.exec(bare);
  return match === null ? null : `${integerText(match[1]!)!}/${integerText(match[2]!)!}`;
}

export const fractionSimplification = defineGenerator({
  name: 'fraction_simplification',
  version: 1,
  summary: 'Reduces a fraction to lowest terms.',
  fields: FIELDS,
  rules: [ordered('min_value', 'max_value', true), ordered('min_factor', 'max_factor')],
  levels: [
    { name: 'starter', config: { max_value: 12, min_factor: 2, max_factor: 9, styles: ['plain'] } },
    { name: 'easy', config: { max_value: 100, min_factor: 2, max_factor: 20, styles: ['plain'] } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_value: 100, max_value: 10_000, max_factor: 1000 } },
  ],
  draw(random, config) {
    const [top, bottom] = drawReduced(random, config);
    const factor = random.randint(config.min_factor, config.max_factor);
    const style = random.choice(config.styles) as keyof typeof FORMATS;
    const [numerator, denominator] = [top * factor, bottom * factor];
    return {
      question: [
        `Reduce the fraction ${FORMATS[style](numerator, denominator)} as far as possible.`,
        `Write ${FORMATS[style](numerator, denominator)} in lowest terms.`,
        `Which fraction with the smallest possible denominator equals ${FORMATS[style](numerator, denominator)}?`,
      ],
      terse: `reduce ${numerator}/${denominator}`,
      answer: FORMATS[style](top, bottom),
      terseAnswer: `${top}/${bottom}`,
      metadata: {
        numerator,
        denominator,
        simplified_numerator: top,
        simplified_denominator: bottom,
        reduction_factor: Math.floor(numerator / top),
        style,
        factor,
        difficulty: {
          value: [config.min_value, config.max_value],
          factor: [config.min_factor, config.max_factor],
        },
      },
    };
  },
  verify: (answer, problem) =>
    judgeAnswer(answer, problem.answer, (trimmed) => {
      const value = fractionText(trimmed);
      return value === null ? 'a fraction' : value === problem.terseAnswer;
    }),
  partialCredit: fractionCredit,
});
