// A compute process that owes an answer and gives no sign of life is ended, and only then.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ComputeHost, describeExit, type ComputeExit } from '../../../native-models/runtime/compute-host.ts';
import { SILENCE_BASE_MS, silenceLimitMs } from '../../../native-models/runtime/compute-watchdog.ts';
import type { FromCompute } from '../../../native-models/runtime/compute-protocol.ts';

const SILENCE_MS = 200;

function hostOfASilentProcess() {
  let hear: (message: unknown) => void = () => undefined;
  let exit: (exit: ComputeExit) => void = () => undefined;
  const host = new ComputeHost(
    () => ({
      post: () => undefined,
      onMessage: (listener) => (hear = listener),
      onExit: (listener) => (exit = listener),
      kill: () => setImmediate(() => exit({ code: null, signal: 'SIGKILL' })),
      pid: 1,
    }),
    { silenceBaseMs: SILENCE_MS },
  );
  return { host, says: (message: FromCompute) => hear(message) };
}

test('silence ends it, with what it was working on; open calls and later ones fail with that', async () => {
  const { host } = hostOfASilentProcess();
  const startedAt = performance.now();
  const calls = [host.call('dropGradient', null), host.call('save', { state: {}, version: 0 })];
  const [first, second] = await Promise.allSettled(calls);
  assert.ok(performance.now() - startedAt >= SILENCE_MS);
  for (const outcome of [first, second]) {
    assert.ok(outcome?.status === 'rejected');
    assert.match(String(outcome.reason), /no sign of life for \d+ s while it worked on dropGradient/);
  }
  const exit = await host.exited;
  assert.equal(exit.hung?.call, 'dropGradient');
  assert.match(describeExit(exit), /^no sign of life/);
  await assert.rejects(host.call('dropGradient', null), /no sign of life/);
});

test('owing nothing, being held, and every sign of life are fine; after them silence counts anew', async () => {
  const { host, says } = hostOfASilentProcess();
  await sleep(2 * SILENCE_MS); // nothing is owed
  const answer = host.call('dropGradient', null);
  for (let i = 0; i < 6; i++) {
    await sleep(SILENCE_MS / 3);
    says(i % 2 === 0 ? { kind: 'alive' } : { kind: 'progress', id: 1, done: i });
  }
  says({ kind: 'held', held: true });
  await sleep(3 * SILENCE_MS);
  says({ kind: 'held', held: false });
  await sleep(SILENCE_MS / 3);
  says({ kind: 'result', id: 1, result: null });
  assert.equal(await answer, null);
  await sleep(2 * SILENCE_MS);
  const next = host.call('dropGradient', null);
  await assert.rejects(next, /no sign of life/);
});

test('a node that did not run itself blames nobody', async () => {
  const { host, says } = hostOfASilentProcess();
  const answer = host.call('dropGradient', null);
  const until = performance.now() + 5 * SILENCE_MS;
  while (performance.now() < until); // as if the machine had slept
  says({ kind: 'result', id: 1, result: null });
  assert.equal(await answer, null);
  await host.close();
});

test('the limit grows with the work of one run, and never falls below the base', () => {
  const row = (length: number) => ({
    tokens: Array.from({ length }, () => 1),
    promptLength: 1,
    advantage: 0,
    rowWeight: 1,
    behaviorLogprobs: null,
  });
  const accumulate = (tokens: number, parameters: number): number =>
    silenceLimitMs('accumulate', { objective: 'x', rows: [row(tokens)], maxTokens: 1024 }, parameters);
  assert.equal(silenceLimitMs('dropGradient', null, 1e9), SILENCE_BASE_MS);
  assert.ok(accumulate(10, 2.4e6) < 2 * SILENCE_BASE_MS, 'the bundled policy is not waited for much longer');
  // A 1.7 B policy on a processor of 4 GFLOP/s: 1024 tokens take 44 minutes.
  assert.ok(accumulate(10, 1.7e9) > 40 * 60_000);
  assert.ok(
    accumulate(4096, 1.7e9) > 3.9 * (accumulate(10, 1.7e9) - SILENCE_BASE_MS),
    'a row may be longer than a batch',
  );
  const reference = { rows: [], maxTokens: 1, under: 'reference' as const };
  assert.ok(silenceLimitMs('score', reference, 0) > silenceLimitMs('score', { rows: [], maxTokens: 1 }, 0) + 60_000);
  for (const call of ['open', 'defineObjective', 'update', 'save'] as const)
    assert.ok(silenceLimitMs(call, {} as never, 1e9) > SILENCE_BASE_MS, call);
});
