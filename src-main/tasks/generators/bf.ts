/**
 * Running a program of the language BF in the head. Alike in kind and parameters to reasoning-gym's `bf` (1 prints a word, 2 sums
 * in a loop, 3 sums with a condition), but words, numbers and programs are our own, so instances differ. Changing the word
 * list or how programs are written means raising the version.
 */
import { matchText } from '../answer-match.ts';
import { runBf } from '../bf-machine.ts';
import { BfProgram } from '../bf-program.ts';
import { defineGenerator } from '../define-generator.ts';
import type { PythonRandom } from '../python-random.ts';
import { WORDS } from '../words.ts';

/** Sums stay below 256, so that they fit one cell. The longest program takes some 100,000 steps. */
const MAX_STEPS = 1_000_000;

const WORDS_OF_FIVE = WORDS.filter((word) => word.length === 5);

/** Places on the tape; those marked so are counters and take four cells. */
const CELLS = { missing: 0 /* counter */, until: 4 /* counter */, repeat: 8, sum: 9, ones: 10, tens: 11, hundreds: 12 };
const TO_NEXT_TEN = 13; // counter
const TO_NEXT_HUNDRED = 17; // counter

interface Drawn {
  /** The same in a readable language. */
  source: string;
  program: BfProgram;
}

function printWord(random: PythonRandom): Drawn {
  const word = random.choice(WORDS_OF_FIVE);
  const program = new BfProgram();
  let held = 0;
  for (const letter of word) {
    const code = letter.charCodeAt(0);
    if (held === 0) program.set(0, code);
    else program.add(0, code - held);
    program.print(0);
    held = code;
  }
  return { source: `print "${word}"`, program };
}

/** sum += amount, while the counters that wait for the sum run down. */
function addToSum(program: BfProgram, amount: number, waiting: readonly number[]): void {
  program.add(CELLS.repeat, amount).loop(CELLS.repeat, () => {
    program.add(CELLS.repeat, -1).add(CELLS.sum, 1);
    for (const counter of waiting) program.decrement(counter);
  });
}

/** Counts the sum up in decimal digits, then prints them without leading zeros. */
function printSum(program: BfProgram): void {
  const { sum, ones, tens, hundreds } = CELLS;
  program.add(TO_NEXT_TEN, 10).add(TO_NEXT_HUNDRED, 10);
  program.loop(sum, () => {
    program.add(sum, -1).add(ones, 1).add(TO_NEXT_TEN, -1);
    program.ifZero(TO_NEXT_TEN, () => {
      program.clear(ones).add(TO_NEXT_TEN, 10).add(tens, 1).add(TO_NEXT_HUNDRED, -1);
      program.ifZero(TO_NEXT_HUNDRED, () => {
        program.clear(tens).add(TO_NEXT_HUNDRED, 10).add(hundreds, 1);
      });
    });
  });
  const printDigit = (cell: number): BfProgram => program.add(cell, 48).print(cell).clear(cell);
  program.loop(hundreds, () => {
    printDigit(hundreds);
    printDigit(tens);
  });
  program.loop(tens, () => {
    printDigit(tens);
  });
  printDigit(ones);
}

function sumInLoop(random: PythonRandom): Drawn {
  const x = random.randint(1, 4);
  const y = random.randint(1, 5);
  const target = x * y * random.randint(1, 9) + random.randint(1, 9);
  const program = new BfProgram();
  program.set(CELLS.missing, target).loop(CELLS.missing, () => {
    addToSum(program, x, [CELLS.missing]);
    addToSum(program, y, [CELLS.missing]);
  });
  printSum(program);
  return {
    source: `sum = 0; while sum < ${target} { sum = sum + ${x}; sum = sum + ${y} } print sum`,
    program,
  };
}

function sumWithCondition(random: PythonRandom): Drawn {
  const x = random.randint(1, 5);
  const y = random.randint(1, 6);
  const target = x * y * random.randint(1, 4) + random.randint(1, 9) + 50;
  const threshold = target - random.randint(1, 40);
  const { missing, until } = CELLS;
  const program = new BfProgram();
  program.set(missing, target).set(until, threshold + 1);
  program.loop(missing, () => {
    addToSum(program, x, [missing, until]);
    program.ifZero(until, () => {
      addToSum(program, y, [missing]);
    });
  });
  printSum(program);
  return {
    source: `sum = 0; while sum < ${target} { sum = sum + ${x}; if sum > ${threshold} { sum = sum + ${y} } } print sum`,
    program,
  };
}

const DRAW = [printWord, sumInLoop, sumWithCondition] as const;

const WORDINGS = [
  (program: string) =>
    `In the language BF, on a tape of 8-bit cells that start at 0 and wrap around, what does this program print?\n${program}\n` +
    `Answer with exactly what it prints.`,
  (program: string) =>
    `${program}\nThis is a BF program. Its cells hold 0 to 255, wrap around and start at 0. ` +
    `Write down its output and nothing else.`,
] as const;

export const bf = defineGenerator({
  name: 'bf',
  version: 1,
  summary: 'Tells what a program of the language BF prints.',
  fields: { difficulty: { kind: 'integer', default: 1, min: 1, max: 3 } },
  rules: [],
  levels: [
    { name: 'reference', config: {} },
    { name: 'medium', config: { difficulty: 2 } },
    { name: 'hard', config: { difficulty: 3 } },
  ],
  draw(random, config) {
    const { source, program } = DRAW[config.difficulty - 1]!(random);
    const run = runBf(program.text, MAX_STEPS);
    if (!run.ok) throw new Error(`program of "${source}" fails: ${run.reason}`);
    return {
      question: random.choice(WORDINGS)(program.text),
      terse: `bf ${program.text}`,
      answer: run.output,
      metadata: { source, bf_program: program.text, difficulty: { difficulty: config.difficulty } },
    };
  },
  verify: (answer, problem) => matchText(answer, problem.answer),
});
