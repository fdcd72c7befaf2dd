// Starting and ending the compute process: back-off, the CPU after repeated deaths on a GPU, and no start after the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ComputeChannel, ComputeExit } from '../../../native-models/runtime/compute-host.ts';
import type { ToCompute } from '../../../native-models/runtime/compute-protocol.ts';
import type { ProviderName } from '../../../native-models/runtime/provider.ts';
import { createLog } from '../../../src-main/base/log.ts';
import { ComputeSupervisor } from '../../../src-main/engine/compute-supervisor.ts';
import { openNode } from './test-node.ts';

/** Processes that open anything at once and die when told. */
function supervise(provider: () => Promise<ProviderName>) {
  const spawned: { provider?: string; killed: boolean; die: (exit: ComputeExit) => void }[] = [];
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
        if (asked.call === 'open') process.provider = asked.args.provider;
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
    policyDirectory: '',
    checkpointDirectory: '',
    threads: 1,
    adapter: { mode: 'full', rank: 1, alpha: 1, targets: ['q_proj'] },
    provider,
    objectives: () => [],
    log: log.for('compute'),
    onDied: (exit) => deaths.push(exit),
  });
  return {
    supervisor,
    spawned,
    deaths,
    warnings: () => log.rows({ limit: 20, level: 'warn' }).map(({ message }) => message),
  };
}
const crash: ComputeExit = { code: 134, signal: null };
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test('each death doubles the wait up to a minute, a finished round forgives them, an end that was wanted is no death', async () => {
  const { supervisor, spawned, deaths, warnings } = supervise(() => Promise.resolve('cpu'));
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    await supervisor.start();
    spawned.at(-1)!.die(crash);
    await settled();
    waits.push(supervisor.retry.retryInMs);
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  assert.deepEqual([deaths.length, supervisor.retry.attempt, supervisor.pid], [8, 8, null]);
  assert.ok(warnings().every((message) => message === 'A damaged checkpoint was passed over: /x: cut'));
  await supervisor.start();
  supervisor.worked();
  await supervisor.stop();
  await settled();
  assert.deepEqual([deaths.length, supervisor.retry], [8, { attempt: 0, retryInMs: 1000 }]);
});

test('after three deaths in a row on a GPU the CPU takes over, until a round came through', async () => {
  const { supervisor, spawned, warnings } = supervise(() => Promise.resolve('webgpu'));
  for (let i = 0; i < 3; i++) {
    await supervisor.start();
    spawned.at(-1)!.die(crash);
    await settled();
  }
  await supervisor.start();
  assert.deepEqual(
    spawned.map(({ provider }) => provider),
    ['webgpu', 'webgpu', 'webgpu', 'cpu'],
  );
  assert.ok(warnings().some((message) => /webgpu ended 3 times in a row: going on with the CPU/.test(message)));
  supervisor.worked();
  await supervisor.start();
  assert.equal(spawned.at(-1)!.provider, 'webgpu');
  assert.ok(spawned[3]!.killed, 'a start ends the process before it');
  await supervisor.stop();
});

test('no process is started once starts are refused, even when the provider is found only then', async () => {
  let found: (provider: ProviderName) => void = () => undefined;
  const { supervisor, spawned } = supervise(() => new Promise((resolve) => (found = resolve)));
  const start = supervisor.start();
  supervisor.refuseStarts();
  await assert.rejects(start, { code: 'cancelled' });
  found('cpu');
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
