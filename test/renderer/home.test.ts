/** Home in a real browser: the state and its buttons, the live curve and its table, every designed state. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, openPage } from './open-page.ts';
import { makeRound } from './scenarios.ts';

test('pause calls the node and the page says paused; resume goes on', async (t) => {
  const { page, node, errors } = await openPage(t, 'training');
  const state = page.getByTestId('state');
  assert.equal(await state.textContent(), 'Training');
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByTestId('state').getByText('Paused').waitFor();
  assert.equal(node.calls.filter((call) => call.name === 'pause').length, 1);
  assert.equal(await page.getByRole('button', { name: 'Pause' }).count(), 0);
  await page.getByTestId('state-text').getByText('Paused by you').waitFor();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByTestId('state').getByText('Training').waitFor();
  await page.getByRole('button', { name: 'Finish round' }).click();
  await page.getByTestId('state').getByText('Finishing the round').waitFor();
  assert.deepEqual(
    node.calls.map((call) => call.name).filter((name) => ['pause', 'resume', 'finish'].includes(name)),
    ['pause', 'resume', 'finish'],
  );
  assert.deepEqual(errors, []);
});

test('a state pushed by the node is shown and announced politely', async (t) => {
  const { page, node } = await openPage(t, 'training');
  await page.getByTestId('state').getByText('Training').waitFor();
  node.setState({
    name: 'waiting',
    text: 'Waiting for disk space.',
    sinceMs: Date.now(),
    reason: { kind: 'diskFull', path: '/srv/waggle', freeBytes: 1_200_000 },
  });
  await page.getByText('The disk is full').waitFor();
  await page.getByText('/srv/waggle', { exact: false }).waitFor();
  const announcer = page.getByTestId('announcer');
  assert.equal(await announcer.getAttribute('aria-live'), 'polite');
  assert.match((await announcer.textContent()) ?? '', /Waiting\. Waiting for disk space/);
});

test('a command that fails is shown with its fix and leaves the state alone', async (t) => {
  const { page, node } = await openPage(t, 'training');
  node.faults.set('pause', {
    code: 'busy',
    message: 'The node is writing a checkpoint.',
    fix: 'Try again in a second.',
  });
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('alert').getByText('Try again in a second.').waitFor();
  assert.equal(await page.getByTestId('state').textContent(), 'Training');
});

test('a finished round reaches the curve, its words and its table', async (t) => {
  const { page, node } = await openPage(t, 'empty');
  await page.getByText('No rounds yet').waitFor();
  for (let round = 1; round <= 3; round++)
    node.push('round', { ...makeRound(round, 3), metrics: { ownReward: 0.25 * round } });
  const chart = page.getByRole('figure', { name: 'Reward per round', exact: true });
  await chart.getByRole('img', { name: /over 3 rounds/ }).waitFor();
  assert.equal(await chart.locator('canvas').count(), 1);
  await chart.getByRole('button', { name: 'Show as table' }).click();
  const cells = chart.getByRole('table').getByRole('row');
  assert.equal(await cells.count(), 4);
  assert.match((await cells.nth(1).textContent()) ?? '', /^\s*3\s*75 %/);
  node.push('round', { ...makeRound(4, 4), metrics: { ownReward: 1, adoptedReward: 0.5 } });
  await eventually(async () => assert.match((await cells.nth(1).textContent()) ?? '', /^\s*4\s*100 %\s*50 %/));
});

test('the picture itself changes when a round arrives', async (t) => {
  const { page, node } = await openPage(t, 'training');
  const canvas = page.getByRole('figure', { name: 'Reward per round', exact: true }).locator('canvas');
  await canvas.waitFor();
  const pixels = (): Promise<string> =>
    canvas.evaluate((element) => (element as unknown as { toDataURL(): string }).toDataURL());
  const before = await pixels();
  node.push('round', { ...makeRound(214, 214), metrics: { ownReward: 1, adoptedReward: 0 } });
  await eventually(async () => assert.notEqual(await pixels(), before));
});

test('the stage of the round and its progress follow the node', async (t) => {
  const { page, node } = await openPage(t, 'training');
  await page.getByRole('list', { name: 'Stages of the round' }).waitFor();
  node.push('progress', { round: 214, stage: 'train', done: 300, total: 1200 });
  const bar = page.getByRole('progressbar', { name: 'Progress of the stage' });
  await eventually(async () => assert.equal(await bar.getAttribute('aria-valuenow'), '25'));
  assert.match((await page.locator('[aria-current=step]').textContent()) ?? '', /Train/);
});

test('alone, offline, restarting and stopped by an error are said plainly', async (t) => {
  await t.test('alone', async (t) => {
    const { page } = await openPage(t, 'empty');
    await page.getByText('Training alone: no peers yet').first().waitFor();
    await page.getByText('The node keeps training and trades as soon as a peer appears.', { exact: false }).waitFor();
  });
  await t.test('offline', async (t) => {
    const { page } = await openPage(t, 'offline');
    await page.getByText('No network', { exact: true }).waitFor();
    await page.getByText('joins by itself when a network appears', { exact: false }).waitFor();
  });
  await t.test('compute restarting', async (t) => {
    const { page } = await openPage(t, 'restarting');
    await page.getByText('The compute process ended and is being restarted').waitFor();
    await page.getByText(/Next attempt in \d s\./).waitFor();
    await page.getByText('Memory ran out: passes are of at most 512 tokens', { exact: false }).waitFor();
  });
  await t.test('error', async (t) => {
    const { page } = await openPage(t, 'error');
    await page.getByTestId('state').getByText('Stopped by an error').waitFor();
    await page.getByText('start with --provider cpu', { exact: false }).waitFor();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
  });
});

test('provider verdicts, memory and counters are on the page', async (t) => {
  const { page } = await openPage(t, 'training');
  const verdicts = page.getByRole('list', { name: 'Provider verdicts' });
  await verdicts.getByText('In use').waitFor();
  await verdicts.getByText('libcublasLt.so.12 was not found on this system.').waitFor();
  await page.getByText('512 MB compute process').waitFor();
  await page.getByText('17 records turned away').click();
  await page.getByText('forged signature: 2').waitFor();
});

test('a node that does half of it is never said to do the other', async (t) => {
  await t.test('generates', async (t) => {
    const { page, node, errors } = await openPage(t, 'training');
    const text = 'Generating for peers: this node trains nothing, its policy stays as it is';
    node.scenario.status = { ...node.scenario.status, role: 'generates' };
    node.setState({ ...node.scenario.status.state, text });
    await page.getByTestId('state').getByText('Generating', { exact: true }).waitFor();
    await page.getByTestId('state-text').getByText(text).waitFor();
    const strip = page.getByRole('list', { name: 'Stages of the round' });
    await eventually(async () => assert.equal(await strip.getByRole('listitem').count(), 4));
    assert.equal(await strip.getByText('Train', { exact: true }).count(), 0);
    await page.getByText('This node only generates', { exact: false }).waitFor();
    assert.deepEqual(errors, []);
  });
  await t.test('trains', async (t) => {
    const { page, node } = await openPage(t, 'training');
    node.scenario.status = { ...node.scenario.status, role: 'trains', meanReward: null };
    const reason = { kind: 'tooFewGroups', have: 1, wanted: 4 } as const;
    node.setState({ name: 'waiting', reason, text: 'Waiting for groups', sinceMs: Date.now() });
    await page.getByText('Waiting for peers’ groups').waitFor();
    await page.getByText('1 of the 4 groups that a round begins with', { exact: false }).waitFor();
    await page.getByText('This node only trains', { exact: false }).first().waitFor();
  });
  await t.test('peers', async (t) => {
    const { page } = await openPage(t, 'training', { view: 'swarm' });
    const table = page.getByRole('region', { name: 'Peers table' });
    await table.getByText('connected, only generates').waitFor();
    await table.getByText('connected, only trains').waitFor();
    assert.equal(await table.getByText(/, only /).count(), 2);
  });
});
