/** Answer extraction, group verification, and each verifier against right, wrong and hostile answers. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { extractAnswer } from '../../../src-main/tasks/extract-answer.ts';
import { getGenerator, listGenerators } from '../../../src-main/tasks/registry.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import type { TaskInstance } from '../../../src-main/tasks/task.ts';
import { verifyGroup } from '../../../src-main/tasks/verify-completions.ts';
import type { JsonObject } from '../../../src-main/types.ts';

function instance(generator: string, config: JsonObject, index: number): TaskInstance {
  const made = instantiate({ generator, version: 1, config, seed: '11', index });
  assert.ok(made.ok, made.ok ? '' : made.reason);
  return made.instance;
}

/** The first instance of the reference config for which `wanted` holds. */
function instanceWhere(generator: string, wanted: (instance: TaskInstance) => boolean): TaskInstance {
  for (let index = 0; index < 10_000; index++) {
    const made = instance(generator, {}, index);
    if (wanted(made)) return made;
  }
  throw new Error('no such instance');
}

test('the last complete answer tag counts', () => {
  const answer = (text: string): string | null => {
    const extracted = extractAnswer(text);
    return extracted.ok ? extracted.answer : null;
  };
  assert.equal(answer('a <answer> 4 </answer> b'), '4');
  assert.equal(answer('<answer>1</answer><answer>2</answer>'), '2');
  assert.equal(answer('<answer>1</answer> <answer>2'), '1');
  assert.equal(answer('<answer>1 <answer>2</answer>'), '2');
  assert.equal(answer('<answer></answer>'), '');
  assert.equal(answer('</answer><answer>'), null);
  assert.equal(answer('<ANSWER>1</ANSWER>'), null);
  assert.equal(answer('</answer>'), null);
  assert.equal(answer('<answer</answer>'), null);
  assert.equal(answer(''), null);
});

test('a bare answer counts only where asked for', () => {
  assert.deepEqual(extractAnswer(' 42 '), { ok: false, reason: 'no answer tag' });
  assert.deepEqual(extractAnswer(' 42 ', { bareAnswer: true }), { ok: true, answer: '42' });
  assert.deepEqual(extractAnswer('x <answer>7</answer>', { bareAnswer: true }), { ok: true, answer: '7' });
});

test('verifyGroup regenerates the task and scores every completion', () => {
  const ref = { generator: 'chain_sum', version: 1, config: { max_terms: 3, max_digits: 2 }, seed: '5', index: 1 };
  const made = instantiate(ref);
  assert.ok(made.ok);
  const right = made.instance.answer;
  const group = verifyGroup(ref, [`<answer>${right}</answer>`, `<answer>${right}1</answer>`, right, '']);
  assert.ok(group.ok);
  assert.deepEqual(group.instance, made.instance);
  assert.deepEqual(
    group.verdicts.map((verdict) => verdict.reward),
    [1, 0, 0, 0],
  );
  assert.equal(group.verdicts[2]!.reason, 'no answer tag');
  const bare = verifyGroup(ref, [right], { bareAnswer: true });
  assert.ok(bare.ok && bare.verdicts[0]!.reward === 1);
  assert.deepEqual(verifyGroup({ ...ref, generator: 'x' }, ['a']), { ok: false, reason: 'unknown generator' });
});

const fraction = instanceWhere('fraction_simplification', (made) => made.metadata.style === 'latex_frac');
const primes = instanceWhere('prime_factorization', (made) => (made.metadata.factors as number[]).length === 3);
const sorted = instanceWhere('number_sorting', (made) => made.answer.includes('-') && made.metadata.numbers === 4);
const negative = instanceWhere('bitwise_arithmetic', (made) => made.answer.startsWith('-'));
const sum = instanceWhere('chain_sum', (made) => Number(made.answer) > 1000);
const converted = instanceWhere('base_conversion', (made) => /[a-f]/.test(made.answer));
const { simplified_numerator: top, simplified_denominator: bottom } = fraction.metadata as Record<string, number>;
const numbers = (sorted.metadata.sorted_numbers as string[]).map(Number);
const factors = primes.metadata.factors as number[];

const SPELLINGS: [TaskInstance, right: string[], wrong: string[]][] = [
  [
    sum,
    [` ${sum.answer}\n`, `+0${sum.answer}.00`, Number(sum.answer).toLocaleString('en-US')],
    [`-${sum.answer}`, `${sum.answer}.01`, `${sum.answer} `.repeat(2), `= ${sum.answer}`, '1e3', '.', ',', '+'],
  ],
  [
    fraction,
    [`${top}/${bottom}`, `$${top} / ${bottom}$`, `\\dfrac{${top}}{ ${bottom} }`, `$\\frac{0${top}}{${bottom}}$`],
    [`${top!}`, `${top! * 2}/${bottom! * 2}`, `-${top}/-${bottom}`, `${bottom}/${top}`, `${top}/${bottom}/1`, '1/0'],
  ],
  [
    primes,
    [factors.join(' × '), factors.join('*'), factors.toReversed().join('×')],
    [
      `1*${factors.join('*')}`,
      factors.join(' '),
      factors.join('+'),
      `${factors.join('*')}*`,
      '-2*-2',
      factors.slice(1).join('*'),
    ],
  ],
  [
    sorted,
    [JSON.stringify(numbers), JSON.stringify(numbers.map(String)), numbers.join(' '), numbers.join(', ')],
    [
      numbers.toReversed().join(' '),
      numbers.slice(1).join(' '),
      `${numbers.join(' ')} 0`,
      `[${numbers.join(' ')}]`,
      `[${numbers.join(', ')}`,
      JSON.stringify(numbers.map((number) => number + 0.5)),
      `[${numbers.join(',')},]`,
      `['${numbers.join("','")}"]`,
    ],
  ],
  [
    negative,
    [negative.answer.toUpperCase().replace('X', 'x'), String(-BigInt(negative.answer.slice(1)))],
    [negative.answer.slice(1), negative.answer.replace('0x', ''), `${negative.answer}_0`, `-${negative.answer}`],
  ],
  [
    converted,
    [` ${converted.answer} `],
    [converted.answer.toUpperCase(), `0${converted.answer}`, `0x${converted.answer}`],
  ],
];

