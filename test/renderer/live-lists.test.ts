/** Lists that change under the reader's hands: the focus stays, and what was opened stays open, while rows move. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import type { BoardRow } from '../../src-main/engine/api.ts';
import type { FakeNode } from './fake-node.ts';
import { eventually, openPage } from './open-page.ts';

/** Name of the element that has the focus. */
const focused = (page: Page) =>
  page.evaluate<string>(
    'document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent.trim().slice(0, 60)',
  );

/** What the node says of the board from now on. */
function rescore(node: FakeNode, name: string, score: number): void {
  const { board } = node.scenario.credit;
  const rows = (window: Parameters<typeof board>[0]): BoardRow[] =>
    board(window)
      .map((row) => (row.displayName === name ? { ...row, score } : row))
      .sort((a, b) => b.score - a.score);
  node.scenario.credit = { ...node.scenario.credit, board: rows };
  askAnew(node);
}

/** The page asks for its lists at once, as it else does every few seconds. */
function askAnew(node: FakeNode): void {
  node.push('policyChanged', { name: 'waggle-bundled' });
}

for (const width of [1280, 400]) {
  test(`${width} px: the focus stays on its peer while the peers are put in another order`, async (t) => {
    const { page, node } = await openPage(t, 'training', { view: 'swarm', width });
    const copies = page.getByRole('button', { name: /^Copy the whole key of peer/ });
    await copies.first().waitFor();
    const names = () =>
      page.evaluate<string[]>(
        `[...document.querySelectorAll('button[aria-label^="Copy the whole key of peer"]')].map((button) => button.ariaLabel)`,
      );
    const [first] = await names();
    await copies.first().focus();
    node.scenario.peers = node.scenario.peers.map((row, i) => ({ ...row, groupsReceived: 100 * i }));
    askAnew(node);
    await eventually(async () => assert.equal((await names()).indexOf(first!), 3, 'the last of the four connected'));
    assert.equal(await focused(page), first);
    node.scenario.peers = node.scenario.peers.slice(1);
    askAnew(node);
    await eventually(async () => assert.ok(!(await names()).includes(first!)));
    assert.match(await focused(page), /^Peers/, 'whoever is gone leaves the focus to the list');
  });
}

test('the focus stays on its row of the board while the row rises', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'leaderboard' });
  const rows = page.getByRole('region', { name: 'Board', exact: true }).locator('tbody tr');
  await page.getByRole('button', { name: /^Clover/ }).focus();
  rescore(node, 'Clover', 10_000);
  await eventually(async () => assert.match((await rows.first().textContent()) ?? '', /Clover/));
  assert.match(await focused(page), /^Clover/);
});

test('an open row stays open and in sight when it leaves its page; turning the page closes it', async (t) => {
  const { page, node } = await openPage(t, 'crowd', { view: 'leaderboard' });
  const rows = page.getByRole('region', { name: 'Board', exact: true }).locator('tbody tr');
  await page.getByRole('button', { name: /^Linden Hill/ }).focus();
  await page.keyboard.press('Enter');
  const receipts = page.getByRole('region', { name: 'Receipts of Linden Hill' });
  await receipts.getByRole('button', { name: 'Show all 23 records' }).click();
  rescore(node, 'Linden Hill', 0);
  await eventually(async () => assert.match((await rows.nth(25).textContent()) ?? '', /^\s*501\s+Linden Hill/));
  assert.equal(await receipts.getByRole('list', { name: 'Records, newest first' }).locator('> li').count(), 23);
  assert.equal(await focused(page), 'Show fewer');
  await page.getByRole('button', { name: 'Next owners' }).click();
  await page.getByText('26–50 of 501 owners').waitFor();
  assert.equal(await receipts.count(), 0);
  assert.equal(await rows.count(), 25);
});

test('an open row shows receipts that come in later', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'leaderboard' });
  await page.getByRole('button', { name: /^Clover/ }).click();
  const receipts = page.getByRole('region', { name: 'Receipts of Clover' });
  await receipts.getByText('The newest 23 records', { exact: false }).waitFor();
  const { receipts: before } = node.scenario.credit;
  const newer = (peer: string) => {
    const rows = before(peer);
    return [{ ...rows[0]!, record: 'f0'.repeat(16), at: Date.now() }, ...rows];
  };
  node.scenario.credit = { ...node.scenario.credit, receipts: newer };
  await receipts.getByText('The newest 24 records', { exact: false }).waitFor();
});

test('a board of another window is not named before it is there', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'leaderboard' });
  const note = page.getByText('useful records in the last 7 days', { exact: false });
  await note.waitFor();
  node.faults.set('ownScore', { code: 'busy', message: 'The node is busy.', fix: 'Wait.' });
  await page.getByRole('radio', { name: 'Day' }).click();
  await page.getByRole('region', { name: 'Credit' }).getByText('The node is busy.').waitFor();
  assert.equal(await page.getByText('in the last 24 hours', { exact: false }).count(), 0);
  node.faults.clear();
  await page.getByText('useful records in the last 24 hours', { exact: false }).waitFor();
});
