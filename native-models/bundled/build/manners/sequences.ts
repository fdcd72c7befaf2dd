/** How spell_backward and number_sorting are worked out, and what goes wrong. */
import { pick, type RandomFloat, type Solver } from './manner.ts';

/** The items with two neighbours exchanged. */
function swapped<T>(items: readonly T[], random: RandomFloat): T[] {
  const at = Math.floor(random() * (items.length - 1));
  const copy = [...items];
  [copy[at], copy[at + 1]] = [copy[at + 1]!, copy[at]!];
  return copy;
}

export const spellBackwardSolver: Solver = {
  // A guess is nearly always right here, so it is rare.
  weights: { guess: 0.14, worked: 0.2, careless: 0.66 },
  work: ({ metadata }) => Array.from(metadata.word as string).join('.'),
  slip({ answer }, random) {
    const letters = Array.from(answer);
    const at = Math.floor(random() * letters.length);
    const wrong = pick(random, [
      swapped(letters, random),
      letters.toSpliced(at, 1),
      letters.toSpliced(at, 0, letters[at]!),
      swapped(letters, random),
    ]);
    return { steps: '', answer: wrong.join('') };
  },
};

export const numberSortingSolver: Solver = {
  weights: { guess: 0.2, worked: 0.22, careless: 0.58 },
  work({ terse, metadata }) {
    // Insertion: the sorted list after each further number but the last, which is the answer.
    const numbers = terse.split(' ').slice(1, -1).map(Number);
    const rising = metadata.direction === 'ascending';
    return numbers
      .slice(0, -1)
      .map((_, i) => numbers.slice(0, i + 1).sort((a, b) => (rising ? a - b : b - a)))
      .slice(1)
      .map((list) => list.join(' '))
      .join(';');
  },
  slip({ terseAnswer }, random) {
    const numbers = terseAnswer.split(' ');
    const at = Math.floor(random() * numbers.length);
    const wrong = pick(random, [
      swapped(numbers, random),
      swapped(numbers, random),
      numbers.toReversed(),
      numbers.toSpliced(at, 1),
    ]);
    return { steps: '', answer: wrong.join(' ') };
  },
};
