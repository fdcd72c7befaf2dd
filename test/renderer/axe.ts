/**
 * What axe finds on a page that has settled. axe-core runs inside the page, without its Playwright wrapper: that one also
 * carries every passed check back over the wire and took some five times as long. Our pages have no frames, which is what the wrapper is for.
 * Themes differ in colours alone, so the second one is looked at on the same page and with the rules on colours only.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { eventually } from './open-page.ts';

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const everything = { type: 'tag', values: tags };
const colours = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };

/** One line for each violated rule: its name and the offending elements. */
export async function violations(page: Page, runOnly: object = everything): Promise<string[]> {
  assert.equal(page.frames().length, 1, 'a page with frames needs @axe-core/playwright');
  const options = JSON.stringify({ runOnly, resultTypes: ['violations'] });
  await page.evaluate(`${axeSource}; undefined`);
  const found = await page.evaluate<AxeResults['violations']>(
    `axe.run(${options}).then(({ violations }) => violations)`,
  );
  return found.map(
    (violation) => `${violation.id}: ${violation.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`,
  );
}

/** Those of a page that was opened in light colours, and then of its dark ones. */
export async function violationsInBothThemes(page: Page): Promise<string[]> {
  const ground = (): Promise<string> =>
    page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
  const [inLight, light] = [await violations(page), await ground()];
  await page.emulateMedia({ colorScheme: 'dark' });
  await eventually(async () => assert.notEqual(await ground(), light, 'it went dark'));
  const inDark = await violations(page, colours);
  return [...inLight, ...inDark.map((line) => `dark, ${line}`)];
}

export async function settled(page: Page): Promise<void> {
  await page.getByTestId('announcer').getByText(/\w/).first().waitFor({ state: 'attached' });
  await eventually(async () => assert.equal(await page.getByRole('status').getByText('Loading').count(), 0));
}
