import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GraphBuilder } from '../../../native-models/graph/builder.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { GraphSession } from '../../../native-models/runtime/ort-session.ts';
import {
  chooseTarget,
  forkTrial,
  forkTrialEntry,
  largestError,
  runProviderTrial,
  type ProviderVerdict,
  type SpawnTrial,
} from '../../../native-models/runtime/provider-trial.ts';
import { isTrialReport } from '../../../native-models/runtime/provider-trial-protocol.ts';
import { noGpuEnvironment, swiftShaderEnvironment } from './swiftshader.ts';

const entry = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const real = entry('../../../native-models/runtime/provider-trial-process.ts');
/** The real CPU; every other provider is played by a child of trial-children. */
const playedBy =
  (child: string): SpawnTrial =>
  (provider) =>
    provider === 'cpu' ? forkTrial(provider) : forkTrialEntry(entry(`trial-children/${child}.ts`));

async function verdictOn(child: string, timeoutMs = 60_000): Promise<ProviderVerdict> {
  const verdicts = await runProviderTrial({ providers: ['cpu', 'webgpu'], timeoutMs, spawn: playedBy(child) });
  assert.deepEqual(
    verdicts.map((row) => row.provider),
    ['cpu', 'webgpu'],
  );
  assert.equal(verdicts[0]!.verdict, 'correct', verdicts[0]!.detail);
  assert.equal(chooseTarget(verdicts).provider, 'cpu');
  return verdicts[1]!;
}

test('without a GPU: the CPU is correct and chosen, the others are unavailable, each with a sentence', async () => {
  const verdicts = await runProviderTrial({ timeoutMs: 60_000, spawn: () => forkTrialEntry(real, noGpuEnvironment()) });
  const [cpu, ...others] = verdicts;
  assert.equal(cpu!.provider, 'cpu');
  assert.equal(cpu!.verdict, 'correct', cpu!.detail);
  assert.equal(cpu!.maxRelativeError, 0);
  assert.ok(cpu!.peakBytes! > 50e6 && cpu!.peakBytes! < 2e9, String(cpu!.peakBytes));
  assert.ok(cpu!.trainStepMs! > 0 && cpu!.decodeStepMs! > 0 && cpu!.adapter);
  for (const row of others) {
    if (row.provider !== 'webgpu' && row.provider !== 'cuda') continue;
    assert.equal(row.verdict, 'unavailable', row.detail);
    assert.match(row.detail, row.provider === 'cuda' ? /CUDA library .* not installed/ : /No WebGPU adapter/);
  }
  assert.equal(chooseTarget(verdicts).provider, 'cpu');
});

