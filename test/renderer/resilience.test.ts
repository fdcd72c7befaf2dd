/** What must not break the page: a node that goes away, text made to do harm, a very long history. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, openPage } from './open-page.ts';
import { makeRound, ownKey } from './scenarios.ts';

test('a lost node is said, buttons rest, and the page comes back by itself with fresh numbers', async (t) => {
  const { page, node } = await openPage(t, 'training');
  await page.getByTestId('state').getByText('Training').waitFor();
  await node.stop();
  await page.getByText('The connection to the node is lost', { exact: true }).waitFor();
  await page.getByText(/Trying again in \d+ s\.|Trying now/).waitFor();
  assert.ok(await page.getByRole('button', { name: 'Pause' }).isDisabled());
  assert.equal(await page.getByTestId('state').textContent(), 'Training');
  node.scenario.status = { ...node.scenario.status, round: 4_321 };
  await node.start();
  await page.getByText('4,321', { exact: true }).waitFor();
  assert.equal(await page.getByText('The connection to the node is lost', { exact: true }).count(), 0);
  node.push('round', { ...makeRound(4_322, 4_322), metrics: { ownReward: 1 } });
  await page.getByRole('img', { name: /over 4,322 rounds/ }).waitFor();
});

test('try now skips the wait', async (t) => {
  const { page, node } = await openPage(t, 'training');
  await page.getByTestId('state').waitFor();
  await node.stop();
  // After a few failures the wait is several seconds long.
  await page.getByText(/If the node has stopped, start it again/).waitFor();
  await node.start();
  await page.getByRole('button', { name: 'Try now' }).click();
  await eventually(() => assert.equal(node.links, 1));
  await page.getByText('The connection to the node is lost', { exact: true }).waitFor({ state: 'detached' });
});

test('text from peers is text: nothing runs, nothing is loaded, nothing becomes markup', async (t) => {
  for (const view of ['home', 'leaderboard', 'swarm', 'rollouts', 'log']) {
    await t.test(view, async (t) => {
      const { page, errors } = await openPage(t, 'hostile', { view, width: 390 });
      const requests: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      await page
        .locator('main')
        .getByText(/onerror=/)
        .first()
        .waitFor({ state: 'attached' });
      if (view === 'home') await page.getByText('3 records turned away').click();
      if (view === 'rollouts') await page.getByRole('button', { name: 'Show all of the completion' }).first().click();
      assert.equal(await page.evaluate('window.hacked'), undefined);
      assert.equal(await page.locator('main img, main script').count(), 0);
      assert.deepEqual(
        requests.filter((url) => url.endsWith('/x')),
        [],
      );
      assert.equal(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'), true);
      assert.deepEqual(errors, []);
    });
  }
});

test('long text is clamped until asked for', async (t) => {
  const { page } = await openPage(t, 'hostile', { view: 'rollouts' });
  const card = page.getByRole('article').first();
  await card.getByRole('button', { name: 'Show all of the completion' }).waitFor();
  const before = (await card.boundingBox())!.height;
  await card.getByRole('button', { name: 'Show all of the completion' }).click();
  await card.getByRole('button', { name: 'Show less of the completion' }).waitFor();
  assert.ok((await card.boundingBox())!.height > before + 200);
});

test('5,000 rounds: a bounded chart, a bounded table, and thousands more live without growth', async (t) => {
  const { page, node, errors } = await openPage(t, 'long');
  await page.getByRole('img', { name: /over 5,000 rounds/ }).waitFor();
  const asked = node.calls.find((call) => call.name === 'rounds')?.args as { limit: number };
  assert.ok(asked.limit <= 1_000);
  for (let round = 5_001; round <= 8_000; round++) node.push('round', makeRound(round, 8_000));
  await page.getByRole('img', { name: /over 8,000 rounds/ }).waitFor();
  const figure = page.getByRole('figure', { name: 'Reward per round', exact: true });
  await figure.getByRole('button', { name: 'Show as table' }).click();
  const rows = await figure.getByRole('row').count();
  assert.ok(rows > 50 && rows <= 101, `${rows} rows`);
  assert.ok((await page.evaluate<number>('document.querySelectorAll("*").length')) < 3_000);
  assert.deepEqual(errors, []);
});

test('the page asks only its own host', async (t) => {
  const { page, node, errors } = await openPage(t, 'training');
  const hosts = new Set<string>();
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  page.on('websocket', (socket) => hosts.add(new URL(socket.url()).host));
  await page.reload();
  await page.getByText(ownKey.slice(0, 6), { exact: false }).first().waitFor();
  assert.deepEqual([...hosts], [new URL(node.url).host]);
  assert.deepEqual(errors, []);
});
