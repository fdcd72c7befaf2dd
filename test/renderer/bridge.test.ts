/** The Training view of a node that trains with BRIDGE: the method in words, where demonstrations come from, and what was imitated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settled, violations, violationsInBothThemes } from './axe.ts';
import { openPage } from './open-page.ts';

test('it says how BRIDGE learns, from whom, and shows what peers wrote as text only', async (t) => {
  const { page, node, errors } = await openPage(t, 'bridge', { view: 'training' });
  await page.getByText('Method: BRIDGE.').waitFor();
  const list = page.getByRole('region', { name: 'Demonstrations imitated lately' });
  await list.waitFor();
  assert.equal(await list.getByRole('listitem').count(), 24);
  assert.deepEqual(node.calls.find(({ name }) => name === 'demonstrations')?.args, { limit: 24 });
  for (const text of [
    '168 from 3 peers',
    '1,180 usable, 20 left out: 17 wrong answer (first in line 41), 3 not JSON (first in line 902)',
    '2,304 of peers, 1,060 of the file, 12 of its own',
  ])
    await page.getByText(text, { exact: true }).waitFor();
  const row = (i: number) => list.getByRole('listitem').nth(i);
  assert.match((await row(0).textContent()) ?? '', /Peer.*round 213.*near what it writes itself/s);
  assert.match((await row(2).textContent()) ?? '', /A prompt of your file/);
  assert.match((await row(4).textContent()) ?? '', /new to it/);
  assert.match((await row(1).textContent()) ?? '', /<img src=x onerror=/);
  assert.equal(await page.evaluate('window.hacked'), undefined);
  await page.getByRole('figure', { name: 'Cooperative gain, smoothed' }).waitFor();
  await page.getByRole('figure', { name: 'Surprise of demonstrations, smoothed' }).waitFor();
  assert.deepEqual(errors, []);
});

test('without demonstrations it says why, and what happens meanwhile; without BRIDGE nothing is asked', async (t) => {
  const { page } = await openPage(t, 'bridgeEmpty', { view: 'training' });
  await page.getByText('No demonstrations imitated yet').waitFor();
  await page.getByText('Until there are some, rounds are trained on rewards alone.', { exact: false }).waitFor();
  await settled(page);
  assert.deepEqual(await violations(page), []);
  const plain = await openPage(t, 'training', { view: 'training' });
  await plain.page.getByText('Method: SAPO.').waitFor();
  assert.ok(plain.node.calls.every(({ name }) => name !== 'demonstrations'));
});

test('axe finds nothing with demonstrations, light and dark, and the page is no wider than a phone', async (t) => {
  const { page } = await openPage(t, 'bridge', { view: 'training', width: 400, height: 800 });
  await settled(page);
  assert.deepEqual(await violationsInBothThemes(page), []);
  assert.equal(
    await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth'),
    false,
  );
});
