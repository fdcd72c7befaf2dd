// Which provider is chosen, what of it is kept and for how long, and how a trouble in use overrules a verdict.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ProviderTrialOptions, ProviderVerdict } from '../../../native-models/runtime/provider-trial.ts';
import { keptText, parseKept, withTroubles } from '../../../src-main/engine/providers/kept-verdicts.ts';
import { ProviderChoice, type ProviderChoiceOptions } from '../../../src-main/engine/providers/provider-choice.ts';
import {
  FailureCount,
  TROUBLE_WINDOW_MS,
  troubleText,
  type ProviderTrouble,
} from '../../../src-main/engine/providers/provider-trouble.ts';
import { triedMachine } from '../../../src-main/engine/providers/tried-machine.ts';

const root = await mkdtemp(join(tmpdir(), 'waggle-choice-'));
after(() => rm(root, { recursive: true, force: true }));
let folders = 0;

const row = (provider: ProviderVerdict['provider'], ms: number, change: Partial<ProviderVerdict> = {}) =>
  ({
    provider,
    device: 0,
    adapter: null,
    verdict: 'correct',
    maxRelativeError: 1e-6,
    trainStepMs: ms,
    decodeStepMs: ms,
    peakBytes: 1e8,
    detail: 'Computes correctly.',
    testedAt: 1,
    ...change,
  }) satisfies ProviderVerdict;
const trouble = (provider: ProviderTrouble['provider'], device = 0): ProviderTrouble => ({
  provider,
  device,
  kind: 'crashed',
  times: 3,
  detail: 'signal SIGSEGV',
  at: 5,
});

function setUp(
  changes: Partial<ProviderChoiceOptions> & { rows?: ProviderVerdict[]; path?: string; key?: string } = {},
) {
  const { rows = [row('cpu', 9), row('cuda', 2, { device: 1 }), row('cuda', 3), row('webgpu', 4)], ...rest } = changes;
  const path = changes.path ?? join(root, `${folders++}.json`);
  const trials: ProviderTrialOptions[] = [];
  const warnings: string[] = [];
  const options: ProviderChoiceOptions = {
    wanted: 'auto',
    path,
    machine: () =>
      Promise.resolve({ key: changes.key ?? 'this machine', gpuNames: ['One Card'], devices: { cuda: 2 } }),
    log: { info: () => undefined, warn: (message) => warnings.push(message) },
    trial: (trial) => {
      trials.push(trial!);
      return Promise.resolve(rows);
    },
    ...rest,
  };
  return { path, trials, warnings, choice: new ProviderChoice(options) };
}
const asText = (verdicts: readonly ProviderVerdict[]) =>
  verdicts.map(({ provider, device, verdict }) => `${provider} ${device} ${verdict}`);

test('the fastest device is chosen and remembered; another key means another trial', async () => {
  const first = setUp();
  assert.deepEqual(await first.choice.choose(), { provider: 'cuda', device: 1 });
  assert.deepEqual(first.trials[0]!.devices, { cuda: 2 });
  assert.deepEqual(asText(first.choice.verdicts), [
    'cpu 0 correct',
    'cuda 1 used',
    'cuda 0 correct',
    'webgpu 0 correct',
  ]);
  assert.equal(first.choice.verdicts[1]!.adapter, 'One Card');
  const again = setUp({ path: first.path });
  assert.deepEqual(await again.choice.choose(), { provider: 'cuda', device: 1 });
  assert.equal(again.trials.length, 0);
  const driver = setUp({ path: first.path, key: 'another driver' });
  await driver.choice.choose();
  assert.equal(driver.trials.length, 1);
});

