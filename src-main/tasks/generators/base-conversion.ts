/** Rewriting an integer from one base in another. Reference: reasoning-gym `base_conversion` (Apache-2.0). */
import { matchText } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { defineGenerator } from '../define-generator.ts';

function baseName(base: number): string {
  return base === 2 ? 'binary' : base === 16 ? 'hexadecimal' : `base ${base}`;
}

/** Zero in a base other than 2 and 16 is an empty text in the reference's answer and metadata; shown and judged as 0 here. */
function referenceText(value: number, base: number): string {
  return value === 0 && base !== 2 && base !== 16 ? '' : value.toString(base);
}

export const baseConversion = defineGenerator({
  name: 'base_conversion',
  version: 1,
  summary: 'Rewrites an integer from one number base in another.',
  fields: {
    min_base: { kind: 'integer', default: 2, min: 2, max: 36 },
    max_base: { kind: 'integer', default: 16, min: 3, max: 36 },
    min_value: { kind: 'integer', default: 0, min: 0, max: 1e12 },
    max_value: { kind: 'integer', default: 1000, min: 1, max: 1e12 },
  },
  // The reference would look for a second base for ever if there were only one.
  rules: [ordered('min_base', 'max_base', true), ordered('min_value', 'max_value', true)],
  levels: [
    { name: 'starter', config: { max_base: 10, min_value: 1, max_value: 127 } },
    { name: 'easy', config: { max_value: 255 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { max_base: 24, min_value: 1000, max_value: 10_000 } },
    { name: 'harder', config: { max_base: 36, min_value: 10_000, max_value: 1_000_000 } },
  ],
  draw(random, config) {
    const value = random.randint(config.min_value, config.max_value);
    const sourceBase = random.randint(config.min_base, config.max_base);
    let targetBase = random.randint(config.min_base, config.max_base);
    while (targetBase === sourceBase) targetBase = random.randint(config.min_base, config.max_base);
    const shown = value.toString(sourceBase);
    const target = referenceText(value, targetBase);
    const digitsNote = targetBase > 10 ? ' Digits above 9 are the lower-case letters from a on.' : '';
    return {
      question: [
        `The ${baseName(sourceBase)} number ${shown} is to be written in ${baseName(targetBase)}.${digitsNote}`,
        `Convert ${shown} from ${baseName(sourceBase)} to ${baseName(targetBase)}.${digitsNote}`,
        `How is ${shown}, a number in ${baseName(sourceBase)}, written in ${baseName(targetBase)}?${digitsNote}`,
      ],
      terse: `base ${sourceBase} ${targetBase} ${shown}`,
      answer: target,
      terseAnswer: value.toString(targetBase),
      metadata: {
        decimal_value: value,
        source_base: sourceBase,
        target_base: targetBase,
        source_repr: referenceText(value, sourceBase),
        target_repr: target,
        difficulty: {
          base: [config.min_base, config.max_base],
          value: [config.min_value, config.max_value],
        },
      },
    };
  },
  verify: (answer, problem) => matchText(answer, problem.terseAnswer),
});
