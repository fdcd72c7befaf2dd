/** What holds for every generator, any accepted config, seed and index, and any text. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { plainDecimal, integerText } from '../../src-main/tasks/answer-match.ts';
import { runBf } from '../../src-main/tasks/bf-machine.ts';
import {
  addDecimals,
  decimalPlainText,
  decimalString,
  divideDecimals,
  multiplyDecimals,
  parseDecimal,
  subtractDecimals,
  type Decimal,
} from '../../src-main/tasks/decimal.ts';
import { evaluateFloor } from '../../src-main/tasks/floor-arithmetic.ts';
import { entailment, formulaText, parseFormula, truthTable } from '../../src-main/tasks/logic.ts';
import { fixedText, floatText } from '../../src-main/tasks/python-text.ts';
import { listGenerators } from '../../src-main/tasks/registry.ts';
import { instantiate, parseTaskRef, taskRefKey } from '../../src-main/tasks/task-ref.ts';
import type { TaskInstance } from '../../src-main/tasks/task.ts';
import { verifyCompletion, verifyGroup } from '../../src-main/tasks/verify-completions.ts';
import type { TaskRef } from '../../src-main/types.ts';

const LONGEST_SEED = 10n ** 40n - 1n;

/** References of one generator at any of its levels. */
function refsOf(generator: ReturnType<typeof listGenerators>[number]): fc.Arbitrary<TaskRef> {
  return fc.record({
    generator: fc.constant(generator.name),
    version: fc.constant(generator.version),
    config: fc.constantFrom(...generator.levels.map((level) => level.config)),
    seed: fc.bigInt({ min: -LONGEST_SEED, max: LONGEST_SEED }).map(String),
    index: fc.nat(2 ** 31 - 1),
  });
}

/** References with one or two numbers of the config anywhere in a wide range; many are refused. */
function wildRefsOf(generator: ReturnType<typeof listGenerators>[number]): fc.Arbitrary<TaskRef> {
  const numeric = Object.keys(generator.defaults).filter((key) => typeof generator.defaults[key] === 'number');
  const change = fc.dictionary(fc.constantFrom(...numeric), fc.oneof(fc.integer({ min: -1, max: 40 }), fc.double()), {
    maxKeys: 3,
  });
  return fc
    .tuple(refsOf(generator), change)
    .map(([ref, changed]) => ({ ...ref, config: { ...ref.config, ...changed } }));
}

/** Null where the reference library has no instance either. */
function made(ref: unknown): TaskInstance | null {
  const result = instantiate(ref);
  return result.ok ? result.instance : null;
}

