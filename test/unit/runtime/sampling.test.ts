import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomStream, sampleToken, type SamplingOptions } from '../../../native-models/runtime/sampling.ts';

const all: SamplingOptions = { temperature: 1, topK: 0, topP: 1 };
const logits = Float32Array.of(1, 3, -2, 2.5, 0, 3.2, -Infinity, 1.5);

function softmax(values: ArrayLike<number>, temperature = 1): number[] {
  const exps = Array.from(values, (x) => Math.exp(x / temperature));
  const total = exps.reduce((a, b) => a + b);
  return exps.map((x) => x / total);
}

function counts(options: SamplingOptions, draws: number, seed = 1): number[] {
  const random = randomStream(seed);
  const scratch = new Float64Array(logits.length);
  const found = logits.map(() => 0);
  for (let i = 0; i < draws; i++) found[sampleToken(logits, options, random, scratch).token]!++;
  return [...found];
}

/** Pearson's statistic; tokens of probability 0 must not occur. */
function chiSquare(found: readonly number[], expected: readonly number[], draws: number): number {
  return found.reduce((sum, count, i) => {
    if (expected[i] === 0) assert.equal(count, 0, `token ${i} must not occur`);
    return expected[i] === 0 ? sum : sum + (count - draws * expected[i]!) ** 2 / (draws * expected[i]!);
  }, 0);
}

function only(tokens: readonly number[], temperature = 1): number[] {
  const kept = softmax(logits, temperature).map((p, i) => (tokens.includes(i) ? p : 0));
  const total = kept.reduce((a, b) => a + b);
  return kept.map((p) => p / total);
}

const draws = 40_000;
const cases: [string, SamplingOptions, number[]][] = [
  ['all tokens', all, softmax(logits)],
  ['temperature 0.5', { ...all, temperature: 0.5 }, softmax(logits, 0.5)],
  ['temperature 2', { ...all, temperature: 2 }, softmax(logits, 2)],
  ['top-k 3', { ...all, topK: 3 }, only([5, 1, 3])],
  ['top-k beyond the vocabulary', { ...all, topK: 100 }, softmax(logits)],
  // Probabilities in order: 0.371, 0.304, 0.184, ...: two have 0.675.
  ['top-p 0.6 keeps the token that crosses it', { ...all, topP: 0.6 }, only([5, 1])],
  ['top-p 0.7', { ...all, topP: 0.7 }, only([5, 1, 3])],
  ['a tiny top-p keeps the best', { ...all, topP: 1e-9 }, only([5])],
  // Of the mass of the best three (0.859) 0.75 is 0.644: two tokens have it. Of the whole mass they would not.
  ['top-p applies to what top-k has left', { ...all, topK: 3, topP: 0.75 }, only([5, 1])],
];
for (const [name, options, expected] of cases) {
  test(`sampling follows the distribution: ${name}`, () => {
    const statistic = chiSquare(counts(options, draws), expected, draws);
    // 99.9th percentile of chi-square with 7 degrees of freedom is 24.3; the seed is fixed.
    assert.ok(statistic < 24.3, `chi-square ${statistic}`);
  });
}

/** The same by sorting everything. */
function keptTokens(values: Float32Array, { topK, topP, temperature }: SamplingOptions): Set<number> {
  const masses = softmax(values, temperature);
  const order = masses.map((_, i) => i).sort((a, b) => masses[b]! - masses[a]! || a - b);
  const first = topK > 0 ? order.slice(0, topK) : order;
  const mass = first.reduce((sum, i) => sum + masses[i]!, 0);
  let kept = 0;
  const crossing = first.findIndex((i) => (kept += masses[i]!) >= topP * mass);
  return new Set(topP < 1 && crossing >= 0 ? first.slice(0, crossing + 1) : first);
}

test('flat and peaked distributions over many tokens are cut as by sorting all of them', () => {
  for (let trial = 0; trial < 60; trial++) {
    const random = randomStream(trial);
    const spread = [0.01, 1, 4, 12][trial % 4]!;
    const values = Float32Array.from({ length: 300 }, () => (random() - 0.5) * 2 * spread);
    const options = {
      temperature: [1, 0.7, 2][trial % 3]!,
      topK: [0, 1, 5, 250][trial % 4]!,
      topP: [0.3, 0.9, 0.999][trial % 3]!,
    };
    const scratch = new Float64Array(300);
    const kept = keptTokens(values, options);
    for (let i = 0; i < 50; i++) sampleToken(values, options, random, scratch);
    const left = [...scratch].flatMap((mass, token) => (mass > 0 ? [token] : []));
    // Rounding may move the token at the edge of the nucleus.
    const differing =
      left.filter((token) => !kept.has(token)).length + [...kept].filter((token) => scratch[token] === 0).length;
    assert.ok(differing <= 1, `trial ${trial}: ${left.length} kept, ${kept.size} expected`);
  }
});

test('log-probs are those of the unmodified distribution, whatever the options', () => {
  const expected = softmax(logits).map(Math.log);
  for (const options of [all, { temperature: 0.3, topK: 3, topP: 0.8 }, { ...all, temperature: 0 }]) {
    const { token, logprob } = sampleToken(logits, options, randomStream(4), new Float64Array(8));
    assert.ok(Math.abs(logprob - expected[token]!) < 1e-6);
  }
});

test('greedy takes the first of the best and draws no random number', () => {
  const random = (): number => assert.fail('drawn');
  assert.equal(sampleToken(Float32Array.of(1, 5, 5), { ...all, temperature: 0 }, random, new Float64Array(3)).token, 1);
});

test('the same seed gives the same tokens, another one others', () => {
  assert.deepEqual(counts(all, 100, 3), counts(all, 100, 3));
  assert.notDeepEqual(counts(all, 100, 3), counts(all, 100, 4));
  const first = (...seeds: number[]): number => randomStream(...seeds)();
  assert.equal(
    new Set([first(1, 2), first(2, 1), first(1, 2, 0), first(1 + 2 ** 32, 2), first(0, 0), first(0)]).size,
    6,
  );
});

test('logits that are not finite are an error, not a token', () => {
  for (const bad of [
    Float32Array.of(NaN, NaN),
    Float32Array.of(1, NaN),
    Float32Array.of(1, Infinity),
    Float32Array.of(-Infinity, -Infinity),
  ]) {
    assert.throws(() => sampleToken(bad, all, randomStream(1), new Float64Array(2)), /not finite/);
  }
});

test('random streams stay in [0, 1)', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat(), { maxLength: 4 }), (seeds) => {
      const random = randomStream(...seeds);
      for (let i = 0; i < 50; i++) {
        const x = random();
        assert.ok(x >= 0 && x < 1);
      }
    }),
  );
});
