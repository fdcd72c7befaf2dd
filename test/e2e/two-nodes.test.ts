/**
 * Two real nodes on a DHT of their own and the page of the first in a real browser: they trade, the page steers, what is
 * killed is said and comes back. One story in its order; each test goes on where the one before ended.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { before, beforeEach, test } from 'node:test';
import type { NodeStatus } from '../../src-main/engine/api.ts';
import { eventually } from '../renderer/open-page.ts';
import { openDashboard, type Dashboard } from './dashboard.ts';
import { startDht } from './local-dht.ts';
import {
  computePidOf,
  isAlive,
  processorTicks,
  runCommand,
  sleep,
  startNode,
  until,
  untilStatus,
  within,
  type LocalNode,
} from './local-node.ts';

let bootstrap: string;
let first: LocalNode;
let second: LocalNode;
let board: Dashboard;

before(async () => {
  bootstrap = await startDht();
  [first, second] = await Promise.all([
    startNode({ bootstrap, flags: ['--display-name=first'] }),
    startNode({ bootstrap, flags: ['--display-name=second'] }),
  ]);
  board = await openDashboard(first.url);
});

beforeEach(() => board.show('Home'));

const isTraining = ({ state }: NodeStatus): boolean => state.name === 'training';
const chart = () => board.page.getByRole('figure', { name: 'Reward per round', exact: true });
const shownState = (name: string) => board.page.getByTestId('state').getByText(name, { exact: true }).waitFor();
const press = (name: string) => board.page.getByRole('button', { name, exact: true }).click();

/** Rounds that the sentence under the curve speaks of. */
async function roundsInWords(): Promise<number> {
  const words = (await chart().locator('figcaption').textContent()) ?? '';
  return Number(/(\d+) rounds?\./.exec(words)?.[1] ?? 0);
}

test('the page shows the peer, a growing curve and adopted groups', async () => {
  const { page } = board;
  await shownState('Training');
  await page.getByText('Trading with 1 peer').first().waitFor();
  const { swarm } = await second.status();
  await page.getByRole('list', { name: 'Peers' }).getByTitle(new RegExp(swarm.publicKey)).waitFor();

  await eventually(async () => assert.ok((await roundsInWords()) >= 2));
  const before = await roundsInWords();
  await eventually(async () => assert.ok((await roundsInWords()) >= before + 2, 'the curve grows'));

  const status = await untilStatus(first, (now) => now.swarm.groupsAdopted > 0, 'a group of the peer was adopted');
  assert.ok(status.swarm.groupsShared > 0);
  const adopted = page.getByText('Groups adopted', { exact: true }).locator('..');
  await eventually(async () => assert.match((await adopted.textContent()) ?? '', /adopted\D*[1-9]/));
  await chart().getByText('Adopted from peers').waitFor();
});

test('the table beside the curve holds the numbers of the node', async () => {
  await chart().getByRole('button', { name: 'Show as table' }).click();
  const rows = chart().getByRole('table').locator('tbody tr');
  /** Own reward as written, by round; newest first, and of a long history not every round. */
  const written = async (): Promise<[round: number, share: string][]> =>
    (await rows.allInnerTexts()).map((text) => {
      const [round, share] = text.split('\t');
      return [Number(round!.replaceAll(',', '')), share!.replaceAll(/\s/g, ' ').trim()];
    });
  const shown = await written();
  assert.ok(shown.length > 1);
  const recorded = await first.client.invoke('rounds', { sinceRound: 0, limit: 2000 });
  const expected = new Map(recorded.map(({ round, metrics }) => [round, metrics['ownReward']!]));
  for (const [round, share] of shown) {
    const percent = expected.get(round)! * 100;
    // Small shares are written more exactly.
    assert.equal(share, `${percent.toFixed(percent > 0 && percent < 10 ? 1 : 0)} %`, `round ${round}`);
  }
  await eventually(async () => assert.ok((await written())[0]![0] > shown[0]![0], 'a later round joins'));
  await chart().getByRole('button', { name: 'Show as chart' }).click();
});

