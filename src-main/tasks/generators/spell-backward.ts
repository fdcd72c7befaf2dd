/**
 * Spelling a word backwards. Alike in kind and parameters to reasoning-gym's `spell_backward`, but the words are our own list,
 * so instances differ from the reference's. Changing the list means raising the version.
 */
import { judgeAnswer } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { lettersCredit } from '../credit/credit-rules.ts';
import { defineGenerator } from '../define-generator.ts';
import type { PythonRandom } from '../python-random.ts';
import { WORDS } from '../words.ts';

/** One of the words of `min` to `max` letters, all alike likely. Counts them first: a list of them would be made for every task. */
function chooseWord(random: PythonRandom, min: number, max: number): string {
  const fits = (word: string) => word.length >= min && word.length <= max;
  let left = random.randbelow(WORDS.reduce((count, word) => count + (fits(word) ? 1 : 0), 0));
  return WORDS.find((word) => fits(word) && left-- === 0)!;
}

export const spellBackward = defineGenerator({
  name: 'spell_backward',
  version: 1,
  summary: 'Spells an English word backwards.',
  fields: {
    min_word_len: { kind: 'integer', default: 3, min: 1, max: 8 },
    max_word_len: { kind: 'integer', default: 10, min: 3, max: 10 },
  },
  rules: [ordered('min_word_len', 'max_word_len')],
  levels: [
    { name: 'starter', config: { max_word_len: 6 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_word_len: 7 } },
  ],
  draw(random, config) {
    const word = chooseWord(random, config.min_word_len, config.max_word_len);
    return {
      question: [
        `Write the word "${word}" with its letters in reverse order.`,
        `Spell "${word}" backwards.`,
        `Which string do you get when you read "${word}" from its last letter to its first?`,
      ],
      terse: `reverse ${word}`,
      answer: Array.from(word).reverse().join(''),
      metadata: {
        word,
        word_len: word.length,
        difficulty: { word_len: [config.min_word_len, config.max_word_len] },
      },
    };
  },
  verify: (answer, problem) =>
    judgeAnswer(answer, problem.answer, (trimmed) => trimmed.toLowerCase() === problem.answer),
  partialCredit: lettersCredit,
});
