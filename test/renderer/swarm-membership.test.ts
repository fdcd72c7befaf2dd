/** Joining, making, choosing and leaving swarms on the page, in a real browser; the rules behind it are the node's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { violations } from './axe.ts';
import { inviteLink } from './fake-swarms.ts';
import { eventually, openPage } from './open-page.ts';
import { readQr } from './read-qr.ts';

const card = (page: Page) => page.getByRole('region', { name: 'Your swarms' });
const rows = (page: Page) => card(page).getByRole('list', { name: 'Joined swarms' }).getByRole('listitem');
const called = (node: { calls: { name: string; args: unknown }[] }, name: string) =>
  node.calls.filter((call) => call.name === name).map(({ args }) => args);

/** The picture as a scanner sees it: whether the middle of each module is dark. */
async function modulesOf(page: Page): Promise<boolean[][]> {
  const dark = await page.evaluate<boolean[][]>(`(() => {
    const svg = document.querySelector('dialog svg[role=img]');
    const size = svg.viewBox.baseVal.width;
    const path = svg.querySelector('path');
    return Array.from({ length: size }, (_, y) => Array.from({ length: size }, (_, x) => path.isPointInFill(new DOMPoint(x + 0.5, y + 0.5))));
  })()`);
  const quiet = 4;
  const inner = dark.slice(quiet, -quiet).map((row) => row.slice(quiet, -quiet));
  assert.equal(
    dark.flat().filter(Boolean).length,
    inner.flat().filter(Boolean).length,
    'four light modules on every side',
  );
  return inner;
}

test('paste an invite: what it says is shown before anything is joined; then the node changes over', async (t) => {
  const { page, node, errors } = await openPage(t, 'empty', { view: 'swarm' });
  await eventually(async () => assert.equal(await rows(page).count(), 1));
  assert.match((await rows(page).first().textContent()) ?? '', /waggle.*Taking part.*Public/s);
  await page.getByRole('button', { name: 'Join by invite' }).click();
  const dialog = page.getByRole('dialog', { name: 'Join a swarm by its invite' });
  const join = dialog.getByRole('button', { name: 'Join', exact: true });
  assert.equal(await join.isDisabled(), true);
  await dialog.getByRole('textbox', { name: 'Invite link' }).fill(`  ${inviteLink({ shardCount: 3 })}\n`);
  await dialog.getByText('Meadow friends').waitFor();
  const facts = (await dialog.textContent()) ?? '';
  for (const part of [/Private/, /easy, version 1/, /16 rounds/, /3 meeting places/, /Protocol\s*version 1/])
    assert.match(facts, part);
  assert.deepEqual(called(node, 'joinSwarm'), [], 'reading joins nothing');
  assert.deepEqual(await violations(page), []);
  await join.click();
  await dialog.waitFor({ state: 'detached' });
  await eventually(async () =>
    assert.match((await rows(page).nth(1).textContent()) ?? '', /Meadow friends.*Taking part/s),
  );
  await page.getByText('Swarm “Meadow friends”, this node:').waitFor();
  const focused = await page.evaluate<string>('document.activeElement?.textContent?.trim() ?? ""');
  assert.equal(focused, 'Join by invite', 'focus is where it was');
  await page.getByRole('button', { name: 'Take part in waggle' }).click();
  await eventually(async () => assert.match((await rows(page).first().textContent()) ?? '', /Taking part/));
  assert.deepEqual(called(node, 'chooseSwarm'), [{ id: null }]);
  assert.deepEqual(errors, []);
});

