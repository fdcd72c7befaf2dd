/** The swarm as a node wires it: the chosen private swarm, names, caps from the settings, credit that outlives a restart. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createLog } from '../../src-main/base/log.ts';
import { loadConfig } from '../../src-main/config.ts';
import { NodeSwarm, practisedTaskSet } from '../../src-main/engine/swarm/swarm-port.ts';
import { signDescription } from '../../src-main/swarm/codec/description.ts';
import { keyPairFromSeed } from '../../src-main/swarm/identity/crypto.ts';
import { openIdentity } from '../../src-main/swarm/identity/identity.ts';
import { newSecret } from '../../src-main/swarm/membership/invite.ts';
import { joined, swarmListPath, writeSwarmList } from '../../src-main/swarm/membership/swarm-list.ts';
import { getTaskSet } from '../../src-main/tasks/task-sets.ts';
import type { Group } from '../../src-main/types.ts';
import { atEnd, openDht, ownGroups, until } from './local-swarm.ts';

const starter = getTaskSet('starter')!;
const secret = newSecret();
const describe = (taskSetVersion: number, taskSet = 'starter') => {
  const terms = { name: 'Our hive', taskSet, taskSetVersion, protocol: 1, maxRoundAge: 16, shardCount: 1 };
  return signDescription({ ...terms, createdAt: 1, secret }, keyPairFromSeed(Buffer.alloc(32, 3)));
};

async function folder(t: TestContext, description = describe(starter.version), parent = tmpdir()): Promise<string> {
  const path = await mkdtemp(join(parent, 'waggle-node-swarm-'));
  atEnd(t, () => rm(path, { recursive: true, force: true }));
  await writeSwarmList(swarmListPath(path), joined({ swarms: [], active: null }, { description, secret }));
  return path;
}

async function openNode(t: TestContext, dataDirectory: string, port: number, flags: Record<string, unknown> = {}) {
  const { config } = loadConfig({ flags: { data: dataDirectory, bootstrap: [`127.0.0.1:${String(port)}`], ...flags } });
  const log = createLog({ directory: null });
  const swarm = new NodeSwarm({
    config,
    dataDirectory,
    identity: await openIdentity(join(dataDirectory, 'identity')),
    policyName: () => 'tiny',
    currentRound: () => 1,
    log: log.for('swarm'),
    onChange: () => undefined,
  });
  await swarm.open();
  atEnd(t, () => swarm.close());
  return { swarm, log };
}

test('nodes of one invite trade and credit each other; counts are kept over a restart', async (t) => {
  const { bootstrap } = await openDht(t);
  const { port } = bootstrap[0]!;
  const homes = [await folder(t), await folder(t)] as const;
  const a = await openNode(t, homes[0], port, { displayName: 'Ann', team: 'hive', maxUploadKilobytes: 500 });
  const b = await openNode(t, homes[1], port);
  assert.equal(a.swarm.summary().name, 'Our hive');
  a.swarm.share(ownGroups('starter', 1n, 4), 1);
  await until('b pools the four groups', () => b.swarm.summary().groupsPooled === 4, 40_000);
  assert.equal(b.swarm.adopt((offered) => offered).length, 4);
  b.swarm.share([], 1);
  await until('a learns of its credit', () => a.swarm.ownScore('day')?.score === 4, 40_000);
  await until('b sees who it was', () => b.swarm.board('day')[0]?.displayName === 'Ann', 40_000);
  const key = a.swarm.summary().publicKey;
  assert.equal(b.swarm.receiptsOf(key, 9).length, 4);
  await b.swarm.close();
  const path = join(homes[1], `credit-${describe(starter.version).id.slice(0, 16)}.json`);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.match(await readFile(path, 'utf8'), new RegExp(key));
  const again = await openNode(t, homes[1], port);
  assert.equal(again.swarm.board('all')[0]?.score, 4);
});

/** A disk of 1 MB in memory, or why there is none. */
async function smallDisk(t: TestContext): Promise<{ path: string } | { reason: string }> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { reason: 'needs root on Linux to mount a tmpfs' };
  const path = await mkdtemp(join(tmpdir(), 'waggle-small-disk-'));
  atEnd(t, () => rm(path, { recursive: true, force: true }));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'pipe' });
  } catch (error) {
    return { reason: `no tmpfs can be mounted here: ${String(error).slice(0, 100)}` };
  }
  atEnd(t, () => Promise.resolve(void execFileSync('umount', ['-l', path])));
  return { path };
}

/** Leaves not a byte. */
async function fill(path: string): Promise<void> {
  for (const bytes of [64 * 1024, 1])
    for (;;)
      try {
        await appendFile(path, Buffer.alloc(bytes));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
        break;
      }
}

