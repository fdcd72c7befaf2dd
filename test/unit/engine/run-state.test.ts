import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createRunState,
  initialRunMachine,
  nextRunMachine,
  runStateText,
  runTable,
  type RunEvent,
  type RunEventType,
  type RunMachine,
} from '../../../src-main/engine/run/run-state.ts';

const events: { [T in RunEventType]: Extract<RunEvent, { type: T }> } = {
  pause: { type: 'pause' },
  resume: { type: 'resume' },
  finish: { type: 'finish' },
  close: { type: 'close' },
  roundEnded: { type: 'roundEnded' },
  roundsDone: { type: 'roundsDone', rounds: 3 },
  computeReady: { type: 'computeReady' },
  computeDied: { type: 'computeDied', attempt: 2, retryInMs: 4000, detail: 'signal SIGKILL' },
  computeStopped: { type: 'computeStopped' },
  tooFewGroups: { type: 'tooFewGroups', have: 1, wanted: 4 },
  groupsArrived: { type: 'groupsArrived' },
  diskFull: { type: 'diskFull', path: '/d', freeBytes: 7 },
  diskFreed: { type: 'diskFreed' },
  fault: { type: 'fault', code: 'checkpointCorrupt', message: 'The checkpoint is damaged.', fix: 'Restore it.' },
};

/** `name`, then the reason in brackets, then + when compute is up. */
function show({ name, reason, compute }: RunMachine): string {
  return `${name}${reason === null ? '' : `(${reason.kind})`}${compute === 'up' ? '+' : ''}`;
}

function machine(shown: string): RunMachine {
  const [, name, kind, up] = /^(\w+)(?:\((\w+)\))?(\+?)$/.exec(shown)!;
  const reasons = {
    user: { kind: 'user' },
    roundsDone: { kind: 'roundsDone', rounds: 9 },
    computeRestarting: { kind: 'computeRestarting', attempt: 1, retryInMs: 0, detail: 'x' },
    diskFull: { kind: 'diskFull', path: '/p', freeBytes: 0 },
    tooFewGroups: { kind: 'tooFewGroups', have: 0, wanted: 4 },
    shuttingDown: { kind: 'shuttingDown' },
    fault: { kind: 'fault', code: 'c', message: 'm', fix: 'f' },
  } as const;
  return {
    name: name as RunMachine['name'],
    reason: kind === undefined ? null : reasons[kind as keyof typeof reasons],
    compute: up === '+' ? 'up' : 'down',
  };
}

/** Every state a node can be in, and where each event takes it; `=` is "stays as it is". Written by hand from the rules. */
const columns: RunEventType[] = [
  'pause',
  'resume',
  'finish',
  'close',
  'roundEnded',
  'roundsDone',
  'computeReady',
  'computeDied',
  'computeStopped',
  'tooFewGroups',
  'groupsArrived',
  'diskFull',
  'diskFreed',
  'fault',
];
const P = 'paused(user)';
const S = 'stopped(shuttingDown)';
const C = 'waiting(computeRestarting)';
const D = 'waiting(diskFull)';
const R = 'waiting(roundsDone)';
const G = 'waiting(tooFewGroups)';
const PD = 'paused(diskFull)';
const E = 'error(fault)';
const expected: Record<string, string[]> = {
  //                  pause    resume       finish              close    roundEnded roundsDone computeReady computeDied computeStopped tooFewGroups groupsArrived diskFull  diskFreed    fault
  starting: [P, '=', P, S, '=', '=', 'training+', C, '=', '=', '=', D, '=', E],
  'training+': [
    `${P}+`,
    '=',
    'finishing(user)+',
    `${S}+`,
    '=',
    `${R}+`,
    '=',
    C,
    'starting',
    `${G}+`,
    '=',
    `${D}+`,
    '=',
    `${E}+`,
  ],
  'finishing(user)+': [
    `${P}+`,
    'training+',
    '=',
    `${S}+`,
    `${P}+`,
    `${P}+`,
    '=',
    P,
    P,
    `${P}+`,
    '=',
    `${PD}+`,
    '=',
    `${E}+`,
  ],
  [P]: ['=', 'starting', '=', S, '=', '=', `${P}+`, '=', '=', '=', '=', PD, '=', E],
  [`${P}+`]: ['=', 'training+', '=', `${S}+`, '=', '=', '=', P, P, '=', '=', `${PD}+`, '=', `${E}+`],
  [PD]: ['=', 'starting', '=', S, '=', '=', `${PD}+`, '=', '=', '=', '=', '=', P, E],
  [`${PD}+`]: ['=', 'training+', '=', `${S}+`, '=', '=', '=', PD, PD, '=', '=', '=', `${P}+`, `${E}+`],
  [C]: [P, 'starting', P, S, '=', '=', 'training+', '=', '=', '=', '=', D, '=', E],
  [D]: [P, 'starting', P, S, '=', '=', `${D}+`, '=', '=', '=', '=', '=', 'starting', E],
  [`${D}+`]: [`${P}+`, 'training+', `${P}+`, `${S}+`, '=', '=', '=', D, D, '=', '=', '=', 'training+', `${E}+`],
  [R]: [P, 'starting', P, S, '=', '=', `${R}+`, '=', '=', '=', '=', D, '=', E],
  [`${R}+`]: [`${P}+`, 'training+', `${P}+`, `${S}+`, '=', '=', '=', R, R, '=', '=', `${D}+`, '=', `${E}+`],
  [G]: [P, 'starting', P, S, '=', '=', `${G}+`, '=', '=', '=', 'starting', D, '=', E],
  [`${G}+`]: [`${P}+`, 'training+', `${P}+`, `${S}+`, '=', '=', '=', G, G, '=', 'training+', `${D}+`, '=', `${E}+`],
  [E]: ['=', 'starting', '=', S, '=', '=', `${E}+`, '=', '=', '=', '=', '=', '=', '='],
  [`${E}+`]: ['=', 'training+', '=', `${S}+`, '=', '=', '=', E, E, '=', '=', '=', '=', '='],
  [S]: ['=', '=', '=', '=', '=', '=', `${S}+`, '=', '=', '=', '=', '=', '=', '='],
  [`${S}+`]: ['=', '=', '=', '=', '=', '=', '=', S, S, '=', '=', '=', '=', '='],
};

