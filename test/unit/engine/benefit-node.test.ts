// The benefit meter in a node that really trades on a local DHT: pausing holds a comparison, finishing and a kill -9 drop it, and what was
// measured is there after a restart.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import createTestnet from 'hyperdht/testnet.js';
import type { BenefitReport } from '../../../src-main/engine/api.ts';
import { eventually, openNode, type TestNode } from './test-node.ts';

const testnet = await createTestnet(4, { host: '127.0.0.1' });
after(() => testnet.destroy());
const bootstrap = testnet.bootstrap.map(({ host, port }) => `${host}:${port}`);

const settings = {
  swarmEnabled: true,
  bootstrap,
  swarmName: 'benefit-test',
  ownGroups: 2,
  peerGroups: 2,
  benefitRounds: 1,
  benefitTasks: 2,
  benefitPercent: 50,
};

const report = (node: TestNode): Promise<BenefitReport> => node.invoke('benefit', null);
const comparing = (node: TestNode) => node.next('progress', ({ stage }) => stage === 'compare', 120_000);
const atRest = (node: TestNode) => node.next('benefit', ({ activity }) => activity !== 'comparing', 120_000);

test('a node measures what its peer brings, and yields to its owner at once', { timeout: 170_000 }, async () => {
  const peer = await openNode({ ...settings, benefitPercent: 0, seed: 8 });
  const node = await openNode(settings);
  assert.deepEqual([(await report(node)).verdict, (await report(peer)).activity], ['none', 'off']);

  await comparing(node);
  assert.deepEqual([(await report(node)).activity, (await node.status()).stage], ['comparing', 'compare']);
  await node.invoke('pause', null);
  await sleep(500); // the step in progress may end
  let heard = 0;
  const leave = node.engine.api.subscribe('progress', () => heard++);
  await sleep(500);
  leave();
  assert.equal(heard, 0);
  assert.equal((await node.status()).state.text, 'Paused by you');
  await node.invoke('resume', null);
  await eventually(async () => (await report(node)).rows.length === 1, 'the comparison that was held ends', 60_000);
  const { rows, text } = await report(node);
  assert.ok(rows[0]!.groupsFromPeers >= 1 && rows[0]!.round === rows[0]!.fromRound + 1);
  assert.match(text, /from one comparison; too early to tell\.$|^No fair comparison yet/);

  await comparing(node);
  const { round } = await node.status();
  const rested = atRest(node);
  await node.invoke('finish', null);
  await node.until('paused', 'user');
  await rested;
  assert.deepEqual([(await node.status()).round, (await report(node)).rows.length], [round, 1], 'given up, at once');
  await node.invoke('resume', null);

  await comparing(node);
  process.kill(node.computePids.at(-1)!, 'SIGKILL');
  await node.until('waiting', 'computeRestarting');
  assert.equal((await report(node)).rows.length, 1);
  await node.next('round', undefined, 60_000);
  const known = (await report(node)).rows;
  await node.engine.close();

  const again = await openNode({ ...settings, swarmEnabled: false, rounds: 1 }, node.directory);
  await again.until('waiting', 'roundsDone');
  const { activity, rows: kept } = await report(again);
  assert.equal(activity, 'off');
  assert.deepEqual(kept, known);
});