test('the swarm’s files on a full disk: trade goes on, nothing that was saved is lost, and saving works again', async (t) => {
  const disk = await smallDisk(t);
  if ('reason' in disk) {
    t.skip(disk.reason);
    return;
  }
  const { bootstrap } = await openDht(t);
  const { port } = bootstrap[0]!;
  const home = await folder(t, describe(starter.version), disk.path);
  const friend = await openNode(t, await folder(t), port);
  let round = 0;
  const trade = async (node: NodeSwarm): Promise<void> => {
    const before = node.summary().groupsAdopted;
    friend.swarm.share(ownGroups('starter', BigInt(++round), 4), round);
    await until('four more groups', () => node.summary().groupsPooled >= 4, 40_000);
    node.adopt((offered) => offered);
    assert.ok(node.summary().groupsAdopted >= before + 4);
  };
  const first = await openNode(t, home, port);
  const key = first.swarm.summary().publicKey;
  await trade(first.swarm);
  await first.swarm.close();
  const names = (await readdir(home, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = names.map((entry) => join(entry.parentPath, entry.name));
  const contents = () => Promise.all(files.map((file) => readFile(file, 'utf8')));
  const saved = await contents();
  assert.ok(
    files.some((file) => file.includes('credit-')),
    files.join(', '),
  );

  const filler = join(disk.path, 'filler');
  await fill(filler);
  const second = await openNode(t, home, port);
  assert.equal(second.swarm.summary().publicKey, key, 'the identity is read, not made anew');
  assert.equal(second.swarm.board('all')[0]?.score, 4);
  await trade(second.swarm);
  const list = { swarms: [], active: null };
  await assert.rejects(writeSwarmList(swarmListPath(home), list), { code: 'diskFull' });
  await second.swarm.close();
  assert.deepEqual(await contents(), saved, 'each file is whole, as it was');
  const left = await readdir(home);
  assert.ok(!left.some((name) => name.startsWith('.')), `no half-written file stays: ${left.join(', ')}`);

  await rm(filler);
  const third = await openNode(t, home, port);
  await trade(third.swarm);
  await third.swarm.close();
  assert.notDeepEqual(await contents(), saved, 'with room again it is saved');
});

test('a chosen swarm that does not fit: the node trains alone and says what to do; a name in the settings goes first', async (t) => {
  const { bootstrap } = await openDht(t);
  const { port } = bootstrap[0]!;
  const home = await folder(t, describe(starter.version + 1));
  const { swarm, log } = await openNode(t, home, port);
  assert.match(swarm.summary().text, /Training alone: This swarm practises version .* Update Waggle/);
  assert.deepEqual([swarm.summary().presence, swarm.board('day'), swarm.ownScore('day')], ['off', [], null]);
  assert.match(log.rows({ limit: 9, level: 'warn' })[0]?.message ?? '', /Update Waggle/);
  const named = await openNode(t, home, port, { swarm: 'another' });
  assert.equal(named.swarm.summary().name, 'another');
});

test('a node practises the set of the swarm it joined, unless its settings name another set or swarm', async (t) => {
  const home = await folder(t, describe(getTaskSet('easy')!.version, 'easy'));
  const practised = (flags: Record<string, unknown>, directory = home) =>
    practisedTaskSet(loadConfig({ flags: { data: directory, ...flags } }).config, directory);
  assert.equal(await practised({}), 'easy');
  assert.equal(await practised({ taskSet: 'sapo' }), 'sapo');
  assert.equal(await practised({ swarm: 'another' }), 'starter');
  assert.equal(await practised({ swarmEnabled: false }), 'starter');
  assert.equal(await practised({}, await folder(t, describe(1, 'unheard-of'))), 'starter');
});

test('what waits for the next round of a paused node is bounded, however many keys there are', async (t) => {
  const { bootstrap } = await openDht(t);
  const { swarm } = await openNode(t, await folder(t), bootstrap[0]!.port);
  swarm.share([], 1);
  const admitted = swarm as unknown as { onAdmitted(group: Group): void };
  for (let i = 0; i < 6_000; i++) {
    const origin = i.toString(16).padStart(64, '0');
    admitted.onAdmitted({ id: origin, origin, policyName: 'p', completions: [] } as unknown as Group);
  }
  const { credits } = swarm.takeCredits();
  assert.equal(credits.length, 5_000);
  assert.ok(credits.some(({ own }) => own));
  assert.equal(credits.at(-1)?.peer, (5_999).toString(16).padStart(64, '0'), 'the newest are kept');
});

test('swarms that the settings name have boards of their own', async (t) => {
  const { bootstrap } = await openDht(t);
  const home = await folder(t);
  await rm(swarmListPath(home));
  const peer = 'ab'.repeat(32);
  const counts = [[peer, [7, [[Math.floor(Date.now() / 3_600_000), 7]]], [0, []]]];
  await writeFile(join(home, 'credit.json'), JSON.stringify({ version: 1, counts, auditors: [] }));
  const scoreIn = async (flags: Record<string, unknown>) => {
    const { swarm } = await openNode(t, home, bootstrap[0]!.port, flags);
    const score = swarm.board('day').find(({ owner }) => owner === peer)?.score ?? 0;
    await swarm.close();
    return score;
  };
  assert.equal(await scoreIn({}), 7);
  assert.equal(await scoreIn({ swarm: 'other' }), 0);
  assert.equal(await scoreIn({ swarm: 'other', swarmSecret: 'of the two of us' }), 0);
  const files = (await readdir(home)).filter((name) => name.startsWith('credit'));
  assert.equal(files.length, 3);
});
