/**
 * Propositional formulas: text to tree within limits, tree to text, and truth tables. Knows nothing of tasks.
 *
 * Grammar of `parseFormula`: ↔ binds loosest, then →, ∨, ∧, ¬; equal ones group to the left; names are single capital letters.
 * A truth table is one bit per assignment in 32-bit words: bit i is the value where variable j is true iff bit j of i is set.
 */

export type BinaryOperator = '∧' | '∨' | '→' | '↔';

export type Formula =
  | { kind: 'variable'; name: string }
  | { kind: 'not'; inner: Formula }
  | { kind: 'binary'; operator: BinaryOperator; left: Formula; right: Formula };

const MAX_NESTING = 100;
const LOOSEST_FIRST: readonly BinaryOperator[] = ['↔', '→', '∨', '∧'];

/** A parser by recursive descent, linear in the text; null on anything that is not a formula or nests too deep. */
export function parseFormula(text: string): Formula | null {
  const symbols = text.replace(/\s+/g, '');
  let at = 0;
  let depth = 0;

  const chain = (level: number): Formula | null => {
    if (level === LOOSEST_FIRST.length) return unary();
    let left = chain(level + 1);
    while (left !== null && symbols[at] === LOOSEST_FIRST[level]) {
      at++;
      const right = chain(level + 1);
      left = right && { kind: 'binary', operator: LOOSEST_FIRST[level]!, left, right };
    }
    return left;
  };
  const nested = (parse: () => Formula | null): Formula | null => {
    if (++depth > MAX_NESTING) return null;
    const formula = parse();
    depth--;
    return formula;
  };
  const unary = (): Formula | null => {
    const symbol = symbols[at++] ?? '';
    if (/^[A-Z]$/.test(symbol)) return { kind: 'variable', name: symbol };
    if (symbol === '¬') {
      const inner = nested(unary);
      return inner && { kind: 'not', inner };
    }
    if (symbol !== '(') return null;
    const inner = nested(() => chain(0));
    return symbols[at++] === ')' ? inner : null;
  };

  const formula = chain(0);
  return at === symbols.length ? formula : null;
}

/** Binary formulas in parentheses, as the reference library prints them. */
export function formulaText(formula: Formula): string {
  if (formula.kind === 'variable') return formula.name;
  if (formula.kind === 'not') return `¬${formulaText(formula.inner)}`;
  return `(${formulaText(formula.left)} ${formula.operator} ${formulaText(formula.right)})`;
}

/** Variables and operators in all. */
export function formulaSize(formula: Formula): number {
  if (formula.kind === 'variable') return 1;
  if (formula.kind === 'not') return 1 + formulaSize(formula.inner);
  return 1 + formulaSize(formula.left) + formulaSize(formula.right);
}

export function collectVariables(formula: Formula, names: Set<string> = new Set()): Set<string> {
  if (formula.kind === 'variable') names.add(formula.name);
  else if (formula.kind === 'not') collectVariables(formula.inner, names);
  else {
    collectVariables(formula.left, names);
    collectVariables(formula.right, names);
  }
  return names;
}

/** Where variables 0 to 4 are true within a word of 32 assignments. */
const PATTERNS = [0xaaaaaaaa, 0xcccccccc, 0xf0f0f0f0, 0xff00ff00, 0xffff0000];

const COMBINE: Record<BinaryOperator, (a: number, b: number) => number> = {
  '∧': (a, b) => a & b,
  '∨': (a, b) => a | b,
  '→': (a, b) => ~a | b,
  '↔': (a, b) => ~(a ^ b),
};

/** `variables` must hold every variable of the formula, 20 at most; the table has 2^max(variables, 5) bits. */
export function truthTable(formula: Formula, variables: readonly string[]): Int32Array {
  const words = 2 ** Math.max(0, variables.length - 5);
  if (formula.kind === 'variable') {
    const j = variables.indexOf(formula.name);
    const pattern = PATTERNS[j];
    return pattern === undefined
      ? Int32Array.from({ length: words }, (_, word) => ((word >>> (j - 5)) & 1 ? -1 : 0))
      : new Int32Array(words).fill(pattern);
  }
  if (formula.kind === 'not') return truthTable(formula.inner, variables).map((word) => ~word);
  const combine = COMBINE[formula.operator];
  const right = truthTable(formula.right, variables);
  return truthTable(formula.left, variables).map((word, i) => combine(word, right[i]!));
}

export function isTautology(formula: Formula): boolean {
  return truthTable(formula, [...collectVariables(formula)]).every((word) => word === -1);
}

/** True wherever all of `formulas` are. */
function conjunctionTable(formulas: readonly Formula[], variables: readonly string[]): Int32Array {
  const all = new Int32Array(2 ** Math.max(0, variables.length - 5)).fill(-1);
  for (const formula of formulas) truthTable(formula, variables).forEach((word, i) => (all[i]! &= word));
  return all;
}

/** What follows from the premises, decided once for many conclusions. `variables` as for `truthTable`. */
export function entailment(premises: readonly Formula[], variables: readonly string[]): (c: Formula) => boolean {
  const premisesTable = conjunctionTable(premises, variables);
  return (conclusion) => {
    const table = truthTable(conclusion, variables);
    return premisesTable.every((word, i) => (word & ~table[i]!) === 0);
  };
}
