/** Finding the rule behind pairs of rows. Reference: reasoning-gym `arc_1d` (Apache-2.0); the rules are in `arc-1d-rules.ts`. */
import { judgeAnswer } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { defineGenerator } from '../define-generator.ts';
import { ARC_1D_RULES, type RowPair } from './arc-1d-rules.ts';

const WORDINGS = [
  (examples: string, input: string) =>
    `One rule turns each input row of numbers into its output row.\n${examples}\nWhich output belongs to the input ${input}? ` +
    `Write the row only, numbers separated by spaces.`,
  (examples: string, input: string) =>
    `Find what was done to these rows:\n${examples}\nDo the same to this row: ${input}\n` +
    `Answer with the resulting row, its numbers separated by spaces.`,
  (examples: string, input: string) =>
    `${examples}\nIn each line above, the same rule made the second row from the first. ` +
    `Apply it to ${input} and give the new row as numbers separated by spaces.`,
] as const;

export const arc1d = defineGenerator({
  name: 'arc_1d',
  version: 1,
  summary: 'Finds the rule behind pairs of rows and applies it to another row.',
  fields: {
    min_size: { kind: 'integer', default: 10, min: 8, max: 100 },
    max_size: { kind: 'integer', default: 30, min: 8, max: 100 },
    num_train: { kind: 'integer', default: 3, min: 1, max: 10 },
  },
  rules: [ordered('min_size', 'max_size')],
  levels: [
    { name: 'starter', config: { min_size: 8, max_size: 10, num_train: 5 } },
    { name: 'easy', config: { max_size: 15 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_size: 25, max_size: 40, num_train: 2 } },
  ],
  draw(random, config) {
    const [name, rule] = random.choice(ARC_1D_RULES);
    const size = random.randint(config.min_size, config.max_size);
    const drawPair = (): RowPair => {
      for (;;) {
        const pair = rule(random, size);
        if (pair !== null) return pair;
      }
    };
    const examples = Array.from({ length: config.num_train }, drawPair);
    const test = drawPair();
    const lines = examples.map(({ input, output }) => `${input.join(' ')} -> ${output.join(' ')}`);
    const shown = test.input.join(' ');
    return {
      question: WORDINGS.map((wording) => wording(lines.join('\n'), shown)),
      terse: `arc ${lines.join('; ').replaceAll(/(?<=\d) (?=\d)/g, '')}; ${test.input.join('')}`,
      answer: test.output.join(' '),
      metadata: {
        task_name: name,
        size,
        train_examples: examples.map(({ input, output }) => ({ input, output })),
        test_example: { input: test.input, output: test.output },
        difficulty: { size: [config.min_size, config.max_size] },
      },
    };
  },
  verify: (answer, problem) =>
    judgeAnswer(answer, problem.answer, (trimmed) => {
      const cells = trimmed.split(/[ \t]+/);
      return cells.every((cell) => /^[0-9]$/.test(cell)) ? cells.join(' ') === problem.answer : 'a row of numbers';
    }),
});
