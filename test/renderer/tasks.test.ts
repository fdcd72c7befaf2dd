/** The task inspector in a real browser, on the real generators and verifiers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, openPage } from './open-page.ts';
import { sampleTask } from '../../src-main/engine/task-inspection.ts';

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
