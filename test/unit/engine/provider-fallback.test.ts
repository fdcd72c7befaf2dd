// A provider that came through its trial and then takes the compute process down: real processes that really die and hang.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { forkComputeEntry, type ComputeChannel } from '../../../native-models/runtime/compute-host.ts';
import type { TrialReport, TrialRequest } from '../../../native-models/runtime/provider-trial-protocol.ts';
import { renderStatus } from '../../../src-main/cli/status-view.ts';
import { eventually, newFolder, openNode, savedPolicy } from './test-node.ts';

const entry = join(import.meta.dirname, 'compute-children', 'played-gpu.ts');

/** CPU and WebGPU come out correct, WebGPU ten times as fast. */
function fastWebGpu() {
  const tried: string[] = [];
  const spawnTrial = (): ComputeChannel => {
    let hear: (message: unknown) => void = () => undefined;
    return {
      post: (message) => {
        const { provider } = message as TrialRequest;
        tried.push(provider);
        const ms = provider === 'cpu' ? 10 : 1;
        const numbers = { losses: Float32Array.of(1) };
        const reports: TrialReport[] = [
          { kind: 'numbers', bundled: ['cpu', 'webgpu'], adapter: null, numbers },
          { kind: 'times', trainStepMs: ms, decodeStepMs: ms, peakBytes: 1e8 },
        ];
        for (const report of reports) setImmediate(() => hear(report));
      },
      onMessage: (listener) => (hear = listener),
      onExit: () => undefined,
      kill: () => undefined,
      pid: null,
    };
  };
  return { spawnTrial, tried };
}

const played = (manner: () => string) => () => forkComputeEntry(entry, { ...process.env, PLAYED_GPU: manner() });

test('three crashes in training: the CPU takes over, nothing whole is lost, a restart does not begin again; asked, it is tried again', async () => {
  const undisturbed = await openNode({ rounds: 4 });
  await undisturbed.until('waiting', 'roundsDone');
  await undisturbed.engine.close();

  // Two rounds on the CPU, then with the GPU that dies at every training step.
  const directory = newFolder();
  const first = await openNode({ rounds: 2 }, directory);
  await first.until('waiting', 'roundsDone');
  await first.engine.close();
  let manner = 'segfault';
  const { spawnTrial, tried } = fastWebGpu();
  const seams = { spawnTrial, spawnCompute: played(() => manner) };
  const second = await openNode({ provider: 'auto', rounds: 2 }, directory, seams);
  const status = await second.until('waiting', 'roundsDone');
  const { round, provider, givenUp, computeRestarts } = status;
  assert.match(renderStatus({ colours: false }, status, null), /given up +webgpu was given up: .*doctor --again$/m);
  assert.deepEqual([round, provider?.name, computeRestarts, second.computePids.length], [4, 'cpu', 3, 4]);
  assert.deepEqual(
    givenUp.map(({ provider, device, kind, times }) => ({ provider, device, kind, times })),
    [{ provider: 'webgpu', device: 0, kind: 'crashed', times: 3 }],
  );
  const sentence =
    /^webgpu was given up: the compute process ended 3 times within 15 minutes \(signal SIGSEGV\).*doctor --again$/;
  assert.match(givenUp[0]!.text, sentence);
  assert.ok(second.log.some(({ level, message }) => level === 'warn' && sentence.test(message)));
  const { verdicts } = await second.invoke('hardware', null);
  assert.deepEqual(
    verdicts.map((row) => `${row.provider} ${row.verdict}`),
    ['cpu used', 'webgpu unstable'],
  );
  await second.engine.close();
  assert.deepEqual(await savedPolicy(directory), await savedPolicy(undisturbed.directory));

  const third = await openNode({ provider: 'auto', rounds: 1 }, directory, seams);
  const again = await third.until('waiting', 'roundsDone');
  assert.deepEqual([again.round, again.provider?.name, again.givenUp.length], [5, 'cpu', 1]);
  assert.deepEqual([third.computePids.length, tried], [1, ['cpu', 'webgpu']], 'nothing was tried, nothing died');

  manner = 'healthy';
  await third.invoke('tryProviders', null);
  await eventually(async () => !(await third.invoke('hardware', null)).trying, 'the trial is over');
  assert.deepEqual(tried, ['cpu', 'webgpu', 'cpu', 'webgpu']);
  await third.invoke('resume', null);
  const restored = await third.until('waiting', 'roundsDone');
  assert.deepEqual([restored.round, restored.provider?.name, restored.givenUp], [6, 'webgpu', []]);
  await third.engine.close();
});

