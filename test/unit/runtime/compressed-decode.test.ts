/**
 * Decoding from compressed weights: the same numbers as a policy whose weights are what they stand for, in one pass, token by
 * token and in generation; what speaks against them is found; and the objectives see that the sampler was another policy.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { float16ToFloat32 } from '../../../native-models/checkpoint/half-floats.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { adapterConfig, adapterSlots, initialAdapter } from '../../../native-models/policy/adapter.ts';
import { dequantise } from '../../../native-models/policy/block-quantisation.ts';
import {
  compressedBytes,
  compressWeights,
  HEAD,
  type CompressedMatrix,
} from '../../../native-models/policy/compressed-weights.ts';
import { decodeGraph } from '../../../native-models/policy/graphs.ts';
import { linearNames } from '../../../native-models/policy/linears.ts';
import { loadPolicyWeights } from '../../../native-models/policy/load-policy.ts';
import { parameterCount, parameterSlots } from '../../../native-models/policy/parameters.ts';
import type { PolicyConfig } from '../../../native-models/policy/policy-config.ts';
import { generate, textLogits } from '../../../native-models/runtime/generate.ts';
import { GraphSession, type TensorView, type TensorViews } from '../../../native-models/runtime/ort-session.ts';
import { PolicyRuntime } from '../../../native-models/runtime/policy-runtime.ts';
import { chooseDecodePrecision, planDecode, trainingPrecision } from '../../../native-models/runtime/precision.ts';
import { randomStream } from '../../../native-models/runtime/sampling.ts';
import { configSchema } from '../../../src-main/config/schema.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import { rotaryTable } from '../../../native-models/policy/rope.ts';
import { relativeError } from '../../golden/ops/run-graph.ts';
import { policyFolder } from '../../golden/policy/folders.ts';

const noCheckpoint = (): void => undefined;
const folders = ['untied', 'tied', 'families/qwen2-compact', 'families/qwen3'];
const precisions = ['int8', 'int4', 'f16'] as const;
const adapter = adapterConfig(2, 4, linearNames);

interface Pair {
  config: PolicyConfig;
  weights: Float32Array;
  adapterWeights: Float32Array;
  /** With an adapter that changes something. */
  policy: PolicyRuntime;
}

async function openPolicy(t: TestContext, name: string): Promise<Pair> {
  const { config, weights } = await loadPolicyWeights(policyFolder(name).directory);
  const slots = adapterSlots(config, adapter);
  const adapterWeights = initialAdapter(slots, randomStream(3));
  const random = randomStream(4);
  for (let i = 0; i < adapterWeights.length; i++) adapterWeights[i] = adapterWeights[i]! || 0.3 * (random() - 0.5);
  return { config, weights, adapterWeights, policy: openRuntime(t, config, weights, adapterWeights) };
}

function openRuntime(
  t: TestContext,
  config: PolicyConfig,
  weights: Float32Array,
  adapterWeights: Float32Array,
): PolicyRuntime {
  const withAdapter = { config: adapter, weights: adapterWeights };
  const policy = new PolicyRuntime({ config, weights, adapter: withAdapter, provider: 'cpu', threads: 1, padId: 0 });
  t.after(() => policy.close());
  return policy;
}

/** The policy that the compressed weights stand for, in f32; a tied head gets weights of its own, for the embedding stays as it is. */
function whatTheyStandFor(
  { config, weights }: Pair,
  precision: (typeof precisions)[number],
): { config: PolicyConfig; weights: Float32Array } {
  const compressed = compressWeights(config, weights, precision);
  const untied = { ...config, tiedHead: false };
  const before = new Map(parameterSlots(config).map((slot) => [slot.name, slot]));
  const after = parameterSlots(untied);
  const flat = new Float32Array(parameterCount(after));
  for (const { name, offset } of after) {
    const matrix = compressed.get(name);
    const old = before.get(name);
    flat.set(matrix ? whatItStandsFor(matrix) : weights.subarray(old!.offset, old!.offset + old!.length), offset);
  }
  assert.ok(compressed.has(HEAD) && compressed.size === config.layers * linearNames.length + 1);
  return { config: untied, weights: flat };
}

