/**
 * The reference's partial credit for conclusions: a quarter for what is always true or a bare name, a twentieth for anything else that
 * reads as a formula. Its parser takes any text for a name, so this one does too; strict verdicts use `parseFormula`.
 *
 * Bounds of our own: formulas beyond `MAX_CHARS`, nested beyond `MAX_NESTING` or with more than `MAX_NAMES` names in all earn 0.
 */
import {
  collectVariables,
  entailment,
  isTautology,
  parseFormula,
  type BinaryOperator,
  type Formula,
} from '../logic.ts';
import type { CreditRule } from './credit-rules.ts';
import { pythonStrip } from './python-number.ts';

const MAX_CHARS = 4096;
const MAX_NESTING = 400;
const MAX_NAMES = 16;
const OPERATORS: readonly BinaryOperator[] = ['↔', '→', '∨', '∧'];

/** Whether the first and the last parenthesis belong together. */
function isEnclosed(text: string): boolean {
  if (!text.startsWith('(') || !text.endsWith(')')) return false;
  let level = 0;
  for (const char of text.slice(1, -1)) {
    if (char === '(') level++;
    if (char === ')' && --level < 0) return false;
  }
  return level === 0;
}

/** Splits at the last loosest operator outside parentheses, however badly these pair up; null where a part is empty or too deep. */
function parseLoosely(text: string, depth = 0): Formula | null {
  let bare = pythonStrip(text);
  let nesting = depth + 1;
  for (; nesting < MAX_NESTING && isEnclosed(bare); nesting++) bare = pythonStrip(bare.slice(1, -1));
  if (bare === '' || nesting >= MAX_NESTING) return null;
  for (const operator of OPERATORS) {
    let level = 0;
    for (let i = bare.length - 1; i >= 0; i--) {
      if (bare[i] === ')') level++;
      else if (bare[i] === '(') level--;
      else if (level === 0 && bare[i] === operator) {
        const left = parseLoosely(bare.slice(0, i), nesting);
        const right = left && parseLoosely(bare.slice(i + 1), nesting);
        return left && right && { kind: 'binary', operator, left, right };
      }
    }
  }
  if (!bare.startsWith('¬')) return { kind: 'variable', name: bare };
  const inner = parseLoosely(bare.slice(1), nesting);
  return inner && { kind: 'not', inner };
}

export const conclusionCredit: CreditRule = (answer, { metadata }) => {
  const { premises, variables } = metadata as { premises: string[]; variables: string[] };
  if ([...answer.matchAll(/[A-Z]/g)].some(([name]) => !variables.includes(name))) return 0;
  const stripped = pythonStrip(answer);
  // However long, text without symbols is one name.
  const isName = !/[()∧∨¬→↔]/.test(stripped);
  if (stripped.length > MAX_CHARS && !isName) return 0;
  const formula = parseLoosely(stripped);
  if (formula === null) return 0;
  const names = [...new Set([...variables, ...collectVariables(formula)])];
  if (names.length > MAX_NAMES) return 0;
  const read = premises.map((premise) => parseFormula(premise)!);
  if (!entailment(read, names)(formula)) return 0.05;
  return formula.kind === 'variable' || isTautology(formula) ? 0.25 : 1;
};
