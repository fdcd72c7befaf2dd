/** The identity on the page, in a real browser: names with their preview, the 24 words, coming back by them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from './axe.ts';
import { eventually, openPage } from './open-page.ts';

test('a name and a team: the preview is what others see, hostile letters left out; then they are saved', async (t) => {
  const { page, node, errors } = await openPage(t, 'training', { view: 'swarm' });
  const card = page.getByRole('region', { name: 'This node’s identity' });
  await card.getByText('none: others see the key').waitFor();
  const text = (await card.textContent()) ?? '';
  for (const part of [/2 devices seen/, /In a file that only you can read/, /has no keyring/]) assert.match(text, part);
  await card.getByRole('button', { name: 'Change the name' }).click();
  const dialog = page.getByRole('dialog', { name: 'What others see of you' });
  await dialog.getByRole('textbox', { name: 'Name' }).fill('Ada\u202e <b>hive</b>');
  await dialog.getByRole('textbox', { name: 'Team' }).fill(`Meadow ${'x'.repeat(150)}`);
  await dialog.getByText('Ada <b>hive</b>', { exact: true }).waitFor();
  const preview = (await dialog.textContent()) ?? '';
  assert.ok(!preview.includes('\u202e'));
  assert.match(preview, /team Meadow x+…/);
  assert.deepEqual(await violations(page), []);
  assert.equal(node.calls.filter(({ name }) => name === 'setProfile').length, 0);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'detached' });
  await card.getByText('Ada <b>hive</b>', { exact: true }).waitFor();
  node.faults.set('setProfile', { code: 'diskFull', message: 'The disk is full.', fix: 'Make room.' });
  await card.getByRole('button', { name: 'Change the name' }).click();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('Make room.').waitFor();
  assert.deepEqual(errors, []);
});

test('the 24 words: after a yes at the machine only, hidden with the window, gone with the dialog', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'swarm', scheme: 'dark', width: 400 });
  await page.getByRole('button', { name: 'Back up as 24 words' }).click();
  const dialog = page.getByRole('dialog', { name: 'Backup of your identity' });
  assert.deepEqual(node.identity.asked, [], 'opening the dialog asks nobody');
  node.identity.answer = () => Promise.resolve(false);
  await dialog.getByRole('button', { name: 'Show the words' }).click();
  await dialog.getByText('It was not confirmed, so nothing was done.').waitFor();
  let decide: (yes: boolean) => void = () => undefined;
  node.identity.answer = () => new Promise((resolve) => (decide = resolve));
  await dialog.getByRole('button', { name: 'Show the words' }).click();
  await dialog.getByText('Confirm it in the window that Waggle has opened.').waitFor();
  await eventually(() => assert.equal(node.identity.asked.length, 2));
  decide(true);
  const list = dialog.getByRole('list', { name: 'The 24 words' }).getByRole('listitem');
  await eventually(async () => assert.equal(await list.count(), 24));
  const words = (await list.allTextContents()).map((item) => item.replace(/[^a-z]/g, ''));
  node.identity.answer = () => Promise.resolve(true);
  assert.deepEqual({ words }, await node.identity.words());
  assert.deepEqual(await violations(page), []);
  assert.equal(await page.evaluate<number>('document.documentElement.scrollWidth'), 400);
  await page.evaluate(`Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));`);
  await dialog.getByText('The words are hidden again.').waitFor();
  assert.equal(await list.count(), 0);
  await page.evaluate(`delete document.hidden`);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  const source = await page.content();
  assert.ok(!words.slice(0, 3).every((word) => source.includes(`>${word}<`)), 'nothing is left in the page');
});

test('restoring: what is mistyped is named; a further machine keeps a key of its own', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'swarm' });
  const { words } = await node.identity.words();
  node.identity.asked.length = 0;
  await page.getByRole('button', { name: 'Restore', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Restore an identity' });
  const box = dialog.getByRole('textbox', { name: '24 words' });
  const restore = dialog.getByRole('button', { name: 'Restore', exact: true });
  assert.equal(await restore.isDisabled(), true);
  await box.fill(['abandonn', ...words.slice(1)].join(' '));
  await restore.click();
  await dialog.getByText('Word 1 is not in the list; did you mean "abandon".').waitFor();
  assert.deepEqual(node.identity.asked, []);
  await box.fill(words.join(' '));
  await dialog.getByRole('radio', { name: 'A further machine' }).click();
  assert.deepEqual(await violations(page), []);
  await restore.click();
  await dialog.getByText('It is starting anew', { exact: false }).waitFor();
  assert.equal(node.identity.restarts, 1);
  const sent = node.calls.findLast(({ name }) => name === 'restoreIdentity')?.args as { anotherDevice: boolean };
  assert.equal(sent.anotherDevice, true);
  assert.equal(await box.count(), 0, 'the words are gone from the page');
});

test('a headless node: the command to type instead of buttons', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'home' });
  node.identity.headless = true;
  await page.getByRole('link', { name: 'Swarm', exact: true }).click();
  await page.getByText('waggle identity backup').waitFor();
  assert.equal(await page.getByRole('button', { name: /24 words|Restore/ }).count(), 0);
});