function whatItStandsFor(matrix: CompressedMatrix): Float32Array {
  if (matrix.bits !== 16) return dequantise(matrix);
  const { outputs, inputs } = matrix;
  const widened = float16ToFloat32(matrix.transposed);
  return Float32Array.from(widened, (_, i) => widened[(i % inputs) * outputs + Math.floor(i / inputs)]!);
}

const someTokens = (config: PolicyConfig, count: number): number[] => {
  const random = randomStream(11);
  return Array.from({ length: count }, () => Math.floor(random() * config.vocabularySize));
};

async function logitsOf(policy: PolicyRuntime, tokens: readonly number[], prefilled: number): Promise<Float32Array[]> {
  const all: Float32Array[] = [];
  await textLogits(policy, tokens, prefilled, (logits) => all.push(logits.slice()));
  return all;
}

/** Runs a decode graph with exact products by hand, each call after the tokens of the former one. */
async function exactDecoder(t: TestContext, pair: Pair, precision: (typeof precisions)[number], capacity: number) {
  const { config, weights, adapterWeights } = pair;
  const graph = decodeGraph(config, {
    adapter,
    compressed: compressWeights(config, weights, precision),
    products: 'exact',
    returned: 'cache',
  });
  const beside = graph.constantsBeside();
  const session = await GraphSession.open(lowerGraph(graph, 'cpu'), {
    provider: 'cpu',
    threads: 1,
    shapesRepeat: false,
    beside,
  });
  t.after(() => session.close());
  const fixed: TensorViews = {};
  const feed = (slots: ReturnType<typeof parameterSlots>, flat: Float32Array): void => {
    for (const { name, shape, offset, length } of slots)
      if (session.inputNames.includes(name))
        fixed[name] = { data: flat.subarray(offset, offset + length), dims: shape };
  };
  feed(parameterSlots(config), weights);
  feed(adapterSlots(config, adapter), adapterWeights);
  const { cos, sin } = rotaryTable(config, capacity);
  fixed.cos = { data: cos, dims: [capacity, config.headDim / 2] };
  fixed.sin = { data: sin, dims: [capacity, config.headDim / 2] };
  const dims = [1, config.kvHeads, capacity, config.headDim];
  const cache: [string, TensorView][] = Array.from({ length: config.layers }, (_, layer) =>
    ['Key', 'Value'].map((kind): [string, TensorView] => [
      `${kind}.${layer}`,
      { data: new Float32Array(dims.reduce((product, dim) => product * dim)), dims },
    ]),
  ).flat();
  const named = (prefix: string): TensorViews => Object.fromEntries(cache.map(([name, view]) => [prefix + name, view]));
  let cached = 0;
  return async (tokens: readonly number[]): Promise<Float32Array> => {
    const count = tokens.length;
    cached += count;
    const selector = Float32Array.from({ length: count }, (_, i) => Number(i === count - 1));
    const feeds = {
      tokens: { data: Int32Array.from(tokens), dims: [1, count] },
      selector: { data: selector, dims: [1, 1, count] },
      lastIndex: { data: Int32Array.of(cached - 1), dims: [1] },
      longest: { data: Int32Array.of(cached), dims: [1] },
    };
    const { logits } = await session.run({ ...fixed, ...named('past'), ...feeds }, named('present'));
    return (logits!.data as Float32Array).slice();
  };
}

