/**
 * Memory that really runs out: a compute process whose address space is bounded while it works (prlimit), not a made-up error. A
 * round's training goes on with smaller passes, its plan says so, and doing it again without the bound gives the same bits.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import { smallerPasses } from '../../../native-models/runtime/batch.ts';
import { ComputeError, ComputeHost, forkCompute } from '../../../native-models/runtime/compute-host.ts';
import { isOutOfMemory } from '../../../native-models/runtime/out-of-memory.ts';
import { loadConfig } from '../../../src-main/config.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import { executePlan, type TrainPlan } from '../../../src-main/train/train-round.ts';

const root = await mkdtemp(join(tmpdir(), 'waggle-shortage-'));
after(() => rm(root, { recursive: true, force: true }));
const asympo = createObjective('asympo', loadConfig({ flags: {} }).config);
const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
const row = (r: number, length: number) => ({
  tokens: Array.from({ length }, (_, i) => 4 + ((i * 31 + r * 7) % 260)),
  promptLength: 40,
  advantage: r % 2 === 0 ? 1 : -1,
  rowWeight: 1 / 64,
  behaviorLogprobs: null,
});
const newPlan = (): TrainPlan => ({
  epochs: 2,
  maxTokens: 8192,
  maxGradientNorm: 1,
  parts: [{ source: 'own', objective: 'asympo', rows: Array.from({ length: 64 }, (_, r) => row(r, 121 - (r % 20))) }],
  optimizers: [adam, adam],
});

/** One small step that changes no weight, so that what a first step takes is taken. */
const warming = (): TrainPlan => ({
  ...newPlan(),
  epochs: 1,
  maxTokens: 128,
  parts: [{ source: 'own', objective: 'asympo', rows: [row(0, 120)] }],
  optimizers: [{ ...adam, learningRate: 0 }],
});

async function open(t: { after(work: () => Promise<void>): void }, folder: string): Promise<ComputeHost> {
  const host = new ComputeHost(forkCompute);
  t.after(() => host.close());
  const opened = await host.call('open', {
    policyDirectory: bundledPolicyDirectory(),
    checkpointDirectory: join(root, folder),
    provider: 'cpu',
    threads: 2,
  });
  const model = lowerGraph(gradientGraph(opened.config, asympo.loss, opened.adapter), 'cpu', 'asympo');
  await host.call('defineObjective', { name: 'asympo', model });
  return host;
}

/** Null: as much as it likes. The hard limit stays as it was. */
function boundAddressSpace(pid: number | null, bytes: number | null): void {
  execFileSync('prlimit', ['--pid', String(pid), `--as=${bytes ?? 'unlimited'}:`]);
}

/** Everything the process changes, as it would be found after a restart. */
async function savedBits(host: ComputeHost, folder: string, version: number): Promise<Map<string, Buffer>> {
  await host.call('save', { state: {}, version });
  const files = (await readdir(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.safetensors'))
    .map((entry) => join(entry.parentPath, entry.name));
  assert.ok(files.length > 0);
  return new Map(
    await Promise.all(files.map(async (path) => [path.split('/').at(-1)!, await readFile(path)] as const)),
  );
}

describe('memory runs out', { skip: process.platform !== 'linux' }, () => {
  test('passes are halved until they fit, and the plan done again gives the same bits', async (t) => {
    const bounded = await open(t, 'bounded');
    await executePlan(bounded, warming());
    const status = await readFile(`/proc/${bounded.pid}/status`, 'utf8');
    const addressSpace = Number(/^VmSize:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
    boundAddressSpace(bounded.pid, addressSpace + 300e6);
    const plan = newPlan();
    const told: number[] = [];
    const outcome = await executePlan(bounded, plan, undefined, (maxTokens, cause) => {
      assert.equal(cause.code, 'outOfMemory');
      assert.match(cause.message, /^Memory ran out/);
      told.push(maxTokens);
      boundAddressSpace(bounded.pid, null); // else V8 may be the next that gets none, and ends the process
    });
    assert.ok(told.length > 0 && told[0]! <= 4096, `passes of ${told.join(', ')} tokens`);
    assert.deepEqual(
      plan.shrunk,
      told.map((maxTokens) => ({ fromEpoch: 0, maxTokens })),
    );
    assert.equal(outcome.steps, 2);

    const again = await open(t, 'again');
    await executePlan(again, warming());
    const repeated = await executePlan(again, structuredClone(plan));
    assert.deepEqual(repeated, outcome);
    const bits = await savedBits(bounded, 'bounded', outcome.policyVersion);
    assert.deepEqual(await savedBits(again, 'again', outcome.policyVersion), bits);
  });
});

test('a pass of one row cannot be made smaller: the error comes through, with what to do', async () => {
  const rows = [100, 60, 30].map((length) => ({ tokens: new Array<number>(length).fill(length), promptLength: 5 }));
  assert.equal(smallerPasses(rows, 1000), 93);
  assert.equal(smallerPasses(rows, 93), 44, 'the long row has a pass of its own already');
  assert.equal(smallerPasses(rows, 44), null);
  assert.equal(smallerPasses([], 100), null);
  const fault = { code: 'outOfMemory', message: 'Memory ran out', fix: 'Take a smaller model.' };
  const call = (name: string) =>
    name === 'accumulate' ? Promise.reject(new ComputeError(fault)) : Promise.resolve(null);
  const compute = { call } as unknown as ComputeHost;
  const plan = newPlan();
  await assert.rejects(executePlan(compute, plan), { code: 'outOfMemory', fix: /smaller/ });
  assert.ok(plan.shrunk!.at(-1)!.maxTokens < 240, 'it was tried down to one row');
});

test('what counts as memory having run out', () => {
  const meant = [
    'bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 4194304',
    'std::bad_alloc',
    'Array buffer allocation failed',
    'CUDA failure 2: out of memory ; GPU=0',
    'VK_ERROR_OUT_OF_DEVICE_MEMORY',
    'HRESULT E_OUTOFMEMORY',
  ];
  for (const message of meant) assert.ok(isOutOfMemory(new Error(message)), message);
  for (const message of ['device lost', 'The gradient was not finite', 'no room in the context'])
    assert.ok(!isOutOfMemory(new Error(message)), message);
});
