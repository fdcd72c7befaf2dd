/** The task inspector in a real browser, on the real generators and verifiers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, openPage } from './open-page.ts';
import { sampleTask } from '../../src-main/engine/view/task-inspection.ts';

test('a reader looks at tasks, answers one, and gets the node\u2019s verdict', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'tasks' });
  await page.getByRole('button', { name: 'gcd', exact: true }).click();
  await page.getByRole('heading', { name: 'gcd' }).waitFor();
  await page.getByRole('button', { name: 'Next task' }).click();
  const asked = () => node.calls.findLast((call) => call.name === 'task')?.args as Parameters<typeof sampleTask>[0];
  await eventually(() => assert.equal(asked().index, 1));
  const sample = sampleTask({ ...asked(), generator: 'gcd' });
  await page.getByText(sample.question).waitFor();

  const field = page.getByLabel('Your answer');
  const verdict = page.getByRole('main').getByRole('status');
  await field.fill('not a number');
  await page.getByRole('button', { name: 'Check' }).click();
  await eventually(async () => assert.match((await verdict.textContent()) ?? '', /Wrong: not an? /));
  await field.fill(sample.answer);
  await field.press('Enter');
  await eventually(async () => assert.match((await verdict.textContent()) ?? '', /Right\./));

  await page.getByRole('button', { name: 'Show the solution' }).click();
  await page.getByText('What the generator drew').waitFor();
  await page.getByRole('button', { name: 'Next task' }).click();
  await eventually(async () => assert.equal(await field.inputValue(), '', 'another task, another answer'));
  assert.doesNotMatch((await verdict.textContent()) ?? '', /Right/);
});

test('what the node practises is shown with level, success and trend, and leads to the inspector', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'tasks' });
  const row = page.getByRole('list', { name: 'Practised tasks' }).getByRole('button', { name: /gcd/ });
  await row.waitFor();
  assert.match((await row.textContent()) ?? '', /level 2, reference\s*45 %.*falling/s);
  const own = node.scenario.practice;
  node.scenario.practice = { ...own, tasks: own.tasks.map((task) => ({ ...task, success: 0.99 })) };
  node.push('round', node.scenario.rounds.at(-1)!);
  await eventually(async () => assert.match((await row.textContent()) ?? '', /99 %/), 15_000);
  await row.click();
  await page.getByRole('heading', { name: 'gcd' }).waitFor();
  assert.equal(await page.getByRole('radio', { name: /^2 ·/ }).getAttribute('aria-checked'), 'true');
});

test('level and seed choose the instance; a seed that is no number is refused with the fix', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'tasks' });
  await page.getByRole('button', { name: 'chain sum', exact: true }).click();
  const asked = () => node.calls.findLast((call) => call.name === 'task')?.args as Parameters<typeof sampleTask>[0];
  await page.getByRole('radio').nth(1).click();
  await eventually(() => assert.notDeepEqual(asked().config, {}));
  const seed = page.getByLabel('Seed');
  await seed.fill('-123456789012345678901234567890');
  await seed.press('Enter');
  await eventually(() => assert.equal(asked().seed, '-123456789012345678901234567890'));
  await page.getByText(sampleTask(asked()).question).waitFor();
  await seed.fill('many');
  await seed.press('Enter');
  await page.getByText('What to do:').waitFor();
});