test('what the peer wrote is marked as its own, and both are on the leaderboard', async () => {
  const { page } = board;
  const [own, peer] = [(await first.status()).swarm.publicKey, (await second.status()).swarm.publicKey];
  await board.show('Rollouts');
  await page.getByRole('radio', { name: 'Peers', exact: true }).click();
  const cards = page.getByRole('list', { name: /Rollouts/ }).getByRole('article');
  await cards.first().waitFor();
  await eventually(async () => {
    const texts = await cards.allTextContents();
    assert.ok(texts.length > 0);
    for (const text of texts) {
      assert.match(text, /Written by the peer/);
      assert.doesNotMatch(text, /This node/);
    }
  });
  const fromPeers = await first.client.invoke('rollouts', { limit: 50, beforeId: null, origin: 'peers' });
  assert.deepEqual([...new Set(fromPeers.map(({ origin }) => origin))], [peer]);

  await board.show('Leaderboard');
  const rows = page.getByRole('region', { name: 'Leaderboard table' }).locator('tbody tr');
  await eventually(async () => assert.equal(await rows.count(), 2));
  await page.locator('tr[data-own=true]').getByText('first').waitFor();
  const listed = await first.client.invoke('leaderboard', null);
  assert.deepEqual(new Set(listed.map((row) => row.peer)), new Set([own, peer]));
  const ofPeer = listed.find((row) => row.peer === peer)!;
  assert.ok(ofPeer.groupsVerified > 0 && ofPeer.groupsAdopted > 0, JSON.stringify(ofPeer));
});

test('pause on the page stops at once, resume goes on, finish ends the round first', async () => {
  await untilStatus(first, ({ stage }) => stage === 'generate', 'a round is being generated');
  const steps = await first.client.invoke('rounds', { sinceRound: 0, limit: 2000 });
  // One step of the compute process is at most a round's training.
  const longestStepMs = Math.max(...steps.map(({ metrics }) => (metrics['trainSeconds'] ?? 0) * 1000));
  const pid = await computePidOf(first);
  let heardAt = 0;
  const stopListening = [
    first.client.subscribe('progress', () => (heardAt = Date.now())),
    first.client.subscribe('round', () => (heardAt = Date.now())),
  ];
  await press('Pause');
  await shownState('Paused');
  const pausedAt = (await first.status()).state.sinceMs;
  await sleep(1000 + longestStepMs);
  const [tokens, ticks] = [(await first.status()).tokensTotal, await processorTicks(pid)];
  await sleep(2000);
  const still = await first.status();
  assert.ok(
    heardAt <= pausedAt + 1000 + longestStepMs,
    `something was reported ${heardAt - pausedAt} ms after the pause`,
  );
  assert.deepEqual([still.state.name, still.state.reason, still.tokensTotal], ['paused', { kind: 'user' }, tokens]);
  if (ticks !== null)
    assert.ok((await processorTicks(pid))! - ticks <= 5, 'the compute process uses no processor time');
  assert.equal(await computePidOf(first), pid);
  stopListening.forEach((stop) => stop());
  await board.page.getByTestId('state-text').getByText('Paused by you').waitFor();

  await press('Resume');
  await shownState('Training');
  await untilStatus(first, ({ round }) => round >= still.round + 2, 'two more rounds after resuming');

  await untilStatus(first, ({ stage }) => stage === 'generate', 'a round is being generated');
  await press('Finish round');
  await shownState('Paused');
  const { round } = await untilStatus(first, ({ state }) => state.name === 'paused', 'paused after the round');
  const rows = await first.client.invoke('rounds', { sinceRound: round, limit: 10 });
  assert.deepEqual([rows.length, rows.at(-1)?.round], [1, round], 'the round that was finished is the last recorded');
  await press('Resume');
  await shownState('Training');
});

