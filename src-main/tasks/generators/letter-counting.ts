/**
 * Counting a letter in a row of words. Alike in kind and parameters to reasoning-gym's `letter_counting`, but the words are
 * drawn one by one from our own list, so instances differ. Changing the list means raising the version.
 */
import { matchInteger } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { defineGenerator } from '../define-generator.ts';
import { WORDS } from '../words.ts';

export const letterCounting = defineGenerator({
  name: 'letter_counting',
  version: 1,
  summary: 'Counts how often a letter occurs in a row of words.',
  fields: {
    min_words: { kind: 'integer', default: 5, min: 1, max: 200 },
    max_words: { kind: 'integer', default: 15, min: 1, max: 200 },
  },
  rules: [ordered('min_words', 'max_words')],
  levels: [
    { name: 'starter', config: { min_words: 1, max_words: 3 } },
    { name: 'reference', config: {} },
    { name: 'medium', config: { min_words: 10, max_words: 40 } },
    { name: 'hard', config: { min_words: 40, max_words: 100 } },
  ],
  draw(random, config) {
    const count = random.randint(config.min_words, config.max_words);
    const span = Array.from({ length: count }, () => random.choice(WORDS));
    const text = span.join(' ');
    const letter = random.choice([...new Set(span.join(''))].sort());
    return {
      question: [
        `In the words "${text}", how many times does the letter ${letter} occur?`,
        `Count the letter ${letter} in this text: "${text}"`,
        `How often is ${letter} written in "${text}"?`,
      ],
      terse: `count ${letter} ${text}`,
      answer: String(text.split(letter).length - 1),
      metadata: {
        span_length: count,
        target_letter: letter,
        span,
        difficulty: { words: [config.min_words, config.max_words] },
      },
    };
  },
  verify: (answer, problem) => matchInteger(answer, problem.answer),
});