for (const [from, row] of Object.entries(expected)) {
  test(`from ${from}`, () => {
    assert.equal(row.length, columns.length);
    assert.deepEqual(columns.toSorted(), Object.keys(events).toSorted());
    for (const [index, type] of columns.entries()) {
      const next = nextRunMachine(machine(from), events[type]);
      assert.equal(show(next), row[index] === '=' ? from : row[index], `${from} on ${type}`);
    }
  });
}

test('the table above names every state that any sequence of events can reach', () => {
  const seen = new Set<string>([show(initialRunMachine)]);
  const queue = [initialRunMachine];
  for (let from = queue.pop(); from !== undefined; from = queue.pop()) {
    for (const event of Object.values(events)) {
      const next = nextRunMachine(from, event);
      if (seen.has(show(next))) continue;
      seen.add(show(next));
      queue.push(next);
    }
  }
  assert.deepEqual([...seen].toSorted(), Object.keys(expected).toSorted());
  assert.deepEqual(
    Object.keys(runTable).toSorted(),
    [...new Set([...seen].map((state) => state.replace(/[(+].*$/, '')))].toSorted(),
  );
});

test('reasons carry the facts of the event', () => {
  const training = machine('training+');
  assert.deepEqual(nextRunMachine(training, events.computeDied).reason, {
    kind: 'computeRestarting',
    attempt: 2,
    retryInMs: 4000,
    detail: 'signal SIGKILL',
  });
  assert.deepEqual(nextRunMachine(training, events.diskFull).reason, { kind: 'diskFull', path: '/d', freeBytes: 7 });
  assert.deepEqual(nextRunMachine(training, events.roundsDone).reason, { kind: 'roundsDone', rounds: 3 });
  assert.deepEqual(nextRunMachine(training, events.fault).reason, {
    kind: 'fault',
    code: 'checkpointCorrupt',
    message: 'The checkpoint is damaged.',
    fix: 'Restore it.',
  });
});

test('whatever happens: stopped is final, reasons are null only while starting or training, an owner’s pause holds until resume', () => {
  const anyEvent = fc.constantFrom(...Object.values(events));
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 40 }), (sequence) => {
      let state = initialRunMachine;
      let asked = false;
      let closed = false;
      for (const event of sequence) {
        state = nextRunMachine(state, event);
        if (event.type === 'pause' && state.name === 'paused') asked = true;
        if (event.type === 'resume') asked = false;
        if (event.type === 'close') closed = true;
        assert.equal(state.reason === null, state.name === 'starting' || state.name === 'training');
        if (asked) assert.notEqual(state.name, 'training');
        if (closed) assert.equal(state.name, 'stopped');
        if (state.name === 'training' || state.name === 'finishing') assert.equal(state.compute, 'up');
        assert.ok(runStateText(state).length > 0);
      }
    }),
    { numRuns: 2000 },
  );
});

test('the sentences', () => {
  assert.equal(runStateText(machine('paused(user)')), 'Paused by you');
  assert.equal(runStateText(machine('finishing(user)+')), 'Finishing the round, then pausing');
  assert.equal(
    runStateText(nextRunMachine(machine('training+'), events.computeDied)),
    'The compute process ended (signal SIGKILL); attempt 2 to restart it in 4 s',
  );
  assert.equal(
    runStateText(nextRunMachine(machine('training+'), events.diskFull)),
    'The disk is full: 0 MB free at /d',
  );
  assert.equal(
    runStateText(nextRunMachine(machine('training+'), events.fault)),
    'The checkpoint is damaged. Restore it.',
  );
  assert.equal(runStateText(nextRunMachine(machine('training+'), events.roundsDone)), 'All 3 rounds are done');
  assert.equal(
    runStateText(nextRunMachine(machine('training+'), events.tooFewGroups), 'trains'),
    "Waiting for peers' groups to train on: 1 of the 4 that a round begins with",
  );
  assert.match(runStateText(machine('training+'), 'generates'), /^Generating for peers: this node trains nothing/);
  assert.equal(runStateText(machine('training+'), 'trains'), "Training on peers' groups alone");
  assert.equal(runStateText(machine('paused(user)+'), 'generates'), 'Paused by you');
});

test('the holder tells of visible changes only, and of the time since when', () => {
  let now = 10;
  const heard: string[] = [];
  const holder = createRunState({
    now: () => now,
    onChange: (state, before) => heard.push(`${before.name}>${state.name}`),
  });
  now = 20;
  assert.equal(holder.dispatch(events.computeReady).sinceMs, 20);
  now = 30;
  holder.dispatch(events.roundEnded);
  assert.equal(holder.current().sinceMs, 20);
  holder.dispatch(events.computeDied);
  now = 40;
  holder.dispatch({ ...events.computeDied, attempt: 3 });
  assert.equal(holder.current().sinceMs, 30);
  assert.deepEqual(heard, ['starting>training', 'training>waiting', 'waiting>waiting']);
  assert.equal(holder.machine().compute, 'down');
});