test('the command line asks and steers the same node', async () => {
  const data = `--data=${first.dataDirectory}`;
  const shown = await runCommand('status', '--json', data);
  assert.equal(shown.code, 0, shown.stderr);
  const status = JSON.parse(shown.stdout) as NodeStatus;
  assert.deepEqual([status.state.name, status.state.reason, status.provider?.name], ['training', null, 'cpu']);
  assert.equal(status.policy?.name, 'waggle-starter');
  assert.ok(status.round > 0 && status.meanReward !== null && status.meanReward >= 0 && status.meanReward <= 1);
  assert.ok(status.tokensPerSecond.generate! > 0 && status.tokensPerSecond.train! > 0);
  const { peers, groupsShared, groupsAdopted, rejected } = status.swarm;
  assert.ok(peers === 1 && groupsShared > 0 && groupsAdopted > 0, shown.stdout);
  assert.deepEqual(
    Object.values(rejected).filter((count) => count > 0),
    [],
    'an honest peer is not turned away',
  );
  assert.ok(status.uptimeMs > 0);
  assert.deepEqual(status.memory.map(({ process: kind }) => kind).sort(), ['compute', 'node']);
  for (const { rssBytes } of status.memory) assert.ok(rssBytes > 1e6 && rssBytes < 2e9, `${rssBytes} bytes`);

  const paused = await runCommand('pause', '--json', data);
  assert.equal((JSON.parse(paused.stdout) as NodeStatus['state']).name, 'paused', paused.stderr);
  await shownState('Paused');
  assert.match((await runCommand('status', data)).stdout, /paused: Paused by you/);
  assert.match((await runCommand('resume', data)).stdout, /^training/);
  await shownState('Training');
  await runCommand('finish', data);
  await untilStatus(first, ({ state }) => state.name === 'paused', 'finish has paused the node');
  await runCommand('resume', data);
  const logs = await runCommand('logs', '--json', data);
  const lines = logs.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { source: string; message: string });
  assert.ok(lines.some(({ source, message }) => source === 'engine' && message.startsWith('Policy waggle-starter')));
  const token = new URL(first.url).searchParams.get('token')!;
  assert.ok(!logs.stdout.includes(token), 'the log does not hold the token');
  await shownState('Training');
});

test('a killed compute process is said in words and comes back', async () => {
  const pid = await computePidOf(first);
  const { round, policy } = await first.status();
  process.kill(pid, 'SIGKILL');
  await board.page.getByText('The compute process ended and is being restarted').waitFor();
  await board.page.getByText('signal SIGKILL', { exact: false }).first().waitFor();
  const back = await untilStatus(first, (now) => isTraining(now) && now.round > round, 'it trains on');
  assert.equal(back.computeRestarts, 1);
  assert.ok(back.policy!.version > policy!.version, 'the policy goes on where it was');
  assert.notEqual(await computePidOf(first), pid);
  await shownState('Training');
});

test('alone after the peer was killed; it comes back with what it had', async () => {
  const compute = await computePidOf(second);
  const { round: lastSeen, swarm } = await second.status();
  second.signal('SIGKILL');
  assert.equal((await within(10_000, second.ended, () => 'it did not end')).signal, 'SIGKILL');
  await until(
    () => !isAlive(compute),
    10_000,
    () => 'The compute process outlived its node',
  );

  const alone = await untilStatus(first, (now) => now.swarm.peers === 0, 'the first knows that it is alone', 40_000);
  assert.equal(alone.swarm.presence, 'alone');
  await board.page.getByText('Training alone: no other node found yet').first().waitFor();
  await untilStatus(first, ({ round }) => round >= alone.round + 2, 'the first trains on');

  second = await startNode({ bootstrap, dataDirectory: second.dataDirectory });
  // Until the redo log has been worked off, the round is that of the checkpoint.
  const again = await untilStatus(second, (now) => isTraining(now) && now.round > 0, 'the second has its rounds again');
  assert.ok(again.round >= lastSeen, `${again.round} after ${lastSeen}: at most the round in progress may be lost`);
  assert.equal(again.swarm.publicKey, swarm.publicKey);
  await board.page.getByText('Trading with 1 peer').first().waitFor();
});

test('Ctrl-C ends a node in order and leaves no process', async () => {
  const compute = await computePidOf(first);
  const { round } = await first.status();
  first.signal('SIGINT');
  const ended = await within(15_000, first.ended, () => `it did not end:\n${first.stderr().slice(-1000)}`);
  assert.deepEqual(ended, { code: 0, signal: null }, first.stderr().slice(-1000));
  await until(
    () => !isAlive(compute),
    10_000,
    () => 'The compute process outlived its node',
  );
  assert.ok(!existsSync(join(first.dataDirectory, 'runtime.json')));
  await board.page.getByText('Last known').waitFor();
  const gone = await runCommand('status', `--data=${first.dataDirectory}`);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /No node is running/);
  assert.ok(round > 0);
  assert.deepEqual(board.errors, []);
});