const HOSTILE_TEXT = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.stringMatching(/^[-+0-9.,/*× [\]'"x{}$\\fracd]{0,60}$/),
  fc.stringMatching(/^[PQRS ()∧∨¬→↔]{0,40}$/),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('utf8')),
);

for (const generator of listGenerators()) {
  test(`${generator.name}: regenerates equal, its answers verify, through JSON too`, () => {
    fc.assert(
      fc.property(refsOf(generator), (ref) => {
        const instance = made(ref);
        if (instance === null) return;
        assert.deepEqual(made(JSON.parse(JSON.stringify(instance.ref))), instance);
        assert.deepEqual(JSON.parse(JSON.stringify(instance)), instance);
        for (const answer of [instance.answer, instance.terseAnswer, ` ${instance.terseAnswer}\n`]) {
          if (answer === '') continue; // the reference's zero in base_conversion
          assert.equal(generator.verify(answer, instance).reward, 1, `${instance.terse} => ${answer}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  test(`${generator.name}: verify never throws, gives 0 or 1, and repeats nothing`, () => {
    fc.assert(
      fc.property(refsOf(generator), HOSTILE_TEXT, (ref, text) => {
        const group = verifyGroup(ref, [text, `<answer>${text}</answer>`, `${text}</answer>`]);
        if (!group.ok) return;
        for (const { reward, reason } of group.verdicts) {
          assert.ok(reward === 0 || reward === 1);
          assert.ok(text.length < 12 || !reason.includes(text));
        }
      }),
      { numRuns: 60 },
    );
  });

  test(`${generator.name}: any config is refused or works, and partial credit lies from 0 to 1`, () => {
    let worked = 0;
    fc.assert(
      fc.property(wildRefsOf(generator), HOSTILE_TEXT, (ref, text) => {
        const instance = made(ref);
        if (instance === null) return;
        worked++;
        assert.equal(generator.verify(instance.terseAnswer, instance).reward, 1, JSON.stringify(instance.ref));
        for (const answer of [text, instance.answer, `${instance.answer} `, instance.answer.slice(1)]) {
          const { reward } = verifyCompletion(instance, `<answer>${answer}</answer>`, { scoring: 'partial' });
          assert.ok(reward >= 0 && reward <= 1, `${reward}`);
          if (answer === instance.answer && answer !== '') assert.equal(reward, 1, JSON.stringify(instance.ref));
        }
      }),
      { numRuns: 60, seed: 3 },
    );
    assert.ok(worked >= 5, `${worked} worked`);
  });

  test(`${generator.name}: neighbouring indices differ`, () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: LONGEST_SEED }), (seed) => {
        const { name, version } = generator;
        const config = generator.levels.at(-1)!.config;
        const instances = Array.from({ length: 20 }, (_, index) =>
          made({ generator: name, version, config, seed: String(seed), index }),
        );
        const present = instances.filter((instance) => instance !== null);
        assert.ok(new Set(present.map((instance) => instance.terse)).size >= 15);
        assert.equal(new Set(present.map((instance) => taskRefKey(instance.ref))).size, present.length);
      }),
      { numRuns: 8 },
    );
  });
}

test('parseTaskRef takes anything without throwing, and its result parses to itself', () => {
  const names = listGenerators().map((generator) => generator.name);
  const almost = fc.record(
    {
      generator: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, fc.anything()),
      version: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.anything()),
      config: fc.oneof(
        fc.dictionary(fc.constantFrom('min_terms', 'max_terms', 'min_value', 'max_value', 'styles'), fc.anything()),
        fc.constant({}),
        fc.dictionary(fc.constantFrom('min_terms', 'max_value', 'max_digits'), fc.nat(20)),
        fc.anything(),
      ),
      seed: fc.oneof(
        { weight: 9, arbitrary: fc.bigInt({ min: -LONGEST_SEED, max: LONGEST_SEED }).map(String) },
        fc.anything(),
      ),
      index: fc.oneof({ weight: 9, arbitrary: fc.nat() }, fc.anything()),
    },
    { requiredKeys: ['generator', 'version', 'config', 'seed'] },
  );
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(almost, fc.anything()), (value) => {
      const parsed = parseTaskRef(value);
      if (!parsed.ok) return;
      accepted++;
      assert.deepEqual(parseTaskRef(parsed.ref), parsed);
    }),
    { numRuns: 600, seed: 1 },
  );
  assert.ok(accepted > 20, `${accepted} accepted`);
});

test('number texts read back equal', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.ok(Object.is(Number(floatText(value)), value));
    }),
  );
  fc.assert(
    fc.property(fc.bigInt(), fc.nat(5), (value, zeros) => {
      const padded = `${value < 0n ? '-' : '+'}${'0'.repeat(zeros)}${value < 0n ? -value : value}`;
      assert.equal(integerText(padded), String(value));
      assert.equal(plainDecimal(`${padded}.${'0'.repeat(zeros)}`), String(value));
    }),
  );
});

test('floor arithmetic agrees with numbers where those are exact', () => {
  const leaf = fc
    .integer({ min: -20, max: 20 })
    .map((value) => ({ text: value < 0 ? `(${value})` : String(value), value }));
  const tree = fc.letrec<{ node: { text: string; value: number } }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.tuple(tie('node'), fc.constantFrom('+', '-', '*', '/'), tie('node')).map(([a, operator, b]) => {
        const apply = {
          '+': a.value + b.value,
          '-': a.value - b.value,
          '*': a.value * b.value,
          '/': Math.floor(a.value / b.value),
        };
        return { text: `(${a.text} ${operator} ${b.text})`, value: apply[operator as '+'] };
      }),
    ),
  })).node;
  fc.assert(
    fc.property(tree, ({ text, value }) => {
      if (!Number.isSafeInteger(value) || /\/ 0\b/.test(text)) return;
      let got: bigint;
      try {
        got = evaluateFloor(text);
      } catch {
        return; // a division by zero further in
      }
      assert.equal(got, BigInt(value));
    }),
  );
});

/** Formulas of up to four variables, as text with every operation in parentheses, and as a function. */
const FORMULAS = fc.letrec<{ node: { text: string; value: (row: number) => boolean } }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.nat(3).map((j) => ({ text: 'PQRS'[j]!, value: (row: number) => ((row >> j) & 1) === 1 })),
    tie('node').map(({ text, value }) => ({ text: `¬${text}`, value: (row: number) => !value(row) })),
    fc.tuple(tie('node'), fc.constantFrom('∧', '∨', '→', '↔'), tie('node')).map(([a, operator, b]) => ({
      text: `(${a.text} ${operator} ${b.text})`,
      value: (row: number) => {
        const [x, y] = [a.value(row), b.value(row)];
        return { '∧': x && y, '∨': x || y, '→': !x || y, '↔': x === y }[operator];
      },
    })),
  ),
})).node;