test('texts that are no invite, and invites that do not fit, say what to do and cannot be joined', async (t) => {
  const { page, node } = await openPage(t, 'empty', { view: 'swarm', scheme: 'dark', width: 400 });
  await page.getByRole('button', { name: 'Join by invite' }).click();
  const dialog = page.getByRole('dialog');
  const box = dialog.getByRole('textbox', { name: 'Invite link' });
  const good = inviteLink();
  for (const [link, what, fix] of [
    ['https://example.org/join', /not an invite link/, /starts with waggle:\/\/join\//],
    [good.slice(0, -4), /incomplete or mistyped/, /Copy it again/],
    [`${good} ${good}`, /too long|not an invite/, /Copy the link alone|one line/],
    [inviteLink({ protocol: 9 }), /speaks version 9/, /Update Waggle/],
    [inviteLink({ taskSet: 'from_the_future' }), /does not know the task set/, /Update Waggle/],
    [inviteLink({ taskSetVersion: 9 }), /practises version 9/, /Update Waggle/],
  ] as const) {
    await box.fill(link);
    await dialog.getByText('What to do:').waitFor();
    const text = (await dialog.textContent()) ?? '';
    assert.match(text, what);
    assert.match(text, fix);
    assert.equal(await dialog.getByRole('button', { name: 'Join', exact: true }).isDisabled(), true);
    await box.fill('');
    await eventually(async () => assert.equal(await dialog.getByText('What to do:').count(), 0));
  }
  await box.fill(inviteLink({ protocol: 9 }));
  await dialog.getByText('This node cannot take part as it is.').waitFor();
  assert.deepEqual(await violations(page), []);
  assert.equal(await page.evaluate<number>('document.documentElement.scrollWidth'), 400);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.deepEqual(called(node, 'joinSwarm'), []);
});

test('a link that comes with the address opens the dialog, joins nothing, and leaves the address', async (t) => {
  const { page, node } = await openPage(t, 'empty', { view: `swarm?join=${encodeURIComponent(inviteLink())}` });
  const dialog = page.getByRole('dialog', { name: 'Join a swarm by its invite' });
  await dialog.getByText('Meadow friends').waitFor();
  assert.equal(await page.evaluate<string>('location.hash'), '#/swarm');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  // The shell opens a second one in the page that is there already.
  await page.evaluate(
    `location.hash = '#/swarm?join=' + encodeURIComponent(${JSON.stringify(inviteLink({ name: 'Second' }))})`,
  );
  await dialog.getByText('Second').waitFor();
  await page.evaluate(`location.hash = '#/swarm?join=%E0%A4%A<script>alert(1)</script>'`);
  await dialog.getByText('That is not an invite link.').waitFor();
  assert.equal(await page.evaluate<string>('location.hash'), '#/swarm');
  await page.evaluate(`location.hash = '#/home?join=x'`);
  await page.getByRole('heading', { level: 1, name: 'Home' }).or(page.locator('h1')).first().waitFor();
  assert.deepEqual(called(node, 'joinSwarm'), []);
});

test('make a swarm; its invite as a picture that reads back, as a link to copy; leave it again', async (t) => {
  const { page, node, errors } = await openPage(t, 'empty', { view: 'swarm' });
  await page.getByRole('button', { name: 'New swarm' }).click();
  const create = page.getByRole('dialog', { name: 'New swarm' });
  const make = create.getByRole('button', { name: 'Make and take part' });
  assert.equal(await make.isDisabled(), true, 'without a name');
  await create.getByRole('textbox', { name: 'Name' }).fill('ä'.repeat(40));
  await create.getByText('This name is too long.').waitFor();
  await create.getByRole('textbox', { name: 'Name' }).fill('Our hive');
  await create.getByRole('combobox', { name: /Tasks/ }).selectOption('easy');
  await create.getByText('Limits').click();
  await create.getByRole('spinbutton', { name: 'Answers count for' }).fill('0');
  await eventually(async () => assert.equal(await make.isDisabled(), true));
  await create.getByRole('spinbutton', { name: 'Answers count for' }).fill('24');
  assert.deepEqual(await violations(page), []);
  await make.click();
  const invite = page.getByRole('dialog', { name: 'Invite to “Our hive”' });
  const link = await invite.getByRole('textbox', { name: 'Link' }).inputValue();
  assert.match(link, /^waggle:\/\/join\/[\w-]+$/);
  assert.equal(readQr(await modulesOf(page)), link, 'the picture is the link');
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(called(node, 'createSwarm'), [
    { name: 'Our hive', taskSet: 'easy', private: true, shardCount: 1, maxRoundAge: 24 },
  ]);
  const { swarm } = await node.swarms.read(link);
  assert.deepEqual([swarm.name, swarm.maxRoundAge, swarm.private], ['Our hive', 24, true]);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await invite.getByRole('button', { name: 'Copy the link' }).click();
  await invite.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await page.evaluate<string>('navigator.clipboard.readText()'), link);
  await invite.getByRole('button', { name: 'Done' }).click();
  assert.equal(await page.getByText(link).count(), 0, 'the link is not kept on the page');

  await page.getByRole('button', { name: 'Leave Our hive' }).click();
  const leave = page.getByRole('dialog', { name: 'Leave “Our hive”?' });
  await leave.getByText('The node goes back to the public swarm', { exact: false }).waitFor();
  await page.keyboard.press('Escape');
  assert.deepEqual(called(node, 'leaveSwarm'), [], 'Escape leaves nothing');
  await page.getByRole('button', { name: 'Leave Our hive' }).click();
  await leave.getByRole('button', { name: 'Leave', exact: true }).click();
  await eventually(async () => assert.equal(await rows(page).count(), 1));
  assert.deepEqual(errors, []);
});

test('faults of the node are shown where they happen; a choice that the settings overrule is said to be', async (t) => {
  await t.test('faults', async (t) => {
    const { page, node } = await openPage(t, 'training', { view: 'swarm' });
    node.faults.set('chooseSwarm', { code: 'diskFull', message: 'The disk is full.', fix: 'Make room.' });
    await page.getByRole('button', { name: 'Take part in Meadow friends' }).click();
    await card(page).getByText('Make room.').waitFor();
    node.faults.set('swarmInvite', { code: 'unknownSwarm', message: 'It was left.', fix: 'Look again.' });
    await page.getByRole('button', { name: 'Invite to Meadow friends' }).click();
    await page.getByRole('dialog').getByText('Look again.').waitFor();
  });
  await t.test('overruled', async (t) => {
    const { page } = await openPage(t, 'off', { view: 'swarm' });
    await card(page).getByText('The settings switch the swarm off.').waitFor();
    await card(page).getByText('Chosen').waitFor();
  });
});
