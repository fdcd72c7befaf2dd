/** The built page in a real Chromium, signed in to a real node. Knows nothing of what is checked. */
import type { Page } from 'playwright-core';
import { launchChromium } from '../renderer/find-chromium.ts';
import { buildWhenStale } from '../renderer/open-page.ts';
import { atEnd } from './local-node.ts';

/** Rounds take about a second on an idle machine and several on a busy one. */
const patienceMs = 30_000;

export interface Dashboard {
  page: Page;
  /** Uncaught errors, and refusals of the content security policy. */
  errors: string[];
  show(view: 'Home' | 'Leaderboard' | 'Swarm' | 'Rollouts' | 'Log'): Promise<void>;
}

/** `url`: with the token, as the node prints it. */
export async function openDashboard(url: string): Promise<Dashboard> {
  buildWhenStale();
  const browser = await launchChromium();
  atEnd(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(patienceMs);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) errors.push(message.text());
  });
  await page.goto(url);
  await page.getByTestId('state').waitFor();
  const show: Dashboard['show'] = (view) =>
    page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: view }).click();
  return { page, errors, show };
}
