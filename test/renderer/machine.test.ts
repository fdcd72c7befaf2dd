/** The machine card in a real browser: a provider that was given up, and trying all again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settled, violationsInBothThemes } from './axe.ts';
import { openPage } from './open-page.ts';
import { scenarios } from './scenarios.ts';

test('a provider that was given up is said with what to do; trying again shows the trial and what came of it', async (t) => {
  const { page, node, errors } = await openPage(t, 'givenUp');
  await page.getByText('WebGPU was given up', { exact: true }).waitFor();
  await page.getByText('The compute process ended 3 times in a short while.').waitFor();
  const verdicts = page.getByRole('list', { name: 'Provider verdicts' });
  const first = verdicts.getByRole('listitem').first();
  assert.match((await first.textContent()) ?? '', /CPU.*In use.*298 MB of main memory/s);
  const given = verdicts.getByRole('listitem').filter({ hasText: 'WebGPU' });
  assert.match((await given.textContent()) ?? '', /Given up.*signal SIGSEGV/s);

  await page.getByRole('button', { name: 'Try all again' }).click();
  await page.getByText('Each is tried in turn').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Try all again' }).isDisabled(), true);
  assert.equal(node.calls.filter(({ name }) => name === 'tryProviders').length, 1);
  const { status, hardware } = scenarios.training();
  node.scenario.hardware = hardware;
  node.push('status', status);
  await verdicts.getByRole('listitem').filter({ hasText: 'WebGPU' }).getByText('In use').waitFor();
  await page.getByText('Training waits meanwhile').waitFor();
  assert.equal(await page.getByText('WebGPU was given up', { exact: true }).count(), 0);
  assert.deepEqual(errors, []);
});

test('the node falls back while the page is open: the notice and the verdicts come by themselves', async (t) => {
  const { page, node } = await openPage(t, 'training');
  const verdicts = page.getByRole('list', { name: 'Provider verdicts' });
  await verdicts.getByRole('listitem').filter({ hasText: 'WebGPU' }).getByText('In use').waitFor();
  const { status, hardware } = scenarios.givenUp();
  node.scenario.hardware = hardware;
  node.push('status', status);
  await page.getByText('WebGPU was given up', { exact: true }).waitFor();
  await verdicts.getByRole('listitem').filter({ hasText: 'CPU' }).first().getByText('In use').waitFor();
});

test('a wish that the node refuses is shown with its fix', async (t) => {
  const { page, node } = await openPage(t, 'givenUp');
  node.faults.set('tryProviders', { code: 'x', message: 'Not now.', fix: 'Wait a little.' });
  await page.getByRole('button', { name: 'Try all again' }).click();
  await page.getByText('Wait a little.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Try all again' }).isDisabled(), false);
});

test('axe finds nothing where a provider was given up, light and dark; it fits a phone', async (t) => {
  const { page } = await openPage(t, 'givenUp', { width: 400 });
  await page.getByText('WebGPU was given up', { exact: true }).waitFor();
  await settled(page);
  assert.deepEqual(await violationsInBothThemes(page), []);
  const wider = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
  assert.ok(Number(wider) <= 0);
});

test('the policy card says what answers are sampled in and what is trained in, and why', async (t) => {
  const { page, errors } = await openPage(t, 'training');
  const card = page.getByRole('region', { name: 'Policy and process' });
  await card.waitFor();
  const text = ((await card.textContent()) ?? '').replace(/\s+/g, ' ');
  assert.match(text, /Answers in ?8-bit numbers \(int8\) ?The settings ask for it\./);
  assert.match(text, /Trains in ?single precision \(f32\) ?The weights are stored in bfloat16 and widened/);
  assert.deepEqual(errors, []);
});
