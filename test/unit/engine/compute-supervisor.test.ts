// Starting and ending the compute process: back-off, giving a provider up, and no start after the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ComputeChannel, ComputeExit } from '../../../native-models/runtime/compute-host.ts';
import type { ToCompute } from '../../../native-models/runtime/compute-protocol.ts';
import { CPU_TARGET, type ComputeTarget } from '../../../native-models/runtime/provider.ts';
import { createLog } from '../../../src-main/base/log.ts';
import { ComputeSupervisor } from '../../../src-main/engine/compute/compute-supervisor.ts';
import { TROUBLE_WINDOW_MS, type ProviderTrouble } from '../../../src-main/engine/providers/provider-trouble.ts';
import { openNode } from './test-node.ts';

/** Processes that open anything at once and die when told. */
function supervise(target: () => Promise<ComputeTarget>) {
  const spawned: { target?: string; killed: boolean; die: (exit: ComputeExit) => void }[] = [];
  const troubles: ProviderTrouble[] = [];
  const deaths: ComputeExit[] = [];
  const spawn = (): ComputeChannel => {
    let hear: (message: unknown) => void = () => undefined;
    let tell: (exit: ComputeExit) => void = () => undefined;
    const process: (typeof spawned)[number] = { killed: false, die: (exit) => tell(exit) };
    spawned.push(process);
    return {
      post: (message) => {
        const asked = message as ToCompute;
        if (asked.kind !== 'call') return;
        if (asked.call === 'open') process.target = `${asked.args.provider} ${asked.args.device}`;
        setImmediate(() => hear({ kind: 'result', id: asked.id, result: { passedOver: ['/x: cut'], config: {} } }));
      },
      onMessage: (listener) => (hear = listener),
      onExit: (listener) => (tell = listener),
      kill: () => {
        process.killed = true;
        setImmediate(() => tell({ code: null, signal: 'SIGKILL' }));
      },
      pid: 1,
    };
  };
  const log = createLog({ directory: null });
  const supervisor = new ComputeSupervisor({
    spawn,
    policy: () => ({ directory: '', name: '', identity: '', checkpoints: '' }),
    threads: 1,
    decodePrecision: 'auto',
    adapter: { mode: 'full', rank: 1, alpha: 1, targets: ['q_proj'] },
    target,
    giveUp: (trouble) => {
      troubles.push(trouble);
      return Promise.resolve();
    },
    objectives: () => [],
    fit: () => Promise.resolve({ recompute: false, decodedRows: null }),
    log: log.for('compute'),
    onDied: (exit) => deaths.push(exit),
  });
  return {
    supervisor,
    spawned,
    deaths,
    troubles,
    warnings: () => log.rows({ limit: 20, level: 'warn' }).map(({ message }) => message),
  };
}
const crash: ComputeExit = { code: 134, signal: null };
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test('each death doubles the wait up to a minute, a finished round forgives them, an end that was wanted is no death', async () => {
  const { supervisor, spawned, deaths, troubles, warnings } = supervise(() => Promise.resolve(CPU_TARGET));
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    await supervisor.start();
    spawned.at(-1)!.die(crash);
    await settled();
    waits.push(supervisor.retry.retryInMs);
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  assert.deepEqual([deaths.length, supervisor.retry.attempt, supervisor.pid], [8, 8, null]);
  assert.equal(troubles.length, 0, 'the CPU is not given up: there is nothing else');
  assert.ok(warnings().every((message) => message === 'A damaged checkpoint was passed over: /x: cut'));
  await supervisor.start();
  supervisor.worked();
  await supervisor.stop();
  await settled();
  assert.deepEqual([deaths.length, supervisor.retry], [8, { attempt: 0, retryInMs: 1000 }]);
});

test('a device of a provider is given up at its third failure within the window, of whatever kind; what follows is up to the choice', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  const choice: ComputeTarget[] = [{ provider: 'cuda', device: 1 }];
  const { supervisor, spawned, troubles } = supervise(() => Promise.resolve(choice.at(-1)!));
  const failOnce = async (exit: ComputeExit): Promise<void> => {
    await supervisor.start();
    supervisor.worked(); // a GPU that dies now and then is no better than one that dies at once
    spawned.at(-1)!.die(exit);
    await settled();
  };
  await failOnce(crash);
  t.mock.timers.tick(TROUBLE_WINDOW_MS);
  await failOnce(crash); // the first is long ago
  assert.equal(supervisor.callFailed('failed', 'device lost'), false);
  assert.equal(troubles.length, 0);
  await failOnce({ ...crash, hung: { call: 'accumulate', silentMs: 125_000 } });
  assert.deepEqual(troubles, [
    {
      provider: 'cuda',
      device: 1,
      kind: 'hung',
      times: 3,
      detail: 'no sign of life for 125 s while it worked on accumulate',
      at: 1_000_000 + TROUBLE_WINDOW_MS,
    },
  ]);
  assert.equal(supervisor.retry.retryInMs, 1000, 'the next provider does not wait for the faults of this one');
  choice.push({ provider: 'webgpu', device: 0 });
  await supervisor.start();
  assert.ok(supervisor.callFailed('notFinite', 'NaN'), 'numbers that are not finite were counted before they are told');
  assert.equal(troubles.at(-1)!.provider, 'webgpu');
  choice.push(CPU_TARGET);
  await supervisor.start();
  assert.deepEqual(
    spawned.map(({ target }) => target),
    ['cuda 1', 'cuda 1', 'cuda 1', 'webgpu 0', 'cpu 0'],
  );
  assert.ok(spawned[3]!.killed, 'a start ends the process before it');
  assert.equal(supervisor.callFailed('notFinite', 'NaN'), false);
  await supervisor.stop();
});

test('no process is started once starts are refused, even when the provider is found only then', async () => {
  let found: (target: ComputeTarget) => void = () => undefined;
  const { supervisor, spawned } = supervise(() => new Promise((resolve) => (found = resolve)));
  const start = supervisor.start();
  supervisor.refuseStarts();
  await assert.rejects(start, { code: 'cancelled' });
  found(CPU_TARGET);
  await settled();
  await assert.rejects(supervisor.start(), { code: 'cancelled' });
  assert.equal(spawned.length, 0);
});

test('a node that is ended while it tries the providers ends at once and leaves no process', async () => {
  let killed = 0;
  const node = await openNode({ provider: 'auto', rounds: 1 }, undefined, {
    spawnTrial: () => ({
      post: () => undefined,
      onMessage: () => undefined,
      onExit: () => undefined,
      kill: () => {
        killed++;
      },
      pid: null,
    }),
  });
  await node.next('log', ({ message }) => /Trying each provider/.test(message));
  const askedAt = performance.now();
  await node.engine.close();
  assert.ok(performance.now() - askedAt < 2000);
  assert.deepEqual(node.computePids, []);
  assert.equal(killed, 1, 'the process that tried the first provider is ended, and no other is started');
});