for (const name of folders) {
  for (const precision of precisions) {
    test(`${name} in ${precision}: logits, at once and token by token, are those of what the numbers stand for`, async (t) => {
      const pair = await openPolicy(t, name);
      const reference = whatTheyStandFor(pair, precision);
      const f32 = openRuntime(t, reference.config, reference.weights, pair.adapterWeights);
      const tokens = someTokens(pair.config, 14);
      const expected = await logitsOf(f32, tokens, 6);

      const atOnce = await exactDecoder(t, pair, precision, 16);
      const stepwise = await exactDecoder(t, pair, precision, 16);
      assert.ok(relativeError(await atOnce(tokens), expected.at(-1)!) < 1e-4, 'all tokens at once');
      await stepwise(tokens.slice(0, 6));
      for (const [i, token] of tokens.slice(6).entries()) {
        const error = relativeError(await stepwise([token]), expected[i + 1]!);
        assert.ok(error < 1e-4, `token ${i}: ${error}`);
      }

      const whole = await logitsOf(pair.policy, tokens, 6);
      await pair.policy.decodeIn(precision);
      const found = await logitsOf(pair.policy, tokens, 6);
      found.forEach((logits, i) => {
        const error = relativeError(logits, expected[i]!);
        assert.ok(error < 0.06, `as it runs, inputs rounded: ${error} after ${i} steps`);
      });
      assert.ok(
        found.some((logits, i) => relativeError(logits, whole[i]!) > 1e-6),
        'it is not just f32 again',
      );
    });
  }
}

test('the decoder is not taken into a policy whose weights change', async (t) => {
  const { config, weights } = await loadPolicyWeights(policyFolder('tied').directory);
  const policy = new PolicyRuntime({ config, weights, provider: 'cpu', threads: 1, padId: 0 });
  t.after(() => policy.close());
  await assert.rejects(policy.decodeIn('int8'), /weights are trained/);
  await assert.rejects(chooseDecodePrecision(policy, 'int4', [1, 2, 3]), {
    code: 'policyUnsupported',
    fix: /decodePrecision to auto or f32, or train an adapter/,
  });
  const choice = await chooseDecodePrecision(policy, 'auto', [1, 2, 3]);
  assert.equal(choice.precision, 'f32');
  assert.match(choice.reason, /All weights are trained/);
});

test('auto compresses a large frozen base on the CPU, and nothing else', async () => {
  const { config } = await loadPolicyWeights(policyFolder('tied').directory);
  const large = { ...config, hiddenSize: 576, intermediateSize: 1536, layers: 30, vocabularySize: 49_152 };
  const cases = [
    [large, true, 'cpu', 'int8', /8-bit weights decode faster/],
    [large, true, 'webgpu', 'f32', /not measured/],
    [large, false, 'cpu', 'f32', /All weights are trained/],
    [config, true, 'cpu', 'f32', /so small/],
  ] as const;
  for (const [shape, adapted, provider, precision, reason] of cases) {
    const choice = planDecode('auto', { config: shape, adapted, provider });
    assert.equal(choice.precision, precision, `${provider}, adapted ${adapted}`);
    assert.match(choice.reason, reason);
  }
  assert.equal(planDecode('int4', { config, adapted: true, provider: 'webgpu' }).precision, 'int4');
  const half = planDecode('f16', { config: large, adapted: true, provider: 'cpu' });
  assert.equal(half.precision, 'f32');
  assert.match(half.reason, /widen the weights again/);
  assert.equal(planDecode('f16', { config: large, adapted: true, provider: 'cuda' }).precision, 'f16');
  assert.equal(planDecode('f32', { config: large, adapted: true, provider: 'cpu' }).precision, 'f32');
  assert.match(trainingPrecision('bfloat16').reason, /stored in bfloat16/);
  assert.ok(compressedBytes(large, 'int8') < 1.13 * parameterCount(parameterSlots(large)));
  assert.ok(compressedBytes(large, 'int4') < 0.85 * compressedBytes(large, 'int8'));
});

