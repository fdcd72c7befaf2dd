import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunStateName } from '../../../src-main/engine/api.ts';
import { oneLine, trayView } from '../../../src-main/electron/tray-menu.ts';
import type { NodeLink, TrayAction, TrayView } from '../../../src-main/electron/tray-menu.ts';
import { statusOf } from './fakes.ts';

function up(name: RunStateName, text: string): NodeLink {
  return { kind: 'up', status: statusOf(name, text) };
}
function texts(view: TrayView): string[] {
  return view.items.flatMap((item) => (item.kind === 'text' ? [item.label] : []));
}
function enabled(view: TrayView): TrayAction[] {
  return view.items.flatMap((item) => (item.kind === 'action' && item.enabled ? [item.action] : []));
}

const always: TrayAction[] = ['open', 'leaderboard', 'quit'];
const table: { state: RunStateName; text: string; line: string; look: string; commands: TrayAction[] }[] = [
  {
    state: 'starting',
    text: 'Loading the policy',
    line: 'Starting: Loading the policy',
    look: 'idle',
    commands: ['pause'],
  },
  { state: 'training', text: 'Training', line: 'Training', look: 'active', commands: ['pause', 'finish'] },
  {
    state: 'finishing',
    text: 'Finishing the round, then pausing',
    line: 'Finishing the round, then pausing',
    look: 'active',
    commands: ['pause', 'resume'],
  },
  { state: 'paused', text: 'Paused by you', line: 'Paused by you', look: 'idle', commands: ['resume'] },
  {
    state: 'waiting',
    text: 'The disk is full',
    line: 'Waiting: The disk is full',
    look: 'idle',
    commands: ['pause', 'resume'],
  },
  {
    state: 'error',
    text: 'The checkpoint cannot be read',
    line: 'Stopped by an error: The checkpoint cannot be read',
    look: 'trouble',
    commands: ['resume'],
  },
  { state: 'stopped', text: '', line: 'Stopped', look: 'idle', commands: [] },
];

for (const row of table) {
  test(`the tray of a node that is ${row.state} says so and offers what would do something`, () => {
    const view = trayView(up(row.state, row.text));
    assert.equal(texts(view)[0], row.line);
    assert.equal(view.look, row.look);
    assert.equal(view.tooltip, `Waggle. ${row.line}`);
    assert.deepEqual(enabled(view), [...row.commands, ...always]);
  });
}

test('the figures of the node stand below its state', () => {
  const view = trayView(up('training', 'Training'));
  assert.deepEqual(texts(view).slice(1), ['Round 41, mean reward 0.52, 3 peers', '12 groups shared, 5 adopted']);
});

test('a node without rewards and with one peer is described without inventing figures', () => {
  const status = statusOf('training', 'Training');
  status.meanReward = null;
  status.swarm.peers = 1;
  assert.equal(texts(trayView({ kind: 'up', status }))[1], 'Round 41, 1 peer');
});

test('without a node the menu says why, and offers nothing that needs one', () => {
  assert.deepEqual(texts(trayView({ kind: 'starting' })), ['Starting the node']);
  const restarting = trayView({ kind: 'restarting', attempt: 3, retryInMs: 3600 });
  assert.deepEqual(texts(restarting), ['The node process ended; starting it again in 4 s (attempt 3)']);
  const failed = trayView({ kind: 'failed', message: 'The data folder is in use.' });
  assert.deepEqual(texts(failed), ['The node cannot start: The data folder is in use.']);
  for (const view of [restarting, failed]) {
    assert.equal(view.look, 'trouble');
    assert.deepEqual(enabled(view), always);
  }
});

test('hostile text becomes one bounded line and cannot mark a mnemonic', () => {
  const view = trayView(up('waiting', `A&B\r\n\u0007\u202Eevil ${'x'.repeat(500)}`));
  const line = texts(view)[0]!;
  assert.match(line, /^Waiting: A&&B evil x+…$/);
  assert.ok(line.length <= 98);
  assert.ok(view.tooltip.length <= 127);
  assert.equal(oneLine('  a\n b\t', 10), 'a b');
  assert.equal(oneLine('abcdef', 4), 'abc…');
});
