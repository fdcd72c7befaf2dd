/**
 * A node that trains moves to another swarm: by an invite link over the API, without a restart of anything, and trades there.
 * The node is a real one with its compute process; those it meets are swarms without an engine.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLog } from '../../src-main/base/log.ts';
import { loadConfig } from '../../src-main/config.ts';
import { NodeSwarm } from '../../src-main/engine/swarm/swarm-port.ts';
import { openIdentity } from '../../src-main/swarm/identity/identity.ts';
import { Membership } from '../../src-main/swarm/membership/membership.ts';
import { swarmListPath } from '../../src-main/swarm/membership/swarm-list.ts';
import { getTaskSet, listTaskSets } from '../../src-main/tasks/task-sets.ts';
import { openNode } from '../unit/engine/test-node.ts';
import { atEnd, openDht, ownGroups, until } from './local-swarm.ts';

async function openMember(t: TestContext, port: number) {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'waggle-member-'));
  atEnd(t, () => rm(dataDirectory, { recursive: true, force: true }));
  const identity = await openIdentity(join(dataDirectory, 'identity'));
  const { config } = loadConfig({ flags: { data: dataDirectory, bootstrap: [`127.0.0.1:${String(port)}`] } });
  const membership = new Membership({
    path: swarmListPath(dataDirectory),
    taskSets: listTaskSets(),
    keyPair: () => identity.keyPair,
  });
  const swarm = new NodeSwarm({
    config,
    dataDirectory,
    identity,
    policyName: () => 'tiny',
    currentRound: () => 1,
    log: createLog({ directory: null }).for('swarm'),
    onChange: () => undefined,
  });
  atEnd(t, () => swarm.close());
  return { membership, swarm, key: identity.publicKey };
}

test('a training node joins a private swarm by its link and trades there; the former one hears no more of it', async (t) => {
  const { bootstrap } = await openDht(t);
  const { port } = bootstrap[0]!;
  const [stranger, friend] = [await openMember(t, port), await openMember(t, port)];
  const { invite } = await friend.membership.create({
    name: 'Our hive',
    taskSet: 'easy',
    private: true,
    shardCount: 1,
  });
  await Promise.all([stranger.swarm.open(), friend.swarm.open()]);

  const node = await openNode({ swarmEnabled: true, bootstrap: [`127.0.0.1:${String(port)}`], ownGroups: 2 });
  atEnd(t, () => node.engine.close());
  await node.next('status', ({ swarm }) => swarm.name === 'waggle' && swarm.peers === 1);
  await until('the stranger holds groups of the node', () => stranger.swarm.summary().groupsPooled > 0, 20_000);
  assert.equal((await node.invoke('practice', null)).taskSet, 'starter');

  const link = await friend.membership.inviteOf(invite.description.id);
  const offered = await node.invoke('readInvite', { link });
  assert.deepEqual(
    [offered.joined, offered.swarm.name, offered.swarm.private, offered.swarm.taskSet, offered.swarm.misfit],
    [false, 'Our hive', true, 'easy', null],
  );
  assert.equal((await node.invoke('swarms', null)).active, null, 'looking at an invite joins nothing');
  const { round } = await node.next('round');
  const joined = await node.invoke('joinSwarm', { link });
  assert.equal(joined.active, invite.description.id);
  await node.next('status', ({ swarm }) => swarm.name === 'Our hive' && swarm.peers === 1, 30_000);
  const heard = stranger.swarm.summary().groupsPooled;
  await until('the friend holds groups of the node', () => friend.swarm.summary().groupsPooled > 0, 20_000);
  const easy = new Set(getTaskSet('easy')!.members.map(({ generator }) => generator));
  const taken = friend.swarm.adopt((offeredGroups) => offeredGroups);
  assert.ok(
    taken.every(({ group }) => easy.has(group.task.generator)),
    'only tasks of the new swarm are shared in it',
  );
  assert.equal((await node.invoke('practice', null)).taskSet, 'easy');

  friend.swarm.share(ownGroups('easy', 5n, 6), 1);
  const adopted = await node.next('status', ({ swarm }) => swarm.groupsAdopted > 0, 30_000);
  assert.ok(adopted.round > round, 'it went on training');
  assert.deepEqual([adopted.computeRestarts, node.computePids.length], [0, 1], 'nothing was started again');
  assert.equal(stranger.swarm.summary().groupsPooled, heard, 'the former swarm hears nothing more');
  // The stranger may have dialled its former neighbour once more: it was turned away then.
  const former = (await node.invoke('peers', null)).filter(({ peer }) => peer === stranger.key);
  for (const { connected, groupsGiven, groupsReceived, rejected } of former)
    assert.deepEqual([connected, groupsGiven, groupsReceived, Object.keys(rejected)], [false, 0, 0, ['wrongSecret']]);

  // A name typed on the page reaches the members with the next round; the words stay here.
  const renamed = node.next('status', ({ displayName }) => displayName === 'Ada');
  await node.invoke('setProfile', { displayName: 'Ada\u202e', team: 'Our hive' });
  await renamed;
  const { publicKey } = await node.invoke('identity', null);
  const seenByFriend = () => friend.swarm.board('all').find(({ devices }) => devices.includes(publicKey));
  await until('the friend reads the name', () => seenByFriend()?.displayName === 'Ada', 30_000);
  assert.equal(seenByFriend()?.team, 'Our hive');
  await assert.rejects(node.invoke('backupWords', null), { code: 'onlyInTheApp' });

  // Back, and forward again by leaving: the board of each swarm is its own.
  await node.invoke('chooseSwarm', { id: null });
  await node.next('status', ({ swarm }) => swarm.name === 'waggle' && swarm.peers === 1, 30_000);
  assert.ok((await node.invoke('board', { window: 'all' })).every(({ owner }) => owner !== friend.key));
  await node.next('round');
  await node.next('round');
  assert.equal((await node.invoke('practice', null)).taskSet, 'starter');
  const left = await node.invoke('leaveSwarm', { id: invite.description.id });
  assert.deepEqual([left.swarms, left.active], [[], null]);
  await assert.rejects(node.invoke('swarmInvite', { id: invite.description.id }), { code: 'unknownSwarm' });
  await node.engine.close();
  const files = await readdir(node.directory);
  assert.ok(files.includes('credit.json') && files.includes(`credit-${invite.description.id.slice(0, 16)}.json`));
  const secret = invite.secret!;
  assert.ok(
    !node.log.some(({ message }) => message.includes(secret) || message.includes(link)),
    'no secret in the log',
  );
});

test('changing one’s mind quickly ends in the last choice; a swarm that does not fit is never entered', async (t) => {
  const { bootstrap } = await openDht(t);
  const { port } = bootstrap[0]!;
  const { membership, swarm } = await openMember(t, port);
  const made = [];
  for (const name of ['one', 'two', 'three'])
    made.push((await membership.create({ name, taskSet: 'starter', private: true, shardCount: 1 })).invite);
  await swarm.open();
  assert.equal(swarm.summary().name, 'three');
  const moves = [];
  for (const { description } of made) {
    await membership.choose(description.id);
    moves.push(swarm.moveOver());
  }
  await membership.choose(made[0]!.description.id);
  moves.push(swarm.moveOver());
  assert.deepEqual([swarm.summary().presence, swarm.summary().text], ['joining', 'Changing over to another swarm']);
  const round = swarm.forRound();
  await Promise.all(moves);
  assert.equal(swarm.summary().name, 'one');
  assert.deepEqual(round.share(ownGroups('starter', 1n, 2), 3), [null, null], 'a round of before is not shared');
  assert.equal(
    swarm
      .forRound()
      .share(ownGroups('starter', 2n, 1), 4)
      .filter((id) => id !== null).length,
    1,
  );
  const closing = swarm.close();
  await Promise.all([closing, swarm.moveOver()]);
  assert.equal(swarm.summary().presence, 'off', 'a closed one enters nothing');
});
