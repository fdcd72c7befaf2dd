/** What axe finds on a page that has settled. */
import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { eventually } from './open-page.ts';

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

export async function violations(page: Page): Promise<string[]> {
  const result = await new AxeBuilder({ page }).withTags(tags).analyze();
  return result.violations.map(
    (violation) => `${violation.id}: ${violation.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`,
  );
}

export async function settled(page: Page): Promise<void> {
  await page.getByTestId('announcer').getByText(/\w/).first().waitFor({ state: 'attached' });
  await eventually(async () => assert.equal(await page.getByRole('status').getByText('Loading').count(), 0));
}
