/** Distance to the nearest zero of each cell of a bit matrix. Reference: reasoning-gym `binary_matrix` (Apache-2.0). */
import { judgeAnswer } from '../answer-match.ts';
import { ordered } from '../config-fields.ts';
import { matrixCredit } from '../credit/list-credit.ts';
import { defineGenerator } from '../define-generator.ts';
import type { PythonRandom } from '../python-random.ts';

type Matrix = number[][];

/** One cell is zero for sure, so that every distance exists. */
function drawMatrix(random: PythonRandom, n: number, zeroShare: number): Matrix {
  const cells = [0, ...Array.from({ length: n * n - 1 }, () => (random.random() < zeroShare ? 0 : 1))];
  random.shuffle(cells);
  return Array.from({ length: n }, (_, row) => cells.slice(row * n, (row + 1) * n));
}

/** Taxicab distances by two sweeps: what comes from above and left, then from below and right. */
function distancesToZero(matrix: Matrix): Matrix {
  const n = matrix.length;
  const far = 2 * n;
  const distances = matrix.map((row) => row.map((cell) => (cell === 0 ? 0 : far)));
  const sweep = (order: readonly number[], step: number): void => {
    for (const row of order) {
      for (const column of order) {
        const above = distances[row - step]?.[column] ?? far;
        const beside = distances[row]![column - step] ?? far;
        distances[row]![column] = Math.min(distances[row]![column]!, above + 1, beside + 1);
      }
    }
  };
  const forward = Array.from({ length: n }, (_, i) => i);
  sweep(forward, 1);
  sweep(forward.toReversed(), -1);
  return distances;
}

function matrixText(matrix: Matrix): string {
  return matrix.map((row) => row.join(' ')).join('\n');
}

const WORDINGS = [
  (matrix: string) =>
    `For each cell of this matrix, how many steps up, down, left or right is it to the nearest 0? A 0 itself is 0 steps away.\n` +
    `${matrix}\nAnswer with a matrix of the same shape: one row a line, numbers separated by spaces.`,
  (matrix: string) =>
    `Here is a matrix of zeros and ones:\n${matrix}\nReplace each cell by its taxicab distance to the closest 0. ` +
    `Write the result the same way, row by row, with spaces between the numbers.`,
  (matrix: string) =>
    `${matrix}\nMoving only between cells that share a side, how far is each cell of the matrix above from its nearest 0? ` +
    `Give the distances as rows of numbers separated by spaces, one row per line.`,
] as const;

export const binaryMatrix = defineGenerator({
  name: 'binary_matrix',
  version: 1,
  summary: 'Gives each cell of a bit matrix its distance to the nearest zero.',
  fields: {
    min_n: { kind: 'integer', default: 3, min: 1, max: 100 },
    max_n: { kind: 'integer', default: 10, min: 1, max: 100 },
    p_zero: { kind: 'number', default: 0.25, min: 0, max: 1 },
  },
  rules: [ordered('min_n', 'max_n'), ({ p_zero: share }) => (share > 0 ? null : 'config field p_zero must be above 0')],
  levels: [
    { name: 'starter', config: { min_n: 2, max_n: 3, p_zero: 0.5 } },
    { name: 'easy', config: { max_n: 5, p_zero: 0.5 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_n: 10, max_n: 25, p_zero: 0.1 } },
  ],
  draw(random, config) {
    const n = random.randint(config.min_n, config.max_n);
    const matrix = drawMatrix(random, n, config.p_zero);
    const solution = distancesToZero(matrix);
    const text = matrixText(matrix);
    return {
      question: WORDINGS.map((wording) => wording(text)),
      terse: `matrix ${matrix.map((row) => row.join('')).join(' ')}`,
      answer: matrixText(solution),
      metadata: {
        matrix,
        solution,
        n,
        difficulty: { n: [config.min_n, config.max_n], p_zero: config.p_zero },
      },
    };
  },
  verify: (answer, problem) =>
    judgeAnswer(answer, problem.answer, (trimmed) => {
      const rows = trimmed.split('\n').map((row) => row.trim().split(/[ \t]+/));
      if (!rows.flat().every((cell) => /^[0-9]+$/.test(cell))) return 'rows of numbers';
      return rows.map((row) => row.join(' ')).join('\n') === problem.answer;
    }),
  partialCredit: matrixCredit,
});
