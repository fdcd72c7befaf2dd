/** `waggle swarm`: create on one machine, join on another by the link, change, leave; links that do not fit say what to do. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCli } from '../../../src-main/cli/program.ts';
import { loadConfig } from '../../../src-main/config.ts';
import { serveNode } from '../../../src-main/engine/serve/serve-node.ts';
import { SwarmChoice } from '../../../src-main/engine/swarm/swarm-choice.ts';
import { signDescription } from '../../../src-main/swarm/codec/description.ts';
import { keyPairFromSeed } from '../../../src-main/swarm/identity/crypto.ts';
import { encodeInvite } from '../../../src-main/swarm/membership/invite.ts';
import { openIdentity } from '../../../src-main/swarm/identity/identity.ts';
import { readSwarmList, swarmListPath } from '../../../src-main/swarm/membership/swarm-list.ts';
import { readQr } from '../../renderer/read-qr.ts';
import { createFakeNode } from '../serve/fake-node.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'waggle-swarms-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}
async function swarm(home: string, ...args: string[]) {
  let out = '';
  const terminal = { print: (text: string) => void (out += `${text}\n`), complain: () => undefined, colours: false };
  const interrupted = new AbortController().signal;
  const line = ['swarm', ...args, '--data', home, '--json'];
  const code = await runCli(line, { terminal, env: {}, version: '0', interrupted });
  return { code, out };
}
interface Row {
  id: string;
  name: string;
  private: boolean;
  active: boolean;
}
const listOf = ({ out }: { out: string }) => JSON.parse(out) as { active: string; swarms: Row[] };

test('create, invite, join elsewhere, use, leave', async (t) => {
  const [home, friend] = [await folder(t), await folder(t)];
  const made = JSON.parse((await swarm(home, 'create', 'Our hive')).out) as { id: string; link: string };
  assert.match(made.link, /^waggle:\/\/join\/[\w-]+$/);
  assert.equal((await stat(swarmListPath(home))).mode & 0o777, 0o600);
  const joined = listOf(await swarm(friend, 'join', made.link));
  assert.deepEqual(
    joined.swarms.map(({ id, name, active }) => [id, name, active]),
    [[made.id, 'Our hive', true]],
  );
  assert.equal(joined.swarms[0]!.private, true);
  const invited = JSON.parse((await swarm(friend, 'invite', 'Our hive')).out) as { link: string };
  assert.equal(invited.link, made.link, 'members can invite');

  await swarm(friend, 'create', 'Everybody', '--public');
  assert.equal(listOf(await swarm(friend, 'use', made.id.slice(0, 6))).active, made.id);
  assert.equal(listOf(await swarm(friend, 'use', 'public')).active, 'public');
  await swarm(friend, 'use', 'Everybody');
  const after = listOf(await swarm(friend, 'leave', 'Everybody'));
  assert.deepEqual([after.active, after.swarms.length], ['public', 1]);
  assert.match((await swarm(friend, 'leave', 'Everybody')).out, /unknownSwarm/);
});

test('links that do not fit and files that are damaged are faults with a fix, and change nothing', async (t) => {
  const home = await folder(t);
  const keys = keyPairFromSeed(Buffer.alloc(32, 3));
  const terms = { name: 'x', taskSet: 'starter', taskSetVersion: 1, protocol: 1, maxRoundAge: 16, shardCount: 1 };
  const linkOf = (changes: Partial<typeof terms>) =>
    encodeInvite({
      description: signDescription({ ...terms, ...changes, createdAt: 1, secret: null }, keys),
      secret: null,
    });
  for (const [link, reason] of [
    ['waggle://join/nonsense', 'badInvite'],
    [linkOf({ protocol: 99 }), 'newerProtocol'],
    [linkOf({ taskSet: 'from_the_future' }), 'unknownTaskSet'],
  ] as const) {
    const refused = await swarm(home, 'join', link);
    assert.equal(refused.code, 1);
    assert.match(refused.out, new RegExp(`"code":"${reason}".*"fix":"[^"]{10,}`));
  }
  assert.match((await swarm(home, 'create', ' ')).out, /badSwarmName/);
  assert.match((await swarm(home, 'create', 'x', '--tasks', 'none')).out, /unknownTaskSet/);
  assert.equal((await swarm(home, 'create', 'x', '--shards', '0')).code, 2);
  assert.deepEqual(await readSwarmList(swarmListPath(home)), { swarms: [], active: null });
  for (const damaged of ['', '{}', '{"version":1,"swarms":["waggle://join/x"]}', `"${'x'.repeat(300_000)}"`]) {
    await writeFile(swarmListPath(home), damaged);
    assert.match((await swarm(home, 'list')).out, /swarmListDamaged/);
  }
});

test('the invite as a QR code on a terminal reads back as the link', async (t) => {
  const home = await folder(t);
  let out = '';
  const terminal = { print: (text: string) => void (out += `${text}\n`), complain: () => undefined, colours: false };
  const interrupted = new AbortController().signal;
  await runCli(['swarm', 'create', 'Our hive', '--qr', '--data', home], {
    terminal,
    env: {},
    version: '0',
    interrupted,
  });
  const [link = '', ...picture] = out.trimEnd().split('\n');
  const halves: Record<string, readonly [upper: boolean, lower: boolean]> = {
    '█': [false, false],
    '▀': [false, true],
    '▄': [true, false],
    ' ': [true, true],
  };
  const modules = picture.flatMap((line) => [0, 1].map((half) => Array.from(line, (sign) => halves[sign]![half]!)));
  const border = 4;
  const size = modules[0]!.length - 2 * border;
  const inner = modules.slice(border, border + size).map((row) => row.slice(border, border + size));
  assert.equal(readQr(inner), link);
});

test('a running node is asked, so that it moves over at once', async (t) => {
  const home = await folder(t);
  const chosen: string[] = [];
  const choice = new SwarmChoice({
    config: loadConfig({ flags: { data: home } }).config,
    dataDirectory: home,
    identity: await openIdentity(join(home, 'identity')),
    onChosen: (taskSet) => chosen.push(taskSet),
  });
  const node = createFakeNode({
    swarms: () => choice.report(),
    joinSwarm: ({ link }) => choice.join(link),
    createSwarm: (wanted) => choice.create(wanted),
    chooseSwarm: ({ id }) => choice.choose(id),
    leaveSwarm: ({ id }) => choice.leave(id),
    swarmInvite: async ({ id }) => ({ link: await choice.inviteOf(id) }),
  });
  const served = await serveNode({ api: node.api, dataDirectory: home, rendererDirectory: '/nowhere', port: 0 });
  t.after(() => served.close());
  const made = JSON.parse((await swarm(home, 'create', 'Easy going', '--tasks', 'easy')).out) as { id: string };
  assert.deepEqual(chosen, ['easy']);
  await swarm(home, 'use', 'public');
  await swarm(home, 'use', 'Easy going');
  await swarm(home, 'use', made.id.slice(0, 8));
  assert.deepEqual(chosen, ['easy', 'starter', 'easy'], 'choosing what is chosen moves nobody');
  assert.match((await swarm(home, 'join', 'waggle://join/x')).out, /badInvite.*"fix"/);
  assert.equal(listOf(await swarm(home, 'leave', 'Easy going')).active, 'public');
  assert.deepEqual(chosen, ['easy', 'starter', 'easy', 'starter']);
  assert.ok(node.calls.every(({ name }) => name !== 'status'));
  assert.deepEqual((await readSwarmList(swarmListPath(home))).swarms, []);
});

test('a choice that the settings overrule is kept, said, and moves nobody', async (t) => {
  const home = await folder(t);
  const identity = await openIdentity(join(home, 'identity'));
  for (const [flags, why] of [
    [{ swarm: 'another' }, /settings name the swarm “another”/],
    [{ swarmSecret: 'abcdefgh' }, /settings name the swarm/],
    [{ swarmEnabled: false, ownGroups: 4 }, /switch the swarm off/],
  ] as const) {
    const { config } = loadConfig({ flags: { data: home, ...flags } });
    const choice = new SwarmChoice({
      config,
      dataDirectory: home,
      identity,
      onChosen: () => assert.fail('it moved'),
    });
    const wanted = { name: 'kept', taskSet: 'starter', private: true, shardCount: 1 };
    const { overruled, active, swarms } = await choice.create(wanted);
    assert.match(overruled ?? '', why);
    assert.equal(active, swarms.at(-1)?.id);
    await choice.choose(null);
  }
});