test('equivalent spellings are right, everything else is wrong', () => {
  for (const [made, right, wrong] of SPELLINGS) {
    const generator = getGenerator(made.ref.generator)!;
    for (const text of right) assert.equal(generator.verify(text, made).reward, 1, `${made.ref.generator}: ${text}`);
    for (const text of wrong) assert.equal(generator.verify(text, made).reward, 0, `${made.ref.generator}: ${text}`);
  }
});

test('zero is answerable in every base', () => {
  const zero = instanceWhere('base_conversion', (made) => made.metadata.decimal_value === 0 && made.answer === '');
  const generator = getGenerator('base_conversion')!;
  assert.equal(generator.verify('0', zero).reward, 1);
  assert.equal(generator.verify('', zero).reward, 0);
  assert.match(zero.question, /\b0\b/);
});

test('hostile answers are refused in bounded time', () => {
  const million = 1_000_000;
  const hostile = [
    '0'.repeat(million),
    '9'.repeat(250),
    '0'.repeat(250) + 'x',
    ' '.repeat(million),
    '1,'.repeat(million / 2),
    '[' + '1,'.repeat(100),
    '['.repeat(200),
    '2×'.repeat(100),
    '-'.repeat(200),
    '1 '.repeat(120) + 'x',
    '{}'.repeat(100),
    '\\frac{'.repeat(30),
    `\\frac${' '.repeat(200)}`,
    `1${' '.repeat(200)}/${' '.repeat(40)}x`,
    '٣'.repeat(200),
    '\u0000\ud800\udfff\u202e'.repeat(50),
    '__proto__',
    'NaN',
    'Infinity',
    '0x',
    '1e999999999',
  ];
  for (const generator of listGenerators()) {
    const { name, levels } = generator;
    const made = instance(name, levels[0]!.config, 3);
    for (const text of [...hostile, ...hostile.map((part) => made.terseAnswer + part)]) {
      const start = performance.now();
      const verdict = generator.verify(text, made);
      assert.ok(performance.now() - start < 2000, `${name} took too long on ${text.slice(0, 20)}`);
      // Further decimal places keep a decimal within the tolerance that its question states.
      const isClose = name === 'decimal_arithmetic' && /^-?[0-9]+[.][0-9]+$/.test(text);
      const isRight = text.trim() === made.terseAnswer || isClose;
      assert.ok(verdict.reward === 0 || isRight, `${name} ${text.slice(0, 40)}`);
    }
    const start = performance.now();
    verifyGroup(
      made.ref,
      hostile.map((text) => `<answer>${text}</answer>`.repeat(text.length < 1000 ? 1000 : 1)),
    );
    assert.ok(performance.now() - start < 5000, name);
  }
});

test('the largest allowed configs generate in bounded time', () => {
  const largest: Record<string, JsonObject> = {
    bitwise_arithmetic: { difficulty: 10 },
    basic_arithmetic: { min_terms: 30, max_terms: 30, min_digits: 15, max_digits: 15 },
    prime_factorization: { min_value: 9_999_999_000, max_value: 10_000_000_000 },
    lcm: { min_numbers: 20, max_numbers: 20, min_value: 1e12 - 1, max_value: 1e12 },
    number_sorting: { min_numbers: 200, max_numbers: 200, max_value: 1e9 },
    letter_counting: { min_words: 200, max_words: 200 },
    decimal_arithmetic: { max_num_decimal_places: 12, min_terms: 20, max_terms: 20, precision: 50 },
    calendar_arithmetic: { offset_upper_bound: 100_000 },
    binary_matrix: { min_n: 100, max_n: 100 },
    arc_1d: { min_size: 100, max_size: 100, num_train: 10 },
    propositional_logic: {
      min_vars: 11,
      max_vars: 11,
      min_statements: 12,
      max_statements: 12,
      min_complexity: 6,
      max_complexity: 6,
    },
    bf: { difficulty: 3 },
    binary_alternation: { min_n: 1000, max_n: 1000 },
  };
  for (const [generator, config] of Object.entries(largest)) {
    for (let index = 0; index < 10; index++) {
      const start = performance.now();
      instantiate({ generator, version: 1, config, seed: '9', index });
      assert.ok(performance.now() - start < 5000, generator);
    }
  }
});
