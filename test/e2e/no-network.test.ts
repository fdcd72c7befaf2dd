/** A node that finds no network trains alone and says so, and joins by itself when there is one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDashboard } from './dashboard.ts';
import { closedPort, startDht } from './local-dht.ts';
import { startNode, untilStatus } from './local-node.ts';

test('alone without a network, then together', async () => {
  const port = await closedPort();
  const bootstrap = `127.0.0.1:${port}`;
  const node = await startNode({ bootstrap });
  const { page, errors } = await openDashboard(node.url);
  const alone = await untilStatus(
    node,
    ({ swarm, round }) => swarm.presence === 'offline' && round > 0,
    'it trains alone',
  );
  assert.deepEqual([alone.state.name, alone.swarm.peers, alone.swarm.groupsAdopted], ['training', 0, 0]);
  await page.getByText('Training alone: no network').first().waitFor();
  await page.getByText('joins by itself when a network appears', { exact: false }).waitFor();
  await untilStatus(node, ({ swarm, round }) => swarm.peers === 0 && round > alone.round, 'it goes on training alone');

  assert.equal(await startDht(port), bootstrap);
  const other = await startNode({ bootstrap });
  await untilStatus(node, ({ swarm }) => swarm.peers === 1, 'it has found the other node', 90_000);
  await page.getByText('Trading with 1 peer').first().waitFor();
  await untilStatus(other, ({ swarm }) => swarm.groupsAdopted > 0, 'the other adopts its groups');
  assert.deepEqual(errors, []);
});
