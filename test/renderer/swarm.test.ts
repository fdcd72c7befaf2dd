/** Credit with its receipts, and the swarm page, in a real browser: by keyboard, with five hundred peers, and with nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { violations } from './axe.ts';
import { eventually, openPage } from './open-page.ts';
import { makeRollout, ownKey } from './scenarios.ts';

async function assertAccessible(page: Page): Promise<void> {
  assert.deepEqual(await violations(page), []);
}

test('the board: rows by owner, the own one marked, what is implausible in words, the window asked for', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'leaderboard' });
  const board = page.getByRole('region', { name: 'Board', exact: true });
  const rows = board.locator('tbody tr');
  await rows.first().waitFor();
  assert.equal(await rows.count(), 7);
  const first = (await rows.first().textContent()) ?? '';
  for (const part of [/Bramble/, /Team Meadow/, /2 devices/, /713/, /310/, /403/, /others 57 %/])
    assert.match(first, part);
  assert.match((await rows.filter({ hasText: 'This node' }).textContent()) ?? '', /Ada’s workshop/);
  assert.match((await rows.filter({ hasText: 'implausible' }).textContent()) ?? '', /Heather-3090.*99 %/s);
  await page.getByText('7 owners, useful records in the last 7 days. This node is number 7.').waitFor();
  await page.getByRole('radio', { name: 'Day' }).click();
  await page.getByText('7 owners, useful records in the last 24 hours.', { exact: false }).waitFor();
  for (const name of ['board', 'ownScore'])
    assert.deepEqual(node.calls.findLast((call) => call.name === name)?.args, { window: 'day' });
});

test('a row opens to its receipts by keyboard, of every device of its owner, and closes again', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'leaderboard', scheme: 'dark' });
  const button = page.getByRole('button', { name: /^Bramble/ });
  await button.focus();
  assert.equal(await button.getAttribute('aria-expanded'), 'false');
  await page.keyboard.press('Enter');
  const receipts = page.getByRole('region', { name: 'Receipts of Bramble' });
  await receipts.getByText('The newest 46 records, 16 checked here.', { exact: false }).waitFor();
  assert.equal(await button.getAttribute('aria-expanded'), 'true');
  assert.equal(await button.getAttribute('aria-controls'), await receipts.getAttribute('id'));
  const bramble = node.scenario.credit.board('week')[0]!;
  assert.deepEqual(
    node.calls
      .filter((call) => call.name === 'receipts')
      .slice(0, 2)
      .map((call) => call.args),
    bramble.devices.map((peer) => ({ peer, limit: 100 })),
  );
  const lines = receipts.getByRole('list', { name: 'Records, newest first' }).locator('> li');
  assert.equal(await lines.count(), 8);
  const texts = await lines.allTextContents();
  assert.match(texts[0]!, /1 of 8 right\s*checked here.*round 213/s);
  assert.match(texts[2]!, /waits for a second auditor/);
  assert.match(texts[4]!, /vouched for.*2 auditors.*weight 0\.97.*weight 0\.66/s);
  await assertAccessible(page);
  await receipts.getByRole('button', { name: 'Show all 46 records' }).click();
  assert.equal(await lines.count(), 46);
  await page.getByRole('button', { name: /^Linden Hill/ }).click();
  await page.getByRole('region', { name: 'Receipts of Linden Hill' }).waitFor();
  assert.equal(await receipts.count(), 0, 'one row is open at a time');
  await page.getByRole('button', { name: /^Linden Hill/ }).focus();
  await page.keyboard.press('Space');
  await eventually(async () => assert.equal(await page.getByRole('region', { name: /^Receipts of/ }).count(), 0));
  node.faults.set('receipts', { code: 'busy', message: 'The node is busy.', fix: 'Try again in a second.' });
  await page.getByRole('button', { name: /^Clover/ }).click();
  await page.getByRole('region', { name: 'Receipts of Clover' }).getByText('Try again in a second.').waitFor();
});

test('five hundred owners: a page of rows at a time, found by name, the own row one press away', async (t) => {
  const { page, node } = await openPage(t, 'crowd', { view: 'leaderboard' });
  const board = page.getByRole('region', { name: 'Board', exact: true });
  const rows = board.locator('tbody tr');
  await page.getByText('1–25 of 501 owners').waitFor();
  assert.equal(await rows.count(), 25);
  await page.getByRole('button', { name: 'Next owners' }).click();
  await page.getByText('26–50 of 501 owners').waitFor();
  assert.equal(await rows.count(), 25);
  assert.match((await rows.first().textContent()) ?? '', /^\s*26/);
  await page.getByRole('button', { name: 'Show this node' }).click();
  const focused = () => page.evaluate<string>('document.activeElement?.textContent ?? ""');
  await eventually(async () => assert.match(await focused(), /Ada’s workshop/));
  await page.getByRole('searchbox', { name: 'Find a name, team or key' }).fill('bee 41');
  await eventually(async () => assert.equal(await rows.count(), 11));
  const expected = node.scenario.credit.board('week').findIndex((row) => row.displayName === 'Bee 41') + 1;
  const found = (await rows.filter({ hasText: /Bee 41\s*,/ }).textContent()) ?? '';
  assert.match(found, new RegExp(`^\\s*${expected}\\s`), 'the rank is that of the whole board');
  await page.getByRole('searchbox', { name: 'Find a name, team or key' }).fill('no such name');
  await page.getByText('Nothing found').waitFor();
});

test('why the own score is what it is: produced, shared, pulled, confirmed, refused', async (t) => {
  await t.test('with peers', async (t) => {
    const { page } = await openPage(t, 'training', { view: 'leaderboard' });
    const card = page.getByRole('region', { name: 'Why is my score what it is' });
    await card.getByText('206 records in the last 7 days confirmed by 9 auditors', { exact: false }).waitFor();
    const steps = await card.getByRole('list', { name: 'From produced to score' }).locator('li').allTextContents();
    assert.deepEqual(
      steps.map((step) => /^\s*(\D+?)\s*([\d,.]+)/.exec(step)?.slice(1)),
      [
        ['Produced', '2,556'],
        ['Shared', '1,278'],
        ['Pulled', '1,104'],
        ['Confirmed', '206'],
        ['Vouched', '0'],
        ['Score', '206'],
      ],
    );
    await card.getByText('too old when they arrived', { exact: false }).waitFor();
    await card.getByText('the same answers as in another record', { exact: false }).waitFor();
  });
  await t.test('alone', async (t) => {
    const { page } = await openPage(t, 'alone', { view: 'leaderboard' });
    await page.getByText('No peer has pulled a record from here since this start.', { exact: false }).waitFor();
    await page.getByText('No peers on the board yet').waitFor();
    await assertAccessible(page);
  });
  await t.test('without a swarm', async (t) => {
    const { page } = await openPage(t, 'off', { view: 'leaderboard' });
    await page.getByText('No swarm, no credit').waitFor();
    assert.equal(await page.getByText('Why is my score').count(), 0);
  });
});

test('the swarm page: presence, traffic, peers with reasons in words, sorted by any column', async (t) => {
  const { page } = await openPage(t, 'training', { view: 'swarm' });
  await page.getByRole('heading', { name: 'Trading with 4 peers' }).waitFor();
  const table = page.getByRole('region', { name: 'Peers table' });
  const rows = table.locator('tbody tr');
  await eventually(async () => assert.equal(await rows.count(), 7));
  await rows.first().getByText('Bramble').waitFor();
  assert.match(
    (await rows.nth(3).textContent()) ?? '',
    /Heather-3090.*connected.*81 ms.*360 KB.*270 KB.*17.*forged signature/s,
  );
  await table.getByRole('button', { name: 'Latency' }).click();
  assert.equal(
    await table
      .locator('th[aria-sort=ascending]')
      .textContent()
      .then((text) => text?.trim()),
    'Latency',
  );
  assert.match((await rows.first().textContent()) ?? '', /12 ms/);
  assert.match((await rows.nth(2).textContent()) ?? '', /81 ms/);
  const facts = (await page.locator('dl[aria-label=Network] > div').allTextContents()).map((text) => text.trim());
  for (const fact of [
    /^Reached from outside \(NAT\) *through the router.*203\.0\.113\.7:49737/s,
    /^Paths to peers *1 local network, 2 direct, 1 relayed/s,
    /^Bandwidth cap *no cap in, 262 KB\/s out/s,
    /^Local network *looked for peers/s,
  ])
    assert.ok(
      facts.some((text) => fact.test(text)),
      `${fact} in ${facts.join(' | ')}`,
    );
  await table.getByRole('button', { name: 'Path' }).click();
  const nearest = (await rows.locator('td:nth-child(2)').allTextContents()).slice(0, 5);
  assert.deepEqual(nearest, ['local network', 'direct', 'direct', 'relayed', '–']);
  await table.getByRole('button', { name: 'Turned away' }).click();
  assert.match((await rows.first().textContent()) ?? '', /forged signature/);
  await page.getByRole('radio', { name: 'Connected' }).click();
  await eventually(async () => assert.equal(await rows.count(), 4));
});

test('the map of this hour: a line to everybody learned from, thick as what was adopted, with its numbers in a list', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'swarm' });
  const card = page.getByRole('region', { name: 'Who this node learned from' });
  const map = card.getByRole('img', {
    name: 'Map: 77 groups of 5 peers within the last hour, 2 of them not connected now.',
  });
  await map.waitFor();
  const widths =
    "[...document.querySelectorAll('figure svg[role=img] line')].map((line) => Number(line.getAttribute('stroke-width')))";
  const before = await page.evaluate<number[]>(widths);
  assert.equal(before.length, 6, 'five that gave, and one neighbour that did not');
  assert.deepEqual(
    before,
    before.toSorted((a, b) => b - a),
  );
  const listed = card.getByRole('list', { name: 'Sources, largest first' }).getByRole('listitem');
  assert.match((await listed.first().textContent()) ?? '', /1\s*Bramble.*31\s*groups,\s*40 %/s);
  assert.match((await map.textContent()) ?? '', /You/);
  await assertAccessible(page);
  // Live: the next answer of the node redraws it.
  node.scenario.peers = [];
  await card.getByText('Only from itself within the hour').waitFor();
});

test('who this node learned from, by author and by link, and what it adopted just now', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'swarm' });
  await page.getByRole('radio', { name: 'By author' }).click();
  await page.getByText('870 groups trained on, 70 % from the largest three.').waitFor();
  const sources = page.getByRole('list', { name: 'Sources, largest first' }).getByRole('listitem');
  await eventually(async () =>
    assert.match((await sources.first().textContent()) ?? '', /Bramble.*240\s*groups,\s*28 %/s),
  );
  await page.getByRole('radio', { name: 'By link' }).click();
  await page.getByText('1,050 groups received and checked', { exact: false }).waitFor();

  const adopted = page.getByRole('list', { name: 'Adopted groups, newest first' }).locator('> li');
  await eventually(async () => assert.equal(await adopted.count(), 9));
  const { task, origin } = makeRollout(3_000);
  const tries = Array.from({ length: 8 }, (_, i) => ({
    ...makeRollout(3_000),
    id: 3_000 + i,
    task,
    origin,
    own: false,
    reward: i < 3 ? 1 : 0,
  }));
  node.push('rollouts', [{ ...makeRollout(2_999), own: true, origin: ownKey, question: 'Mine?' }, ...tries]);
  await adopted.first().getByText('3 of 8 right').waitFor();
  assert.equal(await adopted.count(), 9);
  assert.equal(await page.getByText('Mine?').count(), 0);
  await page.getByRole('link', { name: 'All in Rollouts' }).click();
  await page.getByRole('heading', { level: 1, name: 'Rollouts' }).waitFor();
  assert.equal(await page.getByRole('radio', { name: 'Peers' }).getAttribute('aria-checked'), 'true');
});

test('adopted groups are whole: one that the page was not given all of is left out', async (t) => {
  const { page, node } = await openPage(t, 'empty', { view: 'log' });
  const groupSize = 50;
  node.scenario.rollouts = Array.from({ length: 4 * groupSize }, (_, i) => {
    const id = 4 * groupSize - i;
    const { task, question, answer, origin } = makeRollout(3 * Math.ceil(id / groupSize));
    const reward = id % groupSize === 1 ? 1 : 0; // the oldest of its group
    return { ...makeRollout(id), task, question, answer, origin, own: false, round: Math.ceil(id / groupSize), reward };
  });
  await page.getByRole('link', { name: 'Swarm' }).click();
  const adopted = page.getByRole('list', { name: 'Adopted groups, newest first' }).locator('> li');
  await adopted.first().waitFor();
  assert.deepEqual(
    (await adopted.allTextContents()).map((text) => /\d+ of \d+ right/.exec(text)?.[0]),
    Array.from({ length: 3 }, () => '1 of 50 right'),
  );
});

test('five hundred peers on the swarm page, 320 px wide and wide', async (t) => {
  const { page } = await openPage(t, 'crowd', { view: 'swarm', width: 320, height: 640 });
  await page.getByText('1–10 of 500 peers').waitFor();
  await page.getByText('12 connected of 500 met', { exact: false }).waitFor();
  assert.equal(await page.getByRole('list', { name: 'Peers' }).locator('> li').count(), 10);
  await assertAccessible(page);
  assert.equal(await page.evaluate<number>('document.documentElement.scrollWidth'), 320);
  assert.equal(await page.getByRole('list', { name: 'Sources, largest first' }).locator('li').count(), 13);
  await page.getByText('All others', { exact: true }).waitFor();
  const map = page.getByRole('img', { name: /^Map: 1,830 groups of 60 peers/ });
  assert.equal(await map.locator('line').count(), 13, 'twelve, and the others as one');
  await map.getByText('+48').waitFor();
  const drawn = await page.evaluate<number>(
    `(() => { const svg = document.querySelector('figure svg[role=img]'); return 14 * svg.clientWidth / svg.viewBox.baseVal.width; })()`,
  );
  assert.ok(drawn >= 11, `the numbers on the map are ${drawn.toFixed(1)} px high`);
  const bars = page.getByRole('list', { name: 'Sources, largest first' }).locator('li span[style]');
  assert.match(
    (await bars.first().getAttribute('style')) ?? '',
    /width: 100%/,
    'against the largest of them, not all others',
  );
  await page.setViewportSize({ width: 1280, height: 900 });
  const rows = page.getByRole('region', { name: 'Peers table' }).locator('tbody tr');
  await eventually(async () => assert.equal(await rows.count(), 25));
  await page
    .getByText('duplicate', { exact: false })
    .or(page.getByText('already had it 210', { exact: false }))
    .first()
    .waitFor();
  await page.getByRole('searchbox', { name: 'Find a name, policy or key' }).fill('Linden');
  await eventually(async () => assert.equal(await rows.count(), 1));
  await page.getByRole('searchbox').fill('nobody at all');
  await page.getByText('Nothing found').waitFor();
});

test('a narrow window sorts and searches, too: peers, and what was checked here', async (t) => {
  await t.test('peers', async (t) => {
    const { page } = await openPage(t, 'crowd', { view: 'swarm', width: 360, height: 800 });
    const card = page.getByRole('region', { name: 'Peers', exact: true });
    const rows = card.getByRole('list', { name: 'Peers' }).locator('> li');
    await eventually(async () => assert.match((await rows.first().textContent()) ?? '', /Bramble.*connected/s));
    const sort = card.getByRole('combobox', { name: 'Sort by' });
    assert.equal(await sort.inputValue(), 'groupsReceived');
    await sort.selectOption('Latency');
    await eventually(async () => assert.match((await rows.first().textContent()) ?? '', /9 ms/));
    await card.getByRole('button', { name: /^Smallest first/ }).click();
    await eventually(async () => assert.match((await rows.first().textContent()) ?? '', /130 ms/));
    await sort.selectOption('Given');
    await eventually(async () => assert.match((await rows.first().textContent()) ?? '', /Given\s*1,499/));
    await assertAccessible(page);
    assert.equal(await page.evaluate<number>('document.documentElement.scrollWidth'), 360);
  });
  await t.test('checked here', async (t) => {
    const { page } = await openPage(t, 'crowd', { view: 'leaderboard', width: 360, height: 800 });
    const card = page.getByRole('region', { name: 'Checked by this node' });
    const rows = card.getByRole('list', { name: 'Checked by this node' }).locator('> li');
    await card.getByRole('combobox', { name: 'Sort by' }).selectOption('Groups adopted');
    await eventually(async () => assert.match((await rows.first().textContent()) ?? '', /^\s*1\..*Bramble.*450/s));
    await card.getByRole('button', { name: /^Largest first/ }).click();
    await eventually(async () => assert.match((await rows.first().textContent()) ?? '', /This node/));
    await card.getByRole('searchbox', { name: 'Find a name, policy or key' }).fill('bee 41');
    await card.getByText('1–10 of 11 rows').waitFor();
    await page.setViewportSize({ width: 1280, height: 900 });
    const table = card.getByRole('region', { name: 'Leaderboard table' }).locator('tbody tr');
    await eventually(async () => assert.equal(await table.count(), 11));
    await card.getByRole('searchbox').fill('no such name');
    await card.getByText('Nothing found').waitFor();
  });
});

test('nobody there: the swarm page says why, once', async (t) => {
  await t.test('off', async (t) => {
    const { page } = await openPage(t, 'off', { view: 'swarm' });
    await page.getByText('The swarm is off', { exact: true }).waitFor();
    assert.equal(await page.getByText('Who this node learned from').count(), 0);
  });
  await t.test('offline, with peers of before', async (t) => {
    const { page } = await openPage(t, 'offline', { view: 'swarm', scheme: 'dark' });
    await page.getByRole('heading', { name: 'Training alone: no network' }).waitFor();
    await page.getByText('0 connected of 7 met', { exact: false }).waitFor();
    assert.equal(await page.getByText('Reached from outside').count(), 0, 'nobody can, and nothing is made up');
    await page.getByText('Bandwidth cap').waitFor();
    await page.getByRole('radio', { name: 'Connected' }).click();
    await page.getByText('Nobody connected').waitFor();
    await assertAccessible(page);
  });
  await t.test('a fault is shown with its fix', async (t) => {
    const { page, node } = await openPage(t, 'training', { view: 'home' });
    node.faults.set('peers', { code: 'busy', message: 'The node is busy.', fix: 'Try again in a second.' });
    await page.getByRole('link', { name: 'All about the swarm' }).click();
    await page.getByRole('region', { name: 'Peers' }).getByText('Try again in a second.').waitFor();
  });
  await t.test('a fault that has passed leaves the page by itself', async (t) => {
    const { page, node } = await openPage(t, 'training', { view: 'tasks' });
    const calls = ['peers', 'board', 'leaderboard', 'rollouts', 'swarms', 'identity'] as const;
    for (const call of calls) node.faults.set(call, { code: 'busy', message: 'The node is busy.', fix: 'Wait.' });
    await page.getByRole('link', { name: 'Swarm' }).click();
    await page.getByRole('region', { name: 'Adopted just now' }).getByText('The node is busy.').waitFor();
    const learned = page.getByRole('region', { name: 'Who this node learned from' });
    await learned.getByText('The node is busy.').waitFor();
    assert.doesNotMatch((await learned.textContent()) ?? '', /Nothing adopted|Only from itself/, 'that is not known');
    node.faults.clear();
    await page.getByRole('list', { name: 'Adopted groups, newest first' }).waitFor();
    await page.getByRole('region', { name: 'Peers table' }).waitFor();
    await eventually(async () => assert.equal(await page.getByText('The node is busy.').count(), 0));
  });
});
