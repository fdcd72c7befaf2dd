/**
 * Drawing a conclusion from premises. Reference: reasoning-gym `propositional_logic` (Apache-2.0).
 *
 * Any formula over the premises' variables is right that holds wherever all premises hold, says something (is not always true) and
 * is more than a bare variable; decided by truth table. The reference's own example may fail that, since it gives up after a hundred
 * tries; it stays in the metadata, and the answer is then the premises joined by ∧. No instance where only what is always
 * true follows.
 */
import { judgeAnswer } from '../answer-match.ts';
import { ordered, type ConfigOf } from '../config-fields.ts';
import { conclusionCredit } from '../credit/logic-credit.ts';
import { defineGenerator } from '../define-generator.ts';
import { UndefinedInstanceError } from '../undefined-instance.ts';
import { entailment, formulaSize, formulaText, isTautology, parseFormula, type Formula } from '../logic.ts';
import type { PythonRandom } from '../python-random.ts';
import type { TaskProblem } from '../task.ts';

const FIELDS = {
  min_vars: { kind: 'integer', default: 2, min: 1, max: 11 },
  max_vars: { kind: 'integer', default: 4, min: 1, max: 11 },
  min_statements: { kind: 'integer', default: 2, min: 1, max: 12 },
  max_statements: { kind: 'integer', default: 4, min: 1, max: 12 },
  min_complexity: { kind: 'integer', default: 1, min: 1, max: 6 },
  max_complexity: { kind: 'integer', default: 3, min: 1, max: 6 },
} as const;

/** In the reference's order: an operator is drawn by position. */
const OPERATORS = ['∧', '∨', '¬', '→', '↔'] as const;

function variable(name: string): Formula {
  return { kind: 'variable', name };
}

function drawFormula(random: PythonRandom, variables: readonly string[], depth: number): Formula {
  if (depth <= 1) return variable(random.choice(variables));
  const operator = random.choice(OPERATORS);
  const left = drawFormula(random, variables, depth - 1);
  if (operator === '¬') return { kind: 'not', inner: left };
  return { kind: 'binary', operator, left, right: drawFormula(random, variables, depth - 1) };
}

/** What the reference's simplification does to a formula of depth two: an implication becomes a disjunction. */
function withoutImplication(formula: Formula): Formula {
  if (formula.kind !== 'binary' || formula.operator !== '→') return formula;
  return { ...formula, operator: '∨', left: { kind: 'not', inner: formula.left } };
}

function saysSomething(formula: Formula): boolean {
  return formula.kind !== 'variable' && !isTautology(formula);
}

/** The first of a hundred drawn candidates that follows and says something, or the first variable. */
function drawConclusion(
  random: PythonRandom,
  variables: readonly string[],
  follows: (formula: Formula) => boolean,
): Formula {
  for (let attempt = 0; attempt < 100; attempt++) {
    const candidate = withoutImplication(drawFormula(random, variables, 2));
    if (follows(candidate) && saysSomething(candidate)) return candidate;
  }
  return variable(variables[0]!);
}

function joined(premises: readonly Formula[]): Formula {
  // A lone bare variable counts as saying nothing, so it is joined with itself.
  const [first, ...rest] = premises.length === 1 ? [premises[0]!, premises[0]!] : premises;
  return rest.reduce((left, right): Formula => ({ kind: 'binary', operator: '∧', left, right }), first!);
}

const SYMBOLS = 'Write ∧ for and, ∨ for or, ¬ for not, → for implies, ↔ for if and only if.';

const WORDINGS = [
  (premises: string) =>
    `These statements are true:\n${premises}\nState something that follows from them. It must contain one of the symbols and must not ` +
    `be true regardless of the statements. ${SYMBOLS}`,
  (premises: string) =>
    `Premises:\n${premises}\nGive one formula that must hold whenever all premises hold, that has at least one connective and is not a tautology. ` +
    SYMBOLS,
  (premises: string) =>
    `Assume all of the following:\n${premises}\nWhich compound formula follows? Any will do, unless it is always true. ${SYMBOLS}`,
] as const;

/** Right, or why not; `premises` and `variables` are the metadata's. */
function judgeConclusion(text: string, problem: TaskProblem): boolean | string {
  const { premises, variables } = problem.metadata as { premises: string[]; variables: string[] };
  const formula = parseFormula(text);
  if (formula === null) return 'a formula in the symbols ∧ ∨ ¬ → ↔, capital letters and parentheses';
  if ([...text.matchAll(/[A-Z]/g)].some(([name]) => !variables.includes(name)))
    return 'about the variables of the premises';
  if (formula.kind === 'variable') return 'a compound formula';
  if (isTautology(formula)) return 'informative, since it is always true';
  return entailment(
    premises.map((premise) => parseFormula(premise)!),
    variables,
  )(formula);
}

function drawPremises(random: PythonRandom, config: ConfigOf<typeof FIELDS>, variables: readonly string[]): Formula[] {
  const count = random.randint(config.min_statements, config.max_statements);
  return Array.from({ length: count }, () =>
    drawFormula(random, variables, random.randint(config.min_complexity, config.max_complexity)),
  );
}

export const propositionalLogic = defineGenerator({
  name: 'propositional_logic',
  version: 1,
  summary: 'Draws a conclusion from statements of propositional logic.',
  fields: FIELDS,
  rules: [
    ordered('min_vars', 'max_vars'),
    ordered('min_statements', 'max_statements'),
    ordered('min_complexity', 'max_complexity'),
  ],
  levels: [
    { name: 'starter', config: { max_vars: 2, max_statements: 2, max_complexity: 2 } },
    { name: 'easy', config: { max_vars: 3, max_statements: 3, max_complexity: 2 } },
    { name: 'reference', config: {} },
    { name: 'hard', config: { min_vars: 4, max_vars: 8, min_statements: 4, max_statements: 8, min_complexity: 2 } },
  ],
  draw(random, config) {
    const count = random.randint(config.min_vars, config.max_vars);
    const variables = Array.from('PQRSTUVWXYZ'.slice(0, count));
    const premises = drawPremises(random, config, variables);
    const follows = entailment(premises, variables);
    const example = drawConclusion(random, variables, follows);
    const answer = follows(example) && saysSomething(example) ? example : joined(premises);
    if (isTautology(answer)) throw new UndefinedInstanceError('only what is always true follows in this instance');
    const texts = premises.map(formulaText);
    const listed = texts.map((text, i) => `${i + 1}. ${text}`).join('\n');
    return {
      question: WORDINGS.map((wording) => wording(listed)),
      terse: `infer ${texts.join('; ').replaceAll(' ', '')}`,
      answer: formulaText(answer),
      metadata: {
        premises: texts,
        variables,
        complexity: formulaSize(example),
        example_answer: formulaText(example),
        difficulty: {
          vars: [config.min_vars, config.max_vars],
          statements: [config.min_statements, config.max_statements],
          complexity: [config.min_complexity, config.max_complexity],
        },
      },
    };
  },
  verify: (answer, problem) =>
    judgeAnswer(answer, (problem.metadata.premises as string[]).join(' '), (trimmed) =>
      judgeConclusion(trimmed, problem),
    ),
  partialCredit: conclusionCredit,
});
