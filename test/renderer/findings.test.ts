/** The Training view's card of what the experiments found: the figures are the experiments' own, whichever is chosen. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { settled, violations } from './axe.ts';
import { openPage } from './open-page.ts';

const resultOf = (name: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../../src-renderer/training/results/${name}.json`), 'utf8'));
const sapo = resultOf('sapo') as { table: { arm: string; ratio: number }[] };
const stale = resultOf('staleness') as { rows: { subject: string; staleness: number; last: { mean: number } }[] };

test('each experiment is shown with its question, its answer and its own figures, as a picture and as a table', async (t) => {
  const { page, errors } = await openPage(t, 'empty', { view: 'training' });
  const card = page.getByRole('region', { name: 'What experiments found' });
  const rows = card.getByRole('row');
  await rows.first().waitFor();
  const lean = sapo.table.find(({ arm }) => arm === '2/6 lean')!.ratio.toFixed(3);
  assert.match((await rows.last().textContent()) ?? '', new RegExp(`up to 6 from peers.*${lean.replace('.', '\\.')}`));
  await settled(page);
  assert.deepEqual(await violations(page), []);

  await card.getByRole('radio', { name: 'Old answers' }).click();
  const chart = card.getByRole('figure', { name: 'Reward at the end, by rounds old' });
  await chart.waitFor();
  const at = (subject: string, age: number): string =>
    stale.rows.find((row) => row.subject === subject && row.staleness === age)!.last.mean.toFixed(2);
  const summary = `ASymPO ${at('ASymPO', 0)} to ${at('ASymPO', 128)}`;
  assert.ok((await chart.textContent())?.includes(summary), summary);
  await chart.getByRole('button', { name: 'Show as table' }).click();
  assert.equal(await chart.getByRole('row').count(), 6);
  assert.match((await chart.getByRole('row').nth(3).textContent()) ?? '', new RegExp(`32.*${at('naive', 32)}`, 's'));

  for (const [choice, question] of [
    ['Strangers’ answers', 'quite another policy'],
    ['Demonstrations', 'imitate and rewards'],
  ] as const) {
    await card.getByRole('radio', { name: choice }).click();
    await card.getByText(question, { exact: false }).waitFor();
    await settled(page);
    assert.deepEqual(await violations(page), []);
  }
  assert.deepEqual(errors, []);
});
