/**
 * What axe finds on a page that has settled. axe-core runs inside the page, without its Playwright wrapper: that one also
 * carries every passed check back over the wire and took some five times as long. Our pages have no frames, which is what the wrapper is for.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { eventually } from './open-page.ts';

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** One line for each violated rule: its name and the offending elements. */
export async function violations(page: Page): Promise<string[]> {
  assert.equal(page.frames().length, 1, 'a page with frames needs @axe-core/playwright');
  await page.evaluate(`${axeSource}; undefined`);
  const options = JSON.stringify({ runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] });
  const found = await page.evaluate<AxeResults['violations']>(
    `axe.run(${options}).then(({ violations }) => violations)`,
  );
  return found.map(
    (violation) => `${violation.id}: ${violation.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`,
  );
}

export async function settled(page: Page): Promise<void> {
  await page.getByTestId('announcer').getByText(/\w/).first().waitFor({ state: 'attached' });
  await eventually(async () => assert.equal(await page.getByRole('status').getByText('Loading').count(), 0));
}