test('the owner chose it: it is given up all the same, the others are tried; another driver gives it a new chance', async () => {
  const { spawnTrial, tried } = fastWebGpu();
  let manner = 'exit';
  const seams = { spawnTrial, spawnCompute: played(() => manner) };
  const node = await openNode({ provider: 'webgpu', rounds: 1 }, undefined, seams);
  const { provider, givenUp } = await node.until('waiting', 'roundsDone');
  assert.deepEqual([provider?.name, givenUp[0]?.kind, tried], ['cpu', 'crashed', ['cpu', 'webgpu']]);
  await node.engine.close();

  const path = join(node.directory, 'hardware.json');
  const kept = JSON.parse(await readFile(path, 'utf8')) as { key: string };
  await writeFile(path, JSON.stringify({ ...kept, key: kept.key.replace('[', '["another driver",') }));
  manner = 'healthy';
  const next = await openNode({ provider: 'webgpu', rounds: 1 }, node.directory, seams);
  const done = await next.until('waiting', 'roundsDone');
  assert.deepEqual([done.provider?.name, done.givenUp, next.computePids.length], ['webgpu', [], 1]);
  await next.engine.close();
});

for (const [manner, kind, says] of [
  ['nan', 'notFinite', /^webgpu was given up: it computed numbers that are not finite \(/],
  ['throws', 'failed', /^webgpu was given up: its calls failed 3 times within 15 minutes \(WebGPU device lost\)/],
] as const)
  test(`a provider that ${manner === 'nan' ? 'computes NaN' : 'throws in each step'} is given up, and the CPU goes on from the last whole round`, async () => {
    const { spawnTrial } = fastWebGpu();
    const node = await openNode({ provider: 'auto', rounds: 2 }, undefined, {
      spawnTrial,
      spawnCompute: played(() => manner),
    });
    const { state } = await node.until('waiting', 'computeRestarting');
    assert.match(state.text, /attempt [1-9]/);
    const { round, provider, givenUp, computeRestarts } = await node.until('waiting', 'roundsDone');
    assert.deepEqual([round, provider?.name, givenUp[0]?.kind, computeRestarts], [2, 'cpu', kind, 0]);
    assert.match(givenUp[0]!.text, says);
    await node.engine.close();
    const cpu = await openNode({ rounds: 2 });
    await cpu.until('waiting', 'roundsDone');
    await cpu.engine.close();
    assert.deepEqual(await savedPolicy(node.directory), await savedPolicy(cpu.directory));
  });

test('a process that hangs in a training step is ended, restarted with the reason, and the round is done', async () => {
  let starts = 0;
  const { spawnTrial } = fastWebGpu();
  const spawnCompute = played(() => (starts++ === 0 ? 'hang' : 'healthy'));
  const silenceBaseMs = 6000;
  const node = await openNode({ provider: 'auto', rounds: 2 }, undefined, { spawnTrial, spawnCompute, silenceBaseMs });
  const { state } = await node.until('waiting', 'computeRestarting');
  assert.match(state.text, /no sign of life for \d+ s while it worked on accumulate/);
  const { round, provider, givenUp, computeRestarts } = await node.until('waiting', 'roundsDone');
  assert.deepEqual([round, provider?.name, givenUp, computeRestarts], [2, 'webgpu', [], 1]);
  await node.engine.close();
});
