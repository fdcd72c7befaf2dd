/** Axe finds nothing: on every view in both themes, on home in every state of the node, with popovers and tables open. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { views } from '../../src-main/electron/navigation.ts';
import { settled, violations } from './axe.ts';
import { openPage } from './open-page.ts';
import type { ScenarioName } from './scenarios.ts';

for (const scheme of ['light', 'dark'] as const) {
  for (const view of views) {
    test(`axe finds nothing on ${view}, ${scheme}`, async (t) => {
      const { page } = await openPage(t, 'training', { view, scheme });
      await settled(page);
      assert.deepEqual(await violations(page), []);
    });
  }
  for (const scenario of ['empty', 'restarting', 'error', 'offline', 'hostile'] satisfies ScenarioName[]) {
    test(`axe finds nothing on home when ${scenario}, ${scheme}`, async (t) => {
      const { page } = await openPage(t, scenario, { scheme });
      await settled(page);
      assert.deepEqual(await violations(page), []);
    });
  }
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
  const rules = (await violations(page)).map((violation) => violation.split(':')[0]);
  assert.deepEqual(rules.sort(), ['button-name', 'color-contrast']);
});