test('what is given up is passed over, one device after the other, the CPU last; it is remembered', async () => {
  const { choice, path, warnings } = setUp();
  for (const [given, next] of [
    [trouble('cuda', 1), 'cuda 0'],
    [trouble('cuda', 0), 'webgpu 0'],
    [trouble('webgpu'), 'cpu 0'],
  ] as const) {
    await choice.choose();
    await choice.giveUp(given);
    assert.equal(Object.values(await choice.choose()).join(' '), next);
  }
  assert.deepEqual(asText(choice.verdicts), ['cpu 0 used', 'cuda 1 unstable', 'cuda 0 unstable', 'webgpu 0 unstable']);
  assert.equal(warnings.length, 3);
  const restarted = setUp({ path });
  assert.deepEqual(await restarted.choice.choose(), { provider: 'cpu', device: 0 });
  assert.equal(restarted.choice.troubles.length, 3);
  assert.equal(restarted.trials.length, 0);
  await restarted.choice.again();
  assert.deepEqual(restarted.choice.troubles, []);
  assert.deepEqual(await restarted.choice.choose(), { provider: 'cuda', device: 1 });
  assert.equal(restarted.trials.length, 1);
});

test('the owner chose one: no trial, until it is given up', async () => {
  const { choice, trials } = setUp({ wanted: 'webgpu' });
  assert.deepEqual(await choice.choose(), { provider: 'webgpu', device: 0 });
  assert.equal(trials.length, 0);
  await choice.giveUp(trouble('webgpu'));
  assert.deepEqual(await choice.choose(), { provider: 'cuda', device: 1 });
  assert.equal(trials.length, 1);
  const second = setUp({ wanted: 'dml', wantedDevice: 2 });
  assert.deepEqual(await second.choice.choose(), { provider: 'dml', device: 2 });
  const cpu = setUp({ wanted: 'cpu', wantedDevice: 2 });
  assert.deepEqual(await cpu.choice.choose(), { provider: 'cpu', device: 0 });
});