test('a provider that this platform does not have is unavailable', async () => {
  const [row] = await runProviderTrial({
    providers: [process.platform === 'darwin' ? 'cuda' : 'coreml'],
    timeoutMs: 60_000,
  });
  assert.equal(row!.verdict, 'unavailable');
  assert.match(row!.detail, /is not part of this platform's ONNX Runtime/);
});

test('SwiftShader, an adapter in software, computes correctly and loses on speed', { timeout: 400_000 }, async () => {
  const spawn: SpawnTrial = () => forkTrialEntry(real, swiftShaderEnvironment());
  const verdicts = await runProviderTrial({
    providers: ['cpu', 'webgpu'],
    timeoutMs: 180_000,
    timingTimeoutMs: 10_000,
    spawn,
  });
  const webgpu = verdicts[1]!;
  assert.equal(webgpu.verdict, 'correct', webgpu.detail);
  assert.ok(webgpu.maxRelativeError! > 0 && webgpu.maxRelativeError! < 1e-3, String(webgpu.maxRelativeError));
  assert.equal(chooseTarget(verdicts).provider, 'cpu');
});

test('a child that crashes has failed, with its signal', async () => {
  const row = await verdictOn('crash');
  assert.equal(row.verdict, 'failed');
  assert.match(row.detail, /crashed \(SIGSEGV\).*Update the graphics driver/);
  assert.equal(row.maxRelativeError, null);
});

test('a child that hangs is killed and has failed', async () => {
  const before = performance.now();
  const [row] = await runProviderTrial({
    providers: ['webgpu'],
    timeoutMs: 3_000,
    spawn: playedBy('hang'),
  });
  assert.equal(row!.verdict, 'failed');
  assert.match(row!.detail, /no answer within 3 s/);
  assert.ok(performance.now() - before < 30_000);
});

test('wrong numbers are found, however fast', async () => {
  const row = await verdictOn('wrong');
  assert.equal(row.verdict, 'wrong');
  assert.ok(row.maxRelativeError! > 0.5);
  assert.match(row.detail, /gradient of model\.layers\.0\.input_layernorm\.weight/);
  assert.equal(row.adapter, 'Wrong One');
});

test('right numbers without times are correct but never chosen', async () => {
  const [row] = await runProviderTrial({
    providers: ['webgpu'],
    timeoutMs: 60_000,
    timingTimeoutMs: 1_000,
    spawn: playedBy('slow-timing'),
  });
  assert.equal(row!.verdict, 'correct', row!.detail);
  assert.match(row!.detail, /too slow to be timed/);
  assert.equal(chooseTarget([row!]).provider, 'cpu');
});

test('an unreadable answer, and a process that cannot start, have failed', async () => {
  assert.match((await verdictOn('garbage')).detail, /unreadable/);
  assert.match((await verdictOn('no-such-file')).detail, /ended with code 1/);
  const [row] = await runProviderTrial({
    providers: ['webgpu'],
    timeoutMs: 5_000,
    spawn: () => {
      throw new Error('no more processes');
    },
  });
  assert.equal(row!.verdict, 'failed');
  assert.match(row!.detail, /no more processes/);
});

test('the fastest correct provider and device is chosen, whatever the order', () => {
  const row = (
    provider: ProviderVerdict['provider'],
    verdict: ProviderVerdict['verdict'],
    trainStepMs: number | null,
    decodeStepMs: number | null,
    device = 0,
  ): ProviderVerdict => ({
    provider,
    device,
    verdict,
    trainStepMs,
    decodeStepMs,
    adapter: null,
    maxRelativeError: null,
    peakBytes: null,
    detail: '',
    testedAt: 0,
  });
  const rows = [
    row('cuda', 'wrong', 1, 1),
    row('webgpu', 'correct', 20, 2),
    row('cpu', 'used', 30, 3),
    row('dml', 'failed', null, null),
  ];
  const chosen = (verdicts: ProviderVerdict[]): string => Object.values(chooseTarget(verdicts)).join(' ');
  assert.equal(chosen(rows), 'webgpu 0');
  assert.equal(chosen([...rows].reverse()), 'webgpu 0');
  assert.equal(chosen([]), 'cpu 0');
  assert.equal(chosen([row('webgpu', 'correct', 1, 1), row('cpu', 'correct', 1, 1)]), 'cpu 0');
  assert.equal(chosen([row('dml', 'correct', 1, 1), row('coreml', 'correct', 1, 1)]), 'coreml 0');
  assert.equal(chosen([row('cuda', 'correct', 2, 2, 1), row('cuda', 'correct', 3, 3, 0)]), 'cuda 1');
  assert.equal(chosen([row('cuda', 'correct', 2, 2, 1), row('cuda', 'correct', 2, 2, 0)]), 'cuda 0');
  assert.equal(chosen([row('webgpu', 'unstable', 1, 1), row('cpu', 'correct', 9, 9)]), 'cpu 0');
});

test('a card is named to the providers that can be told; to the others it is refused with what to do', async () => {
  const g = new GraphBuilder();
  g.output('y', g.neg(g.input('x', 'float32', ['N'])));
  const options = { provider: 'webgpu', device: 1, threads: 1, shapesRepeat: false } as const;
  await assert.rejects(GraphSession.open(lowerGraph(g, 'webgpu'), options), (error: unknown) => {
    assert.deepEqual(
      [(error as { code: string }).code, /providerDevice/.test((error as { fix: string }).fix)],
      ['noSuchDevice', true],
    );
    return true;
  });
});

test('reports are parsed, and a missing tensor, another length or NaN is an infinite error', () => {
  const numbers = { losses: Float32Array.of(1, 2) };
  assert.ok(isTrialReport({ kind: 'numbers', bundled: ['cpu'], adapter: null, numbers }));
  for (const bad of [
    null,
    1,
    {},
    { kind: 'numbers', bundled: ['x'], adapter: null, numbers },
    { kind: 'times', trainStepMs: NaN, decodeStepMs: 1, peakBytes: 1 },
    { kind: 'times', trainStepMs: 1, decodeStepMs: 1 },
    { kind: 'error' },
  ]) {
    assert.ok(!isTrialReport(bad), JSON.stringify(bad));
  }
  assert.equal(largestError({}, numbers).error, Infinity);
  assert.equal(largestError({ losses: Float32Array.of(1) }, numbers).error, Infinity);
  assert.equal(largestError({ losses: Float32Array.of(1, NaN) }, numbers).error, Infinity);
  assert.deepEqual(largestError({ losses: Float32Array.of(1, 3) }, numbers), { error: 0.5, where: 'losses' });
});