test('a compressed decoder is proved against f32, and given up with the reason where it is refused, wrong or slow', async (t) => {
  const { policy, config } = await openPolicy(t, 'families/qwen3');
  const text = someTokens(config, 12);
  const chosen = await chooseDecodePrecision(policy, 'int8', text);
  assert.deepEqual([chosen.precision, policy.decodePrecision], ['int8', 'int8']);

  const decodeIn = policy.decodeIn.bind(policy);
  const spoiled = (spoil: (precision: string) => Promise<void>): void => {
    t.mock.method(policy, 'decodeIn', async (precision: 'f32' | 'int8' | 'int4') => {
      await decodeIn(precision);
      if (precision !== 'f32') await spoil(precision);
    });
  };
  const givenUp = async (reason: RegExp): Promise<void> => {
    const choice = await chooseDecodePrecision(policy, 'int8', text);
    assert.deepEqual([choice.precision, policy.decodePrecision], ['f32', 'f32']);
    assert.match(choice.reason, reason);
  };
  const spoilRuns = async (change: (logits: Float32Array) => Promise<void> | void): Promise<void> => {
    const { session } = await policy.decoder(16);
    const run = session.run.bind(session);
    session.run = async (...args) => {
      const results = await run(...args);
      await change(results.logits!.data as Float32Array);
      return results;
    };
  };
  await decodeIn('f32');
  spoiled(() => Promise.reject(new Error('no kernel for MatMulNBits(1)\nmore')));
  await givenUp(/^int8 was tried, but cpu refuses it \(no kernel for MatMulNBits\(1\)\)\.$/);
  spoiled(() => spoilRuns((logits) => void logits.reverse()));
  await givenUp(/nats off those of f32, more than 0.1/);
  spoiled(() => spoilRuns((logits) => void logits.fill(NaN)));
  await givenUp(/NaN nats off/);
  spoiled(() => spoilRuns(() => new Promise((resolve) => setTimeout(resolve, 60))));
  await givenUp(/a step takes \d+\.\d ms, in f32/);
});

test('answers carry the log-probs of the numbers they were sampled from, and GRPO sees the difference', async (t) => {
  const { policy, config } = await openPolicy(t, 'families/qwen2-compact');
  const objective = createObjective('grpo', { ...configSchema.parse({}), clipLow: 1e-4, clipHigh: 1e-4 });
  await policy.defineObjective('grpo', objective.loss);
  const prompt = someTokens(config, 6);
  const outcomes: Record<string, { ratio: number; clipped: number; logRatios: number[] }> = {};
  for (const precision of ['f32', 'int8'] as const) {
    await policy.decodeIn(precision);
    const options = { temperature: 1, topK: 0, topP: 1, completionsPerPrompt: 6, maxNewTokens: 12, seed: 5 };
    const [completions] = await generate(policy, [prompt], options, noCheckpoint);
    const first = completions![0]!;
    // The first log-prob is that of this very decoder, at temperature 1.
    const [logits] = await logitsOf(policy, prompt, prompt.length);
    assert.ok(Math.abs(first.logprobs[0]! - logSoftmax(logits!)[first.tokens[0]!]!) < 1e-5);

    const rows = completions!.map(({ tokens, logprobs }, i) => ({
      tokens: [...prompt, ...tokens],
      promptLength: prompt.length,
      advantage: i % 2 === 0 ? 1 : -1,
      rowWeight: 1,
      behaviorLogprobs: logprobs,
    }));
    const trained = (await policy.score(rows, 1000, noCheckpoint)).flat();
    const behaved = completions!.flatMap(({ logprobs }) => logprobs);
    const { metrics } = await policy.accumulate('grpo', rows, 1000, noCheckpoint);
    policy.dropGradient();
    const logRatios = trained.map((logprob, i) => logprob - behaved[i]!);
    const expected = logRatios.reduce((sum, each) => sum + Math.exp(each), 0);
    assert.ok(Math.abs(metrics.ratio! - expected) < 1e-3, `ratio ${metrics.ratio} of ${expected}`);
    outcomes[precision] = { ratio: metrics.ratio! / behaved.length, clipped: metrics.clippedTokens!, logRatios };
  }
  const meanSize = (values: number[]): number => values.reduce((sum, x) => sum + Math.abs(x), 0) / values.length;
  assert.ok(
    Math.abs(outcomes.f32!.ratio - 1) < 1e-5 && outcomes.f32!.clipped === 0,
    'f32 samples from what is trained',
  );
  const off = meanSize(outcomes.int8!.logRatios);
  assert.ok(off > 1e-4 && off < 0.05, `mean |log ratio| ${off}`);
  assert.ok(outcomes.int8!.clipped > 0, 'the clip reacts');
});

function logSoftmax(logits: Float32Array): number[] {
  const most = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
  return Array.from(logits, (logit) => logit - most - Math.log(total));
}