test('a choice during a trial waits for it; two askers make one trial', async () => {
  let end: () => void = () => undefined;
  const { choice, trials } = setUp({
    trial: (options) => {
      trials.push(options!);
      return new Promise((resolve) => (end = () => resolve([row('cpu', 1)])));
    },
  });
  const asked = [choice.again(), choice.again(), choice.choose()];
  while (trials.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.ok(choice.isTrying);
  end();
  await Promise.all(asked);
  assert.ok(!choice.isTrying);
  assert.equal(trials.length, 1);
});

test('nothing is kept where the CPU fails, or where it cannot be written; a damaged file is as none', async () => {
  const failing = setUp({ rows: [row('cpu', 1, { verdict: 'failed' })] });
  assert.deepEqual(await failing.choice.choose(), { provider: 'cpu', device: 0 });
  await assert.rejects(readFile(failing.path));
  const unwritable = setUp({ path: join(root, 'nowhere', 'x.json') });
  await unwritable.choice.choose();
  assert.match(unwritable.warnings[0]!, /could not be kept/);
  const damaged = setUp();
  for (const text of [
    '',
    '{',
    '[]',
    '{"key":"this machine","verdicts":[{}],"troubles":[]}',
    '{"key":"this machine"}',
  ]) {
    await writeFile(damaged.path, text);
    const { choice, trials } = setUp({ path: damaged.path });
    await choice.choose();
    assert.equal(trials.length, 1, text);
  }
});

test('what is kept comes back as it was, infinities included; hostile files give nothing', () => {
  const kept = {
    verdicts: [row('webgpu', 1, { verdict: 'wrong', maxRelativeError: Infinity, peakBytes: null })],
    troubles: [trouble('webgpu')],
  };
  assert.deepEqual(parseKept(keptText('k', kept), 'k'), kept);
  assert.deepEqual(parseKept(keptText('k', kept), 'j'), { verdicts: [], troubles: [] });
  for (const change of [{ device: -1 }, { device: 1e9 }, { provider: 'x' }, { verdict: 'best' }, { trainStepMs: -1 }]) {
    const text = JSON.stringify({ key: 'k', verdicts: [{ ...kept.verdicts[0], ...change }], troubles: [] });
    assert.deepEqual(parseKept(text, 'k').verdicts, [], JSON.stringify(change));
  }
  const seen = withTroubles(
    [row('cpu', 1), row('cuda', 1, { verdict: 'unavailable' })],
    [trouble('cuda'), trouble('dml')],
  );
  assert.deepEqual(asText(seen), ['cpu 0 correct', 'cuda 0 unavailable', 'dml 0 unstable']);
  assert.match(seen[2]!.detail, /^dml was given up.*doctor --again\.$/);
});

test('failures are counted per device within the window; numbers that are not finite need no second time; the CPU never', () => {
  let now = 0;
  const count = new FailureCount(() => now);
  const webgpu = { provider: 'webgpu', device: 0 } as const;
  assert.equal(count.failed(webgpu, 'crashed', 'a'), null);
  assert.equal(count.failed({ provider: 'cuda', device: 0 }, 'crashed', 'b'), null);
  assert.equal(count.failed(webgpu, 'crashed', 'c'), null);
  assert.equal(count.failed(webgpu, 'failed', 'd'), null);
  now = TROUBLE_WINDOW_MS;
  assert.equal(count.failed(webgpu, 'crashed', 'e'), null, 'those before are out of the window');
  assert.equal(count.failed(webgpu, 'crashed', 'f'), null);
  const given = count.failed(webgpu, 'hung', 'g');
  assert.deepEqual(given, { ...webgpu, kind: 'hung', times: 3, detail: 'g', at: now });
  assert.match(
    troubleText(given),
    /^webgpu was given up: the compute process stopped answering 3 times within 15 minutes \(g\)/,
  );
  const once = count.failed(webgpu, 'notFinite', 'NaN')!;
  assert.match(troubleText(once), /not finite \(NaN\)/);
  for (let i = 0; i < 9; i++) assert.equal(count.failed({ provider: 'cpu', device: 0 }, 'notFinite', ''), null);
});

test('the machine key changes with runtime, system, driver, card, Vulkan driver and a fetched CUDA provider', async () => {
  const folder = join(root, 'drivers');
  await mkdir(join(folder, 'vulkan'), { recursive: true });
  await mkdir(join(folder, 'runtime'));
  const icd = join(folder, 'vulkan', 'radeon_icd.json');
  await writeFile(icd, '{}');
  const card = { name: 'RTX', vendor: 'NVIDIA', vramBytes: null, driver: '1' };
  const machine = {
    cpu: { model: 'A', cores: 1, threads: 1 },
    gpus: [card],
    os: { platform: 'linux', release: '6', arch: 'x64' },
  };
  let version = '1.30.0';
  const places = {
    runtime: () => Promise.resolve({ version, directory: join(folder, 'runtime') }),
    vulkan: [join(folder, 'vulkan'), join(folder, 'none')],
  };
  const keys = new Set<string>();
  const differs = async (what: string, changed: typeof machine = machine): Promise<void> => {
    const { key } = await triedMachine(changed, places);
    assert.ok(!keys.has(key), what);
    assert.equal((await triedMachine(changed, places)).key, key, `${what}: the same twice`);
    keys.add(key);
  };
  await differs('first');
  await differs('driver', { ...machine, gpus: [{ ...card, driver: '2' }] });
  await differs('another card', { ...machine, gpus: [card, card] });
  await differs('kernel', { ...machine, os: { ...machine.os, release: '7' } });
  version = '1.31.0';
  await differs('runtime');
  await utimes(icd, 1000, 1000);
  await differs('Vulkan driver');
  await writeFile(join(folder, 'runtime', 'libonnxruntime_providers_cuda.so'), 'x');
  await differs('CUDA provider');
  const other = { ...card, vendor: 'AMD', name: 'RX' };
  const { devices, gpuNames } = await triedMachine({ ...machine, gpus: [card, card, other] }, places);
  assert.deepEqual([devices, gpuNames], [{ cuda: 2, dml: 3 }, ['RTX', 'RTX', 'RX']]);
});
