/** Everyone can use it: 320 px on every view, keyboard only, reduced motion, remembered colours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { views } from '../../src-main/electron/navigation.ts';
import { settled, violations } from './axe.ts';
import { eventually, openPage } from './open-page.ts';

for (const view of views) {
  test(`320 px wide, ${view}: no sideways scroll, nothing under the bar, targets big enough`, async (t) => {
    const { page } = await openPage(t, 'training', { view, width: 320, height: 640 });
    await settled(page);
    assert.deepEqual(await violations(page), []);
    assert.equal(await page.evaluate<number>('document.documentElement.scrollWidth'), 320);
    await page.evaluate('window.scrollTo(0, document.documentElement.scrollHeight)');
    const bar = (await page.getByRole('navigation', { name: 'Pages' }).boundingBox())!;
    assert.ok(Math.abs(bar.y + bar.height - 640) <= 1, 'the bar sits at the bottom');
    const last = (await page.locator('main > :last-child').boundingBox())!;
    assert.ok(last.y + last.height <= bar.y, 'the end of the content is above the bar');
  });
}

test('keyboard only: skip link, pages, a chart as a table, pause', async (t) => {
  const { page, node } = await openPage(t, 'training');
  await settled(page);
  const focused = (): Promise<string> =>
    page.evaluate<string>('document.activeElement?.textContent?.trim().slice(0, 60) ?? ""');
  const tabTo = async (text: string): Promise<void> => {
    for (let i = 0; i < 60; i++) {
      if ((await focused()) === text) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`Tab never reached "${text}"`);
  };
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the content');
  const outline = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle');
  assert.equal(outline, 'solid');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate('document.activeElement.id'), 'main');
  await tabTo('Pause');
  await page.keyboard.press('Enter');
  await page.getByTestId('state').getByText('Paused').waitFor();
  assert.ok(node.calls.some((call) => call.name === 'pause'));
  await tabTo('Show as table');
  await page.keyboard.press('Space');
  await page.getByRole('region', { name: 'Reward per round, as a table' }).waitFor();
  await page.reload();
  await settled(page);
  await tabTo('Leaderboard');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Leaderboard' }).waitFor();
  assert.equal(await page.evaluate('document.activeElement.id'), 'main');
  assert.equal(await page.title(), 'Leaderboard · Waggle');
  assert.equal(
    await page
      .locator('[aria-current=page]')
      .textContent()
      .then((text) => text?.trim()),
    'Leaderboard',
  );
});

test('keyboard only, narrow: what has the focus is never under the bar', async (t) => {
  const { page } = await openPage(t, 'training', { view: 'leaderboard', width: 360, height: 640 });
  await settled(page);
  await page.locator('main').focus();
  const state = `(() => {
    const focus = document.activeElement.getBoundingClientRect();
    const bar = document.querySelector('nav').getBoundingClientRect();
    return { name: document.activeElement.textContent.trim(), bottom: focus.bottom, top: focus.top, bar: bar.top };
  })()`;
  for (let i = 0; i < 24; i++) {
    await page.keyboard.press('Tab');
    const { name, bottom, top, bar } = await page.evaluate<Record<'bottom' | 'top' | 'bar', number> & { name: string }>(
      state,
    );
    assert.ok(bottom <= bar || bottom - top > bar, `"${name}" ends at ${bottom}, the bar begins at ${bar}`);
  }
});

test('keyboard only: arrow keys choose in a filter', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'rollouts' });
  await page.getByRole('article').first().waitFor();
  await page.getByRole('radio', { name: 'All' }).focus();
  await page.keyboard.press('ArrowRight');
  await eventually(() =>
    assert.deepEqual(node.calls.findLast((call) => call.name === 'rollouts')?.args, {
      limit: 40,
      beforeId: null,
      origin: 'own',
    }),
  );
  assert.equal(await page.getByRole('radio', { name: 'This node' }).getAttribute('aria-checked'), 'true');
});

test('focus stays on the page when a command changes the buttons', async (t) => {
  const { page } = await openPage(t, 'training');
  await page.getByRole('button', { name: 'Pause' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  await eventually(async () =>
    assert.equal(await page.evaluate<string>('document.activeElement.textContent.trim()'), 'Resume'),
  );
});

test('colours: the system decides until the reader does, and that is remembered', async (t) => {
  const { page } = await openPage(t, 'training', { scheme: 'dark' });
  await settled(page);
  const ground = (): Promise<string> =>
    page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
  const dark = await ground();
  await page.emulateMedia({ colorScheme: 'light' });
  await eventually(async () => assert.notEqual(await ground(), dark));
  const light = await ground();
  await page.getByRole('button', { name: /^Colours: as the system/ }).click();
  await page.getByRole('button', { name: /^Colours: light/ }).click();
  await page.getByRole('button', { name: /^Colours: dark/ }).waitFor();
  await eventually(async () => assert.equal(await ground(), dark));
  await page.reload();
  await settled(page);
  assert.equal(await ground(), dark);
  await page.getByRole('button', { name: /^Colours: dark/ }).click();
  await eventually(async () => assert.equal(await ground(), light));
});

test('nothing moves when motion is to be reduced', async (t) => {
  const { page } = await openPage(t, 'training', { motion: 'reduce' });
  await settled(page);
  const moving = await page.evaluate<number>(
    'document.getAnimations().filter((a) => a.playState === "running" && a.effect.getComputedTiming().endTime === Infinity).length',
  );
  assert.equal(moving, 0);
});
