/** Axe finds nothing: on every view in both themes, on home in every state of the node, with popovers and tables open. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { views } from '../../src-main/electron/navigation.ts';
import { settled, violations, violationsInBothThemes } from './axe.ts';
import { openPage } from './open-page.ts';
import type { ScenarioName } from './scenarios.ts';

for (const view of views) {
  test(`axe finds nothing on ${view}, light and dark`, async (t) => {
    const { page } = await openPage(t, 'training', { view });
    await settled(page);
    assert.deepEqual(await violationsInBothThemes(page), []);
  });
}
for (const scenario of ['empty', 'restarting', 'error', 'offline', 'hostile'] satisfies ScenarioName[]) {
  test(`axe finds nothing on home when ${scenario}, light and dark`, async (t) => {
    const { page } = await openPage(t, scenario);
    await settled(page);
    assert.deepEqual(await violationsInBothThemes(page), []);
  });
}

test('axe finds nothing with the table open, an explanation open, and the node lost', async (t) => {
  const { page, node } = await openPage(t, 'training');
  await page
    .getByRole('figure', { name: 'Reward per round', exact: true })
    .getByRole('button', { name: 'Show as table' })
    .click();
  assert.deepEqual(await violations(page), []);
  await page.getByRole('button', { name: 'What “the provider trial” means' }).click();
  await page.getByText('Before a provider is used it must prove itself', { exact: false }).waitFor();
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press('Escape');
  await node.stop();
  await page.getByText('The connection to the node is lost', { exact: true }).waitFor();
  assert.deepEqual(await violations(page), []);
});

test('axe does find what is wrong: a button without a name, text nobody can read', async (t) => {
  const { page } = await openPage(t, 'training');
  await settled(page);
  await page.evaluate(
    `document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button><p style="color:#777;background:#666">faint</p>')`,
  );
  const rulesOf = (found: string[]) => found.map((violation) => violation.split(':')[0]).sort();
  assert.deepEqual(rulesOf(await violations(page)), ['button-name', 'color-contrast']);
  const inBoth = rulesOf(await violationsInBothThemes(page));
  assert.deepEqual(inBoth, ['button-name', 'color-contrast', 'dark, color-contrast']);
});
