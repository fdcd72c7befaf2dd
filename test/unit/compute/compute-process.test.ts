// The compute process as a process: how its death is heard, and what it does not die of.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ComputeDiedError, ComputeHost, forkCompute } from '../../../native-models/runtime/compute-host.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';

const open = {
  policyDirectory: bundledPolicyDirectory(),
  checkpointDirectory: null,
  provider: 'cpu',
  threads: 0,
} as const;
const died = (error: unknown): boolean =>
  error instanceof ComputeDiedError && error.code === 'computeDied' && /checkpoint/.test(error.fix);

test('killed: every open call and every later one fails with the same news, and closing is harmless', async () => {
  const host = new ComputeHost(forkCompute);
  const opened = await host.call('open', open);
  assert.equal(opened.provider, 'cpu');
  const prompts = [[1, 2, 3]];
  const options = { completionsPerPrompt: 64, maxNewTokens: 100, temperature: 1, topK: 0, topP: 1, seed: 1 };
  host.control('hold'); // so that the call is certainly open
  host.onHeld(() => process.kill(host.pid!, 'SIGKILL'));
  const running = host.call('generate', { prompts, options });
  const queued = host.call('dropGradient', null);
  await assert.rejects(running, died);
  await assert.rejects(queued, died);
  assert.deepEqual(await host.exited, { code: null, signal: 'SIGKILL' });
  await assert.rejects(host.call('dropGradient', null), died);
  host.control('cancel');
  await host.close();
});

test(
  'Ctrl-C for the whole terminal does not end it: the node decides',
  { skip: process.platform === 'win32' },
  async () => {
    const host = new ComputeHost(forkCompute);
    await host.call('open', open);
    process.kill(host.pid!, 'SIGINT');
    await sleep(200);
    assert.equal(await host.call('dropGradient', null), null);
    await host.close();
    await host.close();
  },
);

test('a process that cannot be started is a death, not an error that nobody catches', async () => {
  const host = new ComputeHost(() => ({
    post: () => undefined,
    onMessage: () => undefined,
    onExit: (listener) => setImmediate(() => listener({ code: null, signal: null })),
    kill: () => undefined,
    pid: null,
  }));
  await assert.rejects(host.call('open', open), (error) => died(error) && /code unknown/.test(String(error)));
});

test('a parent that is killed while it starts: the process ends, and says nothing', async () => {
  const path = new URL('../../../native-models/runtime/compute-process.ts', import.meta.url);
  const script = `require('node:child_process').fork(process.argv[1]);
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 60);`;
  const parent = spawn(process.execPath, ['--eval', script, fileURLToPath(path)]);
  const said = text(parent.stderr); // whole once the grandchild has closed it, too
  await once(parent, 'close');
  assert.equal(await said, '');
});
