/** `npm start` where no window can open: one line says why, the node runs, and the first point of the curve comes soon. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectNode } from '../../src-main/engine/serve/client.ts';
import { closedPort } from './local-dht.ts';
import { startProgram, temporaryFolder, until, untilValue, within } from './local-node.ts';

test('without a display: why, the address, the first round within a minute', async () => {
  const startedAt = Date.now();
  const data = join(temporaryFolder(), 'data');
  const flags = [`--data=${data}`, '--port=0', `--bootstrap=127.0.0.1:${await closedPort()}`];
  const node = startProgram('start.ts', flags, { DISPLAY: '', WAYLAND_DISPLAY: '' });
  const said = (): string => node.stdout() + node.stderr();
  await until(
    () => node.stdout().includes('Dashboard: '),
    30_000,
    () => `No address:\n${said()}`,
    node,
  );
  if (process.platform === 'linux')
    assert.match(node.stdout(), /^No window: there is no display \(.*\)\. Running the headless node instead\.$/m);
  const url = new URL(/^Dashboard: (\S+)$/m.exec(node.stdout())![1]!);
  assert.equal(url.hostname, '127.0.0.1');

  const client = await connectNode({ port: Number(url.port), token: url.searchParams.get('token')! });
  const rounds = async () => {
    const rows = await client.invoke('rounds', { sinceRound: 0, limit: 10 });
    return rows.length > 0 ? rows : null;
  };
  const rows = await untilValue(rounds, 60_000 - (Date.now() - startedAt), () => `No round in 60 s:\n${said()}`, node);
  assert.ok(rows[0]!.metrics['ownReward']! >= 0);
  // The provider was chosen by trial, and the verdicts are there to be shown.
  const { verdicts } = await client.invoke('hardware', null);
  assert.equal(verdicts.filter(({ verdict }) => verdict === 'used').length, 1, JSON.stringify(verdicts));

  const progress = /round +\d+ {2}mean reward [01]\.\d{3} {2}0 peers/;
  await until(
    () => progress.test(node.stdout()),
    10_000,
    () => `No progress was printed:\n${said()}`,
    node,
  );

  node.signal('SIGINT');
  assert.deepEqual(await within(15_000, node.ended, () => 'It did not end'), { code: 0, signal: null }, said());
});
