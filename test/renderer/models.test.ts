/** The page of models: what fits in words, a download from its question to its end, another model in use, folders, failures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settled, violations } from './axe.ts';
import { eventually, openPage } from './open-page.ts';

const view = 'models';
const small = 'HuggingFaceTB/SmolLM2-360M-Instruct';
const here = 'HuggingFaceTB/SmolLM2-135M-Instruct';

test('models stand by the memory they need, with what fits in words, the licence and what is kept', async (t) => {
  const { page } = await openPage(t, 'training', { view });
  await page.getByRole('heading', { level: 3, name: 'Up to 2 GB of memory' }).waitFor();
  const item = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: here }) });
  assert.match((await item.textContent())!, /42 rounds kept/);
  assert.match((await item.textContent())!, /needs about [\d.]+ (MB|GB) of memory; 6\.0 GB are free now/);
  assert.match((await item.textContent())!, /Licence: Apache-2\.0/);
  const large = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'Qwen/Qwen3-1.7B' }) });
  await large.getByText('Too large', { exact: true }).waitFor();
  await page.getByText('It has no tokenizer.json').waitFor();
  const gated = page.getByRole('listitem').filter({ hasText: 'Llama 3.2 Community License' });
  await gated.getByText('Needs a Hugging Face account').waitFor();
});

test('a download: licence first, then how far it is, a failure with its fix, again, done', async (t) => {
  const { page, node } = await openPage(t, 'training', { view });
  await page.getByRole('button', { name: `Download ${small}` }).click();
  const dialog = page.getByRole('dialog', { name: `Download ${small}` });
  await dialog.getByText('Licence: Apache-2.0.').waitFor();
  assert.ok(!node.calls.some(({ name }) => name === 'downloadModel'), 'nothing is fetched before it is confirmed');
  assert.deepEqual(await violations(page), []);
  await dialog.getByRole('button', { name: 'Download', exact: true }).click();
  await page.getByText('Asking the hub, checking the space').waitFor();
  const moving = { stage: 'fetching', doneBytes: 1.81e8, totalBytes: 7.24e8, bytesPerSecond: 4.2e6, remainingMs: 129_000 } as const; // prettier-ignore
  node.models.advance(small, { ...moving, detail: 'model.safetensors' });
  const bar = page.getByRole('progressbar', { name: `Download of ${small}` });
  await eventually(async () => assert.equal(await bar.getAttribute('aria-valuenow'), '25'));
  await page.getByText('Fetching: 181 MB of 724 MB · 4.2 MB/s · 2 min 9 s left').waitFor();
  assert.ok(await page.getByRole('button', { name: `On its way ${small}` }).isDisabled());

  const fault = { code: 'diskFull', message: '543 MB are still to fetch, there is room for 12 MB.', fix: 'Free some space.' }; // prettier-ignore
  node.models.advance(small, { stage: 'failed', fault, detail: fault.message });
  await page.getByText(fault.message).waitFor();
  await page.getByText(fault.fix).waitFor();
  assert.deepEqual(await violations(page), []);
  await page.getByRole('button', { name: `Try again ${small}` }).click();
  await page.getByText('Asking the hub, checking the space').waitFor();
  node.models.advance(small, { stage: 'done', doneBytes: 7.24e8, totalBytes: 7.24e8, fault: null });
  await page.getByText('Is here, verified').waitFor();
  await page.getByRole('button', { name: `Take off the list ${small}` }).click();
  await page.getByRole('heading', { name: 'Downloads' }).waitFor({ state: 'detached' });
});

test('another model: what follows is said first; while it is opened, in use, and back where it cannot be', async (t) => {
  const { page, node } = await openPage(t, 'training', { view });
  const ask = async (): Promise<void> => {
    await page.getByRole('button', { name: `Use ${here}` }).click();
    const dialog = page.getByRole('dialog', { name: `Train ${here} from now on` });
    await dialog.getByText('What waggle-starter has learnt is saved and kept', { exact: false }).waitFor();
    await dialog.getByText('goes on after its round 42', { exact: false }).waitFor();
    await dialog.getByRole('button', { name: 'Use it' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByText(`Opening ${here}`).waitFor();
  };
  await ask();
  assert.deepEqual(node.calls.findLast(({ name }) => name === 'useModel')?.args, { key: here });
  node.models.endChange({ code: 'policyInvalid', message: 'The tokenizer is damaged.', fix: 'Download it again.' });
  await page.getByText('could not be opened: The tokenizer is damaged.', { exact: false }).waitFor();
  await page.getByText('The node went back to waggle-starter and trains it.').waitFor();
  await ask();
  const before = node.calls.filter(({ name }) => name === 'rounds').length;
  node.models.endChange();
  node.push('policyChanged', { name: 'SmolLM2-135M-Instruct' });
  await page.getByText(`${here} is in use now`).waitFor();
  await page.getByRole('button', { name: 'Use waggle-starter' }).waitFor();
  await eventually(() =>
    assert.equal(node.calls.filter(({ name }) => name === 'rounds').length, before + 1, 'its own history is asked for'),
  );
});

test('folders: a wrong one is said with its fix, a right one is listed and can be taken off; deleting asks first', async (t) => {
  const { page } = await openPage(t, 'training', { view });
  const field = page.getByRole('textbox', { name: 'Model folder on the node’s machine' });
  await field.fill('not/a/full/path');
  await page.keyboard.press('Enter');
  await page.getByText('"not/a/full/path" is no full path.').waitFor();
  await field.fill('/models/mine');
  await page.getByRole('button', { name: 'Add the folder' }).click();
  await page.getByRole('button', { name: 'Use mine' }).waitFor();
  await page.getByRole('button', { name: 'Take off the list mine' }).click();
  await page.getByRole('button', { name: 'Use mine' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: `Delete ${here}` }).click();
  await page.getByRole('dialog').getByText('What was learnt from them is kept', { exact: false }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: `Delete ${here}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: `Download ${here}` }).waitFor();
});

test('settings that name the model, no network, a node that cannot say', async (t) => {
  const { page, node } = await openPage(t, 'training');
  node.models.origin = 'settings';
  node.models.offline = true;
  await page.goto(`${node.url}#/models`);
  await page.getByText('The settings of this node name its model').waitFor();
  await page.getByText('Downloads are switched off').waitFor();
  assert.ok(await page.getByRole('button', { name: `Use ${here}` }).isDisabled());
  assert.ok(await page.getByRole('button', { name: `Download ${small}` }).isDisabled());
  await settled(page);
  assert.deepEqual(await violations(page), []);
  node.faults.set('models', { code: 'internal', message: 'The list cannot be read.', fix: 'See the log.' });
  await page.reload();
  await page.getByText('The list cannot be read.').waitFor();
});
