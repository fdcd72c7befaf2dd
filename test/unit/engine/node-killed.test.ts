// kill -9 of the whole node, as a process of its own: the next start goes on with policy, optimiser and counters.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeStatus } from '../../../src-main/engine/api.ts';
import { connectNode, type RemoteNode } from '../../../src-main/engine/serve/client.ts';
import { readRuntimeFile } from '../../../src-main/engine/serve/runtime-file.ts';
import { durableRound, eventually, isAlive, newFolder, openNode, savedPolicy, tinyRounds } from './test-node.ts';

const headless = join(import.meta.dirname, '..', '..', '..', 'src-main', 'headless.ts');
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
});

const settings = ['--epochs-per-round=2', '--no-swarm-enabled', '--port=0', '--json'].concat(
  Object.entries(tinyRounds)
    .filter(([, value]) => typeof value !== 'boolean')
    .map(([name, value]) => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}=${value}`),
);

function startProcess(directory: string, ...flags: string[]) {
  const child = spawn(process.execPath, [headless, `--data=${directory}`, ...settings, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  children.add(child);
  let said = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (part: string) => (said += part));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  return { child, ended, said: () => said };
}

/** Paused before its first round, and only then told to go on: its compute process is known from the first round. */
async function startNode(directory: string, ...flags: string[]) {
  const started = startProcess(directory, ...flags);
  let client: RemoteNode | null = null;
  await eventually(
    async () => {
      assert.equal(started.child.exitCode, null, started.said());
      const found = await readRuntimeFile(directory);
      if (found.ok && found.info.pid === started.child.pid) client = await connectNode(found.info);
      return client !== null;
    },
    'the node serves its API',
    60_000,
  );
  const node: RemoteNode = client!;
  const status = () => node.invoke('status', null);
  await node.invoke('pause', null);
  await eventually(async () => computePidIn(await status()) !== undefined, 'the compute process is known', 60_000);
  const computePid = computePidIn(await status())!;
  await node.invoke('resume', null);
  return { ...started, client: node, status, computePid };
}

const computePidIn = ({ memory }: NodeStatus): number | undefined =>
  memory.find(({ process: kind }) => kind === 'compute')?.pid;

test('killed between and in rounds, it goes on: same bits, no round lost but the one in progress', async () => {
  const rounds = 16;
  const reference = await openNode({ rounds, epochsPerRound: 2 });
  await reference.until('waiting', 'roundsDone');
  const { tokensTotal: expected } = await reference.status();
  await reference.engine.close();

  const directory = newFolder();
  let generated = 0;
  // One checkpoint a second, so that rounds before and after one are met.
  for (const killAfter of [2, 5]) {
    const node = await startNode(directory, '--checkpoint-seconds=1');
    const before = (await node.status()).round;
    let seen = 0;
    node.client.subscribe('round', ({ round }) => (seen = round));
    await eventually(() => seen >= before + killAfter, `${killAfter} rounds`, 60_000);
    const { tokensTotal } = await node.status();
    assert.ok(tokensTotal.generated > generated);
    generated = tokensTotal.generated;
    node.child.kill('SIGKILL');
    assert.equal((await node.ended).signal, 'SIGKILL');
    const durable = await durableRound(directory);
    assert.ok(durable >= seen, `round ${seen} was told, ${durable} is on the disk`);
    await eventually(() => !isAlive(node.computePid), 'the compute process ends with its parent');
  }

  const durable = await durableRound(directory);
  const last = await startNode(directory, `--rounds=${rounds - durable}`);
  await eventually(async () => (await last.status()).state.reason?.kind === 'roundsDone', 'all rounds', 60_000);
  const { round, tokensTotal, computeRestarts } = await last.status();
  // Tokens of rounds that were logged but not yet in the history when the kill came are not counted: at most one round a kill.
  assert.equal(round, rounds);
  assert.ok(tokensTotal.generated <= expected.generated && tokensTotal.generated > expected.generated * 0.75);
  assert.equal(computeRestarts, 0, 'a kill of the node is no death of the compute process');
  const { length } = await last.client.invoke('rounds', { sinceRound: 0, limit: 100 });
  assert.ok(length >= rounds - 2, `${length} rounds in the history`);
  await last.client.invoke('quit', null);
  assert.deepEqual(await last.ended, { code: 0, signal: null });
  assert.deepEqual(await savedPolicy(directory), await savedPolicy(reference.directory));
});

test(
  'the compute process ends with a killed node also while it is held',
  { skip: process.platform === 'win32' },
  async () => {
    const node = await startNode(newFolder());
    await node.client.invoke('pause', null);
    await sleep(300);
    node.child.kill('SIGKILL');
    await node.ended;
    await eventually(() => !isAlive(node.computePid), 'the compute process ends');
  },
);

test('a port in use, a folder in use, an unreadable config: the reason, the fix, a failure, and nothing left running', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const directory = newFolder();
  const portTaken = startProcess(directory, `--port=${port}`);
  assert.deepEqual(await portTaken.ended, { code: 1, signal: null });
  assert.match(portTaken.said(), new RegExp(`${port}.*--port`, 's'));
  server.close();
  assert.equal(existsSync(join(directory, 'runtime.json')), false);

  const holder = await openNode({ rounds: 1 }, directory); // the failed start has given the folder back
  const second = startProcess(directory);
  assert.deepEqual(await second.ended, { code: 1, signal: null });
  assert.match(second.said(), /uses the data folder .*--data/s);
  await holder.until('waiting', 'roundsDone');
  await holder.engine.close();
  assert.equal((await savedPolicy(directory)).round, 1, 'the first was not disturbed');

  const log = await readFile(join(directory, 'logs', 'waggle.log'), 'utf8').catch(() => '');
  const config = startProcess(directory, `--config=${join(directory, 'lock')}`);
  assert.deepEqual(await config.ended, { code: 2, signal: null });
  assert.match(config.said(), /lock.*JSON/s);
  assert.equal(await readFile(join(directory, 'logs', 'waggle.log'), 'utf8').catch(() => ''), log);
});