test('truth tables agree with evaluation row by row, and formulas print as they read', () => {
  fc.assert(
    fc.property(FORMULAS, ({ text, value }) => {
      const formula = parseFormula(text)!;
      assert.equal(formulaText(formula), text);
      const [word] = truthTable(formula, ['P', 'Q', 'R', 'S']);
      for (let row = 0; row < 16; row++) assert.equal(((word! >> row) & 1) === 1, value(row), `${text} row ${row}`);
    }),
    { numRuns: 200 },
  );
});

test('a premise that says something follows, its negation does not', () => {
  fc.assert(
    fc.property(fc.array(FORMULAS, { minLength: 1, maxLength: 4 }), (formulas) => {
      const premises = formulas.map(({ text }) => parseFormula(text)!);
      const follows = entailment(premises, ['P', 'Q', 'R', 'S']);
      const isPossible = Array.from({ length: 16 }, (_, row) => row).some((row) =>
        formulas.every(({ value }) => value(row)),
      );
      for (const premise of premises) {
        assert.ok(follows(premise));
        assert.equal(follows({ kind: 'not', inner: premise }), !isPossible);
      }
    }),
    { numRuns: 100 },
  );
});

test('the BF machine ends on any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...Array.from('+-<>[].,x')), maxLength: 60 }), (program) => {
      const run = runBf(program, 2000);
      assert.ok(run.ok ? run.steps <= 2000 : run.reason.length > 0);
    }),
    { numRuns: 300 },
  );
});

test('decimals agree with integers where those are exact', () => {
  const small = fc.integer({ min: -1e6, max: 1e6 });
  fc.assert(
    fc.property(small, small, fc.nat(4), (a, b, places) => {
      const of = (value: number): Decimal => ({ ...parseDecimal(fixedText(BigInt(value), places)) });
      const scaled = (text: string): number => Math.round(Number(text) * 10 ** (2 * places));
      assert.equal(scaled(decimalString(addDecimals(of(a), of(b), 40))), (a + b) * 10 ** places);
      assert.equal(scaled(decimalString(subtractDecimals(of(a), of(b), 40))), (a - b) * 10 ** places + 0);
      if (Math.abs(a * b) < 2 ** 50)
        assert.equal(scaled(decimalPlainText(multiplyDecimals(of(a), of(b), 40))), a * b + 0);
      if (b !== 0) {
        const quotient = Number(decimalString(divideDecimals(of(a), of(b), 40)));
        assert.ok(Math.abs(quotient - a / b) <= 1e-12 * Math.abs(a / b));
      }
    }),
  );
});
