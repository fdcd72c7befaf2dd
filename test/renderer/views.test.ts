/** Leaderboard, rollouts and log in a real browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, openPage } from './open-page.ts';
import { makeBenefit, makeRollout, ownKey } from './scenarios.ts';

test('the leaderboard marks the own row, explains its columns and sorts', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'leaderboard' });
  const rows = page.getByRole('region', { name: 'Leaderboard table' }).locator('tbody tr');
  await rows.first().waitFor();
  assert.equal(await page.locator('tr[data-own=true]').count(), 1);
  assert.match((await page.locator('tr[data-own=true]').textContent()) ?? '', /This node/);
  assert.match((await rows.first().textContent()) ?? '', /Bramble/);
  await page.getByText('Groups of this peer that this node has trained on.').waitFor();
  await page.getByRole('button', { name: 'Groups checked' }).click();
  assert.equal(await page.locator('th[aria-sort=descending]').count(), 1);
  assert.match((await rows.first().textContent()) ?? '', /Ada’s workshop/);
  await page.getByRole('button', { name: 'Groups checked' }).click();
  assert.equal(await page.locator('th[aria-sort=ascending]').count(), 1);
  assert.doesNotMatch((await rows.first().textContent()) ?? '', /Ada’s workshop/);
  const own = node.scenario.leaderboard.find((row) => row.own)!;
  node.push('leaderboard', [{ ...own, completionsRight: 77_123 }]);
  await page.getByText('77,123', { exact: true }).waitFor();
});

test('copying a key copies the whole key', async (t) => {
  const { page } = await openPage(t, 'training', { view: 'leaderboard' });
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page
    .getByRole('region', { name: 'Board', exact: true })
    .getByRole('button', { name: /Copy the whole key of this node/ })
    .click();
  await eventually(async () => assert.equal(await page.evaluate('navigator.clipboard.readText()'), ownKey));
});

test('rollouts: filter goes to the node, live rows come on top, held rows wait, memory stays bounded', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'rollouts' });
  const cards = page.getByRole('article');
  await cards.first().waitFor();
  assert.equal(await cards.count(), 40);
  await page.getByRole('radio', { name: 'Peers' }).click();
  await eventually(async () => assert.equal(await page.getByText('Written by this node’s policy').count(), 0));
  assert.deepEqual(node.calls.findLast((call) => call.name === 'rollouts')?.args, {
    limit: 40,
    beforeId: null,
    origin: 'peers',
  });
  await page.getByRole('radio', { name: 'All' }).click();
  await eventually(async () => assert.equal(await cards.count(), 40));

  node.push('rollouts', [{ ...makeRollout(1_000), question: 'Is this the newest one?' }]);
  await eventually(async () => assert.match((await cards.first().textContent()) ?? '', /Is this the newest one\?/));
  await page.getByRole('button', { name: 'Hold the list' }).click();
  node.push('rollouts', [makeRollout(1_001), makeRollout(1_002)]);
  await page.getByRole('button', { name: 'Show 2 new ones' }).waitFor();
  assert.match((await cards.first().textContent()) ?? '', /Is this the newest one\?/);
  await page.getByRole('button', { name: 'Show 2 new ones' }).click();
  await page.getByRole('button', { name: 'Hold the list' }).waitFor();

  for (let batch = 0; batch < 40; batch++)
    node.push(
      'rollouts',
      Array.from({ length: 25 }, (_, i) => makeRollout(2_000 + batch * 25 + i)),
    );
  await eventually(async () => assert.equal(await cards.count(), 200));
});

test('rollouts: tries of one group stand beside each other, and the filter keeps the count of the whole', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'rollouts' });
  const first = page.getByRole('article').first();
  await first.waitFor();
  const { task } = makeRollout(3_000);
  const group = Array.from({ length: 8 }, (_, i) => ({
    ...makeRollout(3_000),
    id: 3_000 + i,
    task,
    completion: `try ${i}`,
    reward: i < 3 ? 1 : 0,
  }));
  node.push('rollouts', group);
  await page.getByRole('article', { name: '3 of 8 right' }).waitFor();
  assert.equal(await first.getByRole('listitem').count(), 8);
  await page.getByRole('radio', { name: 'Right', exact: true }).click();
  await eventually(async () => assert.equal(await first.getByRole('listitem').count(), 3));
  assert.match((await first.textContent()) ?? '', /3 of 8 right/);
});

test('rollouts: older ones are loaded by the id of the last', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'rollouts' });
  const cards = page.getByRole('article');
  await cards.first().waitFor();
  await page.getByRole('button', { name: 'Load older ones' }).click();
  await eventually(async () => assert.equal(await cards.count(), 80));
  assert.deepEqual(node.calls.findLast((call) => call.name === 'rollouts')?.args, {
    limit: 40,
    beforeId: 91,
    origin: 'all',
  });
  await page.getByRole('button', { name: 'Load older ones' }).click();
  await eventually(async () => assert.equal(await cards.count(), 120));
  await page.getByRole('button', { name: 'Load older ones' }).click();
  await page.getByText('These are the oldest that are kept.').waitFor();
  assert.equal(await cards.count(), 130);
});

test('log: level asks the node, search narrows, new lines follow, lines stay bounded', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'log' });
  const lines = page.getByRole('log').getByRole('listitem');
  await lines.first().waitFor();
  assert.equal(await lines.count(), 50);
  await page.getByRole('radio', { name: 'Errors' }).click();
  await eventually(async () => assert.equal(await lines.count(), 10));
  await page.getByRole('radio', { name: 'Info' }).click();
  await eventually(async () => assert.equal(await lines.count(), 50));
  await page.getByRole('searchbox', { name: 'Search the log' }).fill('SIGNATURE');
  await eventually(async () => assert.equal(await lines.count(), 10));
  await page.getByRole('searchbox').fill('no such words');
  await page.getByText('Nothing found').waitFor();
  await page.getByRole('searchbox').fill('');
  for (let i = 0; i < 900; i++)
    node.push('log', { at: Date.now(), level: 'info', source: 'engine', message: `line ${i}` });
  await page.getByText('line 899', { exact: true }).waitFor();
  assert.equal(await lines.count(), 600);
  const fromEnd = await page.getByRole('log').evaluate((box) => {
    const element = box as unknown as { scrollHeight: number; scrollTop: number; clientHeight: number };
    return element.scrollHeight - element.scrollTop - element.clientHeight;
  });
  assert.ok(fromEnd < 30, `follows the newest line, is ${fromEnd} px above it`);
});

test('empty views say why they are empty', async (t) => {
  const { page } = await openPage(t, 'empty', { view: 'leaderboard' });
  await page.getByText('Nothing verified yet').waitFor();
  await page.getByText('No credit yet').waitFor();
  await page.goto(page.url().replace('leaderboard', 'rollouts'));
  await page.getByText('Nothing tried yet').waitFor();
  await page.goto(page.url().replace('rollouts', 'log'));
  await page.getByText('No lines at this level').waitFor();
});

test('training: what peers bring, by its states, with each comparison as chart and as table', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'training' });
  const card = page.getByRole('region', { name: 'What peers bring', exact: true });
  await card.getByText(/scores [\d.]+ points higher on held-out tasks, 95 % interval .* from 3 comparisons/).waitFor();
  await card.getByText('No clear difference').waitFor();
  await card.getByText(/enough computing is saved up for it: 40 % so far/).waitFor();
  await card.getByRole('img', { name: /^Score with peers’ groups less score without\. 4 comparisons/ }).waitFor();
  await card.getByRole('button', { name: 'Show as table' }).click();
  const rows = card.getByRole('row');
  assert.equal(await rows.count(), 5);
  assert.match(await rows.nth(1).innerText(), /^Rounds 176 to 200\s+\+0\.6\s+−1\.8 to \+3\.0$/);
  assert.match(await rows.nth(2).innerText(), /^Rounds 126 to 150\s\(not counted\)\s+\+2\.8/);

  const { sharing } = node.scenario.benefit;
  const hurt = makeBenefit(8, [-4, -5, -4, -6]);
  node.push('benefit', { ...hurt, activity: 'comparing', sharing: { ...sharing, mode: 'adaptive', peerGroups: 2 } });
  await card.getByText('Peers hurt').waitFor();
  await card.getByText('Comparison running').waitFor();
  await card.getByText(/2 of peers; the split follows these comparisons/).waitFor();
  node.push('benefit', makeBenefit(0));
  await card.getByText('No peers’ groups yet').waitFor();
  await card.getByText('No comparison yet.').waitFor();
  assert.equal(await card.getByRole('figure').count(), 0);
  const off = { ...makeBenefit(0), activity: 'off', activityText: 'Not measured: said why.' } as const;
  node.push('benefit', off);
  await card.getByText('Not measured: said why.').waitFor();
  assert.equal(await card.getByText('No comparison yet.').count(), 0);
});

test('training: objectives in words, measures with how to read them, only those that were recorded', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'training' });
  await page.getByText('Own answers: GRPO').waitFor();
  await page.getByText('Peers’ answers: ASymPO').waitFor();
  await page.getByRole('heading', { name: 'Surprise', exact: true }).waitFor();
  assert.equal(await page.getByRole('heading', { name: 'Distance from the start' }).count(), 0);
  const round = node.scenario.rounds.at(-1)!;
  node.push('round', { ...round, round: round.round + 1, metrics: { ...round.metrics, referenceKl: 0.25 } });
  await page.getByText(/Sampled score rose to \d+ % from 42 % over 200 rounds \(9 exams\)/).waitFor();
  const exam = node.scenario.exams.at(-1)!;
  node.push('exam', { ...exam, round: 225, sampled: 0.9 });
  await page.getByText(/Sampled score rose to 90 % from 42 % over 225 rounds \(10 exams\)/).waitFor();
  await page.getByText('Distance from the start: 0.25 in the latest round.').waitFor();
});
