// Pause, resume, finish and the limit of rounds on a node that really trains: how fast, and without any trace in the result.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openNode, savedPolicy, type TestNode } from './test-node.ts';

const ROUNDS = 4;
// Longer rounds, so that a pause comes in the middle of one.
const settings = { rounds: ROUNDS, promptsPerRound: 8, groupSize: 8, maxNewTokens: 40 };

let undisturbed: Awaited<ReturnType<typeof savedPolicy>>;
before(async () => {
  const node = await openNode(settings);
  await node.until('waiting', 'roundsDone');
  await node.engine.close();
  undisturbed = await savedPolicy(node.directory);
});

/** Fails when anything of the round is reported for a while. */
async function assertStill(node: TestNode, forMs: number): Promise<void> {
  const heard: string[] = [];
  const leave = node.engine.api.subscribe('progress', ({ stage, done }) => heard.push(`${stage} ${done}`));
  await sleep(forMs);
  leave();
  assert.deepEqual(heard, []);
}

test('pause stops within a second in the middle of a round, resume goes on with it, and the bits are the same', async () => {
  const node = await openNode(settings);
  for (const stage of ['generate', 'train'] as const) {
    const at = await node.next('progress', (now) => now.round >= 2 && now.stage === stage);
    const askedAt = performance.now();
    let lastHeard = askedAt;
    const leave = node.engine.api.subscribe('progress', () => (lastHeard = performance.now()));
    const state = await node.invoke('pause', null);
    assert.deepEqual([state.name, state.text], ['paused', 'Paused by you']);
    await sleep(1500);
    leave();
    assert.ok(lastHeard - askedAt < 1000, `it went on for ${lastHeard - askedAt} ms`);
    await assertStill(node, 300);
    const { round, stage: shown } = await node.status();
    assert.ok(round === at.round - 1 || round === at.round, 'at most the end of the round came through');
    assert.equal(shown, 'idle');
    assert.equal((await node.invoke('pause', null)).name, 'paused');
    assert.equal((await node.invoke('resume', null)).name, 'training');
  }
  await node.until('waiting', 'roundsDone');
  assert.equal(node.computePids.length, 1, 'the compute process was kept');
  await node.engine.close();
  assert.deepEqual(await savedPolicy(node.directory), undisturbed);
});

test('finish ends the round in progress and pauses; the limit of rounds is of this start, and resume begins it anew', async () => {
  const node = await openNode({ ...settings, rounds: 2 });
  const { round: inProgress } = await node.next('progress', ({ stage }) => stage === 'generate');
  const state = await node.invoke('finish', null);
  assert.deepEqual([state.name, state.text], ['finishing', 'Finishing the round, then pausing']);
  await node.until('paused', 'user');
  assert.equal((await node.status()).round, inProgress);
  await assertStill(node, 300);
  await node.invoke('resume', null);
  const { state: done, round } = await node.until('waiting', 'roundsDone');
  assert.deepEqual([done.text, round], ['All 2 rounds are done', 2]);
  assert.equal((await savedPolicy(node.directory)).round, 2, 'a checkpoint is written when the rounds are done');
  await assertStill(node, 300);
  assert.equal((await node.invoke('resume', null)).name, 'training');
  await node.next('status', (now) => now.state.reason?.kind === 'roundsDone');
  assert.equal((await node.status()).round, 4);
  await node.engine.close();
  assert.deepEqual(await savedPolicy(node.directory), undisturbed);
  await assert.doesNotReject(node.engine.close(), 'closing twice is harmless');
});

test('told to pause while it starts it does not train; told to go on it does', async () => {
  const node = await openNode({ ...settings, rounds: 1 });
  assert.equal((await node.status()).state.name, 'starting');
  await node.invoke('pause', null);
  await node.next('log', ({ message }) => /^Policy .* round 0$/.test(message));
  await assertStill(node, 300);
  assert.deepEqual([(await node.status()).round, (await node.status()).state.name], [0, 'paused']);
  await node.invoke('resume', null);
  assert.equal((await node.until('waiting', 'roundsDone')).round, 1);
});

test('quit over the API ends the engine in order', async () => {
  const node = await openNode({ ...settings, rounds: 0 });
  await node.next('round');
  await node.invoke('quit', null);
  await node.engine.closed;
  assert.ok((await savedPolicy(node.directory)).round >= 1);
});
