/** `waggle swarm`: create on one machine, join on another by the link, change, leave; links that do not fit say what to do. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCli } from '../../../src-main/cli/program.ts';
import { signDescription } from '../../../src-main/swarm/codec/description.ts';
import { keyPairFromSeed } from '../../../src-main/swarm/identity/crypto.ts';
import { encodeInvite } from '../../../src-main/swarm/membership/invite.ts';
import { readSwarmList, swarmListPath } from '../../../src-main/swarm/membership/swarm-list.ts';

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
