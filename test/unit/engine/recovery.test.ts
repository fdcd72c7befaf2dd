// Whatever is killed, and wherever it was: after the same number of rounds weights and moments have the very same bits.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { durableRound, isAlive, openNode, savedPolicy } from './test-node.ts';

const ROUNDS = 6;
// Two passes over each round, so that there is a place between two optimiser steps of one round.
const settings = { rounds: ROUNDS, epochsPerRound: 2 };

type Saved = Awaited<ReturnType<typeof savedPolicy>>;

async function trainUndisturbed(flags: Record<string, unknown> = {}): Promise<Saved> {
  const node = await openNode({ ...settings, ...flags });
  await node.until('waiting', 'roundsDone');
  await node.engine.close();
  return savedPolicy(node.directory);
}

let undisturbed: Saved;
before(async () => {
  undisturbed = await trainUndisturbed();
});

test('the same seed gives the same bits, another seed others', async () => {
  assert.equal(undisturbed.round, ROUNDS);
  assert.ok(undisturbed.optimizerStep >= 4, `some rounds had something to learn: ${undisturbed.optimizerStep} steps`);
  assert.deepEqual(await trainUndisturbed(), undisturbed);
  assert.notEqual((await trainUndisturbed({ seed: 8 })).weights, undisturbed.weights);
});

describe('kill -9 of the compute process', () => {
  for (const [what, checkpointSeconds] of [
    ['the redo log alone', 3600],
    ['a checkpoint each round', 0],
  ] as const) {
    test(`while generating, between two optimiser steps, and when a round was logged; with ${what}`, async () => {
      const node = await openNode({ ...settings, checkpointSeconds });
      await node.killComputeAt('progress', ({ round, stage, done }) => round === 3 && stage === 'generate' && done > 0);
      const { state, round } = await node.until('waiting', 'computeRestarting');
      assert.match(state.text, /^The compute process ended \(signal SIGKILL\); attempt 1 to restart it in 1 s$/);
      assert.equal(round, 2, 'the round in progress is lost, no other');
      await node.killComputeAt('progress', ({ round: at, stage, done }) => at === 4 && stage === 'train' && done === 1);
      assert.equal((await node.until('waiting', 'computeRestarting')).round, 3);
      // With a checkpoint each round this is in the middle of writing it.
      await node.killComputeAt('round', ({ round: at }) => at === 5);
      assert.equal((await node.until('waiting', 'computeRestarting')).round, 5);
      await node.until('waiting', 'roundsDone');
      const { computeRestarts, round: last } = await node.status();
      assert.deepEqual([computeRestarts, last, node.computePids.length], [3, ROUNDS, 4]);
      await node.engine.close();
      assert.deepEqual(await savedPolicy(node.directory), undisturbed);
      assert.deepEqual(node.computePids.filter(isAlive), []);
    });
  }

  test('while paused in the middle of a round: it stays paused, and resuming starts a new one', async () => {
    const node = await openNode(settings);
    await node.next('progress', ({ round, stage, done }) => round === 2 && stage === 'generate' && done > 0);
    await node.invoke('pause', null);
    process.kill(node.computePids[0]!, 'SIGKILL');
    await node.next('log', ({ message }) => message.includes('The compute process ended'));
    const { state, computeRestarts } = await node.status();
    assert.deepEqual([state.text, computeRestarts], ['Paused by you', 1]);
    await node.invoke('resume', null);
    await node.until('waiting', 'roundsDone');
    await node.engine.close();
    assert.deepEqual(await savedPolicy(node.directory), undisturbed);
  });
});

describe('an orderly end', () => {
  test('in the middle of a round, again and again, changes nothing but the time', async () => {
    let directory: string | undefined;
    for (const [stage, at] of [
      ['generate', 2],
      ['train', 4],
    ] as const) {
      const node = await openNode(settings, directory);
      directory = node.directory;
      await node.next('progress', ({ round, stage: now, done }) => round === at && now === stage && done > 0);
      await node.engine.close();
    }
    // The round in progress may have come through before the end reached it.
    const round = await durableRound(directory!);
    assert.ok(round === 3 || round === 4, `round ${round}`);
    const last = await openNode({ ...settings, rounds: ROUNDS - round }, directory);
    await last.until('waiting', 'roundsDone');
    await last.engine.close();
    assert.deepEqual(await savedPolicy(last.directory), undisturbed);
  });
});
