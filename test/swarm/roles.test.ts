/**
 * Members that do half of it, as real nodes on a local DHT: one only generates, one only trains. The trainer takes rounds from the
 * generator's groups and its policy changes; the generator's stays as it is; both over a restart and the death of a compute process.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerRow } from '../../src-main/engine/api.ts';
import { eventually, newFolder, openNode, savedPolicy, type TestNode } from '../unit/engine/test-node.ts';
import { openDht, openSwarm, parityGroup, parityGroups, pause, until } from './local-swarm.ts';

const metricsOf = async (node: TestNode) =>
  (await node.invoke('rounds', { sinceRound: 0, limit: 2000 })).map(({ metrics }) => metrics);
const roundOf = async (node: TestNode) => (await node.status()).round;

test('one generates, one trains', { timeout: 240_000 }, async (t) => {
  const { bootstrap } = await openDht(t);
  const shared = {
    swarmEnabled: true,
    swarmName: 'roles',
    lanDiscovery: false,
    bootstrap: [`127.0.0.1:${String(bootstrap[0]!.port)}`],
    cpuThreads: 1,
    examTasks: 2,
    examRounds: 3,
    ownGroups: 1,
    peerGroups: 2,
    promptsPerRound: 6,
  };
  const [home, farm] = [newFolder(), newFolder()];
  const openTrainer = () => openNode({ ...shared, role: 'trains' }, home);
  const openGenerator = () => openNode({ ...shared, role: 'generates', seed: 8 }, farm);
  let trainer = await openTrainer();
  const waiting = await trainer.until('waiting', 'tooFewGroups');
  assert.deepEqual([waiting.role, waiting.round, waiting.trainedMs < 5000], ['trains', 0, true]);
  assert.deepEqual(waiting.state.reason, { kind: 'tooFewGroups', have: 0, wanted: 2 });
  assert.match(waiting.state.text, /^Waiting for peers' groups to train on: 0 of the 2/);

  let generator = await openGenerator();
  await trainer.next('round', ({ round }) => round >= 3, 120_000);
  await trainer.until('training');

  await t.test('what the trainer shows', async () => {
    assert.equal((await trainer.until('training')).state.text, "Training on peers' groups alone");
    for (const metrics of await metricsOf(trainer)) {
      assert.ok(metrics['peerGroups']! >= 2 && metrics['peerGroups']! <= 3, 'J is all: 1 + 2');
      for (const name of ['ownReward', 'ownGroups', 'sharedGroups', 'generatedTokens', 'generateSeconds'])
        assert.ok(!(name in metrics), name);
      assert.ok(metrics['adoptedReward']! > 0 && metrics['optimiserSteps'] === 1);
    }
    const rollouts = await trainer.invoke('rollouts', { limit: 20, beforeId: null, origin: 'all' });
    assert.ok(rollouts.length > 0 && rollouts.every(({ own }) => !own));
    assert.equal((await trainer.status()).tokensTotal.generated, 0);
    await eventually(async () => (await trainer.invoke('exams', { limit: 9 })).length >= 2, 'its exams go on');
    const { activityText } = await trainer.invoke('benefit', null);
    assert.match(activityText, /only trains/);
  });

  await t.test('what the generator shows', async () => {
    const status = await generator.until('training');
    assert.match(status.state.text, /^Generating for peers: this node trains nothing/);
    assert.deepEqual([status.policy?.version, status.trainedMs, status.tokensTotal.trained], [0, 0, 0]);
    assert.ok(status.swarm.groupsShared > 0);
    for (const metrics of await metricsOf(generator)) {
      assert.ok('ownReward' in metrics && metrics['sharedGroups']! > 0);
      for (const name of ['peerGroups', 'ownGroups', 'optimiserSteps', 'trainedTokens', 'trainSeconds', 'learningRate'])
        assert.ok(!(name in metrics), name);
    }
    assert.equal((await generator.invoke('exams', { limit: 9 })).length, 1, 'its policy is what it was');
  });

  await t.test('each sees what the other does', async () => {
    const peerOf = async (node: TestNode): Promise<PeerRow> => (await node.invoke('peers', null))[0]!;
    const [fromHome, fromFarm] = [await peerOf(trainer), await peerOf(generator)];
    assert.deepEqual([fromHome.role, fromFarm.role], ['generates', 'trains']);
    assert.ok(fromHome.groupsReceived > 0 && fromHome.groupsGiven === 0);
    assert.ok(fromFarm.groupsGiven > 0 && fromFarm.groupsReceived === 0);
  });

  await t.test('the redo log brings the trainer back', async () => {
    let before = 0;
    await trainer.killComputeAt('round', ({ round }) => (before = round) > 0);
    await trainer.next('round', ({ round }) => round === before + 1, 60_000);
    assert.equal(trainer.computePids.length, 2);
    assert.ok(trainer.log.some(({ message }) => /^Doing the training of \d+ rounds/.test(message)));
  });

  await t.test('both go on after a restart', async () => {
    await Promise.all([trainer.engine.close(), generator.engine.close()]);
    const [trained, written] = [await savedPolicy(home), await savedPolicy(farm)];
    assert.ok(trained.optimizerStep >= 4 && trained.optimizerStep <= trained.round);
    assert.equal(written.optimizerStep, 0);
    assert.notEqual(trained.weights, written.weights);
    [trainer, generator] = [await openTrainer(), await openGenerator()];
    await trainer.next('round', ({ round }) => round === trained.round + 1, 120_000);
    assert.equal(generator.log.filter(({ level }) => level === 'error').length, 0);
    // The trainer may be through with what the generator has shared before that one has ended its round.
    await eventually(async () => (await roundOf(generator)) > written.round, 'the generator goes on');
    await Promise.all([trainer.engine.close(), generator.engine.close()]);
    const after = await savedPolicy(farm);
    assert.deepEqual({ ...after, round: 0 }, { ...written, round: 0 }, 'bit for bit, moments too');
    assert.notEqual((await savedPolicy(home)).weights, trained.weights);
  });
});

test('a trainer that waits is paused, told to finish, and ended like any other', { timeout: 120_000 }, async (t) => {
  const { bootstrap } = await openDht(t);
  const node = await openNode({
    swarmEnabled: true,
    role: 'trains',
    lanDiscovery: false,
    bootstrap: [`127.0.0.1:${String(bootstrap[0]!.port)}`],
  });
  await node.until('waiting', 'tooFewGroups');
  await node.invoke('pause', null);
  await pause(1200);
  assert.equal((await node.status()).state.text, 'Paused by you');
  await node.invoke('resume', null);
  await node.until('waiting', 'tooFewGroups');
  await node.invoke('finish', null);
  assert.equal((await node.until('paused')).round, 0);
  await node.engine.close();
});

test('who only generates pools nothing, checks all the same, and relays what others made', async (t) => {
  const { bootstrap } = await openDht(t);
  const maker = await openSwarm(t, bootstrap, { role: 'both' });
  const generator = await openSwarm(t, bootstrap, { role: 'generates' });
  maker.swarm.share(parityGroups(3), 1);
  const key = maker.options.identity.publicKey;
  const row = () => generator.swarm.peers().find(({ peer }) => peer === key);
  await until('it has checked them', () => row()?.groupsVerified === 3);
  assert.equal(row()?.role, 'both');
  assert.deepEqual([generator.swarm.status().groupsPooled, generator.swarm.adopt(3)], [0, []]);
  await maker.swarm.close();
  const trainer = await openSwarm(t, bootstrap, { role: 'trains' });
  await until('the trainer has them from it', () => trainer.swarm.status().groupsPooled === 3);
  generator.swarm.share([parityGroup()], 1);
  await until('and its own', () => trainer.swarm.status().groupsPooled === 4);
  const from = trainer.swarm.peers().find(({ peer }) => peer === generator.options.identity.publicKey);
  assert.equal(from?.role, 'generates');
});
