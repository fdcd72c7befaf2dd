/**
 * What a node is doing and why, as one table: state x event -> state. Pure; the engine acts on the result and knows how.
 * Beside the state that people see it tracks whether the compute process is up, because resuming means `training` with one and
 * `starting` without. Rule for the engine: in `starting`, bring compute up now; in `waiting` for it, when the back-off is over.
 *
 * Invariants: `stopped` is final. `reason` is null in `starting` and `training` and nowhere else. A node that its owner paused
 * (or told to finish) does not train again until `resume`. A reason to wait that has gone away resumes by itself.
 */
import type { NodeRole, RunState, RunStateName, WaitReason } from '../api.ts';

export type RunEvent =
  | { type: 'pause' }
  | { type: 'resume' }
  /** End the round in progress, then pause. */
  | { type: 'finish' }
  | { type: 'close' }
  | { type: 'roundEnded' }
  | { type: 'roundsDone'; rounds: number }
  /** The compute process has the policy and can work. */
  | { type: 'computeReady' }
  /** It ended by itself and will be tried again. */
  | { type: 'computeDied'; attempt: number; retryInMs: number; detail: string }
  /** The engine ended it on purpose, for example to free VRAM while paused. */
  | { type: 'computeStopped' }
  /** Of peers' groups, where they are all that is trained on; `groupsArrived` when there are enough. */
  | { type: 'tooFewGroups'; have: number; wanted: number }
  | { type: 'groupsArrived' }
  | { type: 'diskFull'; path: string; freeBytes: number }
  | { type: 'diskFreed' }
  /** Nothing that heals by itself: people have to read it. */
  | { type: 'fault'; code: string; message: string; fix: string };
export type RunEventType = RunEvent['type'];

export interface RunMachine {
  name: RunStateName;
  reason: WaitReason | null;
  compute: 'up' | 'down';
}

type Step<T extends RunEventType> = (from: RunMachine, event: Extract<RunEvent, { type: T }>) => RunMachine;
type Row = { [T in RunEventType]: Step<T> };

const user: WaitReason = { kind: 'user' };
const stay = (from: RunMachine): RunMachine => from;
const to =
  (name: RunStateName, reason: WaitReason | null) =>
  (from: RunMachine): RunMachine => ({ ...from, name, reason });
const proceed = (from: RunMachine): RunMachine => to(from.compute === 'up' ? 'training' : 'starting', null)(from);
const pauseNow = to('paused', user);
const stop = to('stopped', { kind: 'shuttingDown' });
const computeUp = (from: RunMachine): RunMachine => ({ ...from, compute: 'up' });
const computeDown = (from: RunMachine): RunMachine => ({ ...from, compute: 'down' });
const whenWaitingFor =
  (
    kind: WaitReason['kind'],
    then: (from: RunMachine) => RunMachine,
    otherwise: (from: RunMachine) => RunMachine = stay,
  ) =>
  (from: RunMachine): RunMachine =>
    from.reason?.kind === kind ? then(from) : otherwise(from);

const awaitCompute: Step<'computeDied'> = (from, { attempt, retryInMs, detail }) =>
  to('waiting', { kind: 'computeRestarting', attempt, retryInMs, detail })(computeDown(from));
const awaitGroups: Step<'tooFewGroups'> = (from, { have, wanted }) =>
  to('waiting', { kind: 'tooFewGroups', have, wanted })(from);
const awaitDisk =
  (name: RunStateName): Step<'diskFull'> =>
  (from, { path, freeBytes }) =>
    to(name, { kind: 'diskFull', path, freeBytes })(from);
const fail: Step<'fault'> = (from, { code, message, fix }) => to('error', { kind: 'fault', code, message, fix })(from);
const restart = (from: RunMachine): RunMachine => proceed(computeDown(from));

/** What most states do with an event; each row below overrides where it differs. */
const common: Row = {
  pause: pauseNow,
  resume: stay,
  finish: pauseNow,
  close: stop,
  roundEnded: stay,
  roundsDone: stay,
  computeReady: computeUp,
  computeDied: computeDown,
  computeStopped: computeDown,
  tooFewGroups: stay,
  groupsArrived: stay,
  diskFull: awaitDisk('waiting'),
  diskFreed: stay,
  fault: fail,
};

export const runTable: Record<RunStateName, Row> = {
  starting: { ...common, computeReady: (from) => proceed(computeUp(from)), computeDied: awaitCompute },
  training: {
    ...common,
    finish: to('finishing', user),
    roundsDone: (from, { rounds }) => to('waiting', { kind: 'roundsDone', rounds })(from),
    computeDied: awaitCompute,
    computeStopped: restart,
    tooFewGroups: awaitGroups,
  },
  // The round is lost when compute ends or the disk is full; the wish to pause is not.
  finishing: {
    ...common,
    finish: stay,
    resume: proceed,
    roundEnded: pauseNow,
    roundsDone: pauseNow,
    tooFewGroups: pauseNow,
    computeDied: (from) => pauseNow(computeDown(from)),
    computeStopped: (from) => pauseNow(computeDown(from)),
    diskFull: awaitDisk('paused'),
  },
  paused: {
    ...common,
    pause: stay,
    finish: stay,
    resume: proceed,
    diskFull: awaitDisk('paused'),
    diskFreed: whenWaitingFor('diskFull', pauseNow),
  },
  waiting: {
    ...common,
    resume: proceed,
    computeReady: (from) => whenWaitingFor('computeRestarting', proceed)(computeUp(from)),
    computeDied: (from, event) =>
      whenWaitingFor('computeRestarting', (waiting) => awaitCompute(waiting, event), computeDown)(from),
    diskFreed: whenWaitingFor('diskFull', proceed),
    tooFewGroups: (from, event) => whenWaitingFor('tooFewGroups', (waiting) => awaitGroups(waiting, event))(from),
    groupsArrived: whenWaitingFor('tooFewGroups', proceed),
  },
  // The fault stays in view until somebody resumes or ends the node.
  error: { ...common, pause: stay, finish: stay, resume: proceed, diskFull: stay },
  stopped: {
    pause: stay,
    resume: stay,
    finish: stay,
    close: stay,
    roundEnded: stay,
    roundsDone: stay,
    computeReady: computeUp,
    computeDied: computeDown,
    computeStopped: computeDown,
    tooFewGroups: stay,
    groupsArrived: stay,
    diskFull: stay,
    diskFreed: stay,
    fault: stay,
  },
};

type Standing = Pick<RunState, 'name' | 'reason'>;

export const isTraining = ({ name }: Standing): boolean => name === 'training' || name === 'finishing';
/** Whether the compute process may compute: training, and doing logged rounds again. */
export const isComputing = (standing: Standing): boolean =>
  isTraining(standing) || standing.name === 'starting' || standing.reason?.kind === 'computeRestarting';

export const initialRunMachine: RunMachine = { name: 'starting', reason: null, compute: 'down' };

export function nextRunMachine(from: RunMachine, event: RunEvent): RunMachine {
  // The row is typed per event; indexing by a union loses the link between event and step.
  return (runTable[from.name][event.type] as (from: RunMachine, event: RunEvent) => RunMachine)(from, event);
}

const stateTexts: Record<RunStateName, string> = {
  starting: 'Starting: the policy is being loaded',
  training: 'Training',
  finishing: 'Finishing the round, then pausing',
  paused: 'Paused',
  waiting: 'Waiting',
  error: 'Stopped by an error',
  stopped: 'Stopped',
};

/** State training, in which half the nodes there can be do something else. */
const roleTexts: Record<NodeRole, string> = {
  both: stateTexts.training,
  generates: 'Generating for peers: this node trains nothing, its policy stays as it is',
  trains: "Training on peers' groups alone",
};

const reasonTexts: { [K in WaitReason['kind']]: (reason: Extract<WaitReason, { kind: K }>) => string } = {
  user: () => 'Paused by you',
  roundsDone: ({ rounds }) => `All ${rounds} rounds are done`,
  computeRestarting: ({ attempt, retryInMs, detail }) =>
    `The compute process ended (${detail}); attempt ${attempt} to restart it ${retryInMs < 1000 ? 'now' : `in ${Math.round(retryInMs / 1000)} s`}`,
  diskFull: ({ path, freeBytes }) => `The disk is full: ${(freeBytes / 1024 / 1024).toFixed(0)} MB free at ${path}`,
  tooFewGroups: ({ have, wanted }) =>
    `Waiting for peers' groups to train on: ${have} of the ${wanted} that a round begins with`,
  shuttingDown: () => 'Shutting down',
  fault: ({ message, fix }) => `${message} ${fix}`,
};

/** One plain sentence without a full stop of its own, for window, tray and CLI. */
export function runStateText({ name, reason }: Pick<RunMachine, 'name' | 'reason'>, role: NodeRole = 'both'): string {
  if (name === 'training') return roleTexts[role];
  if (reason === null || name === 'finishing') return stateTexts[name];
  return (reasonTexts[reason.kind] as (reason: WaitReason) => string)(reason);
}

export interface RunStateHolder {
  current(): RunState;
  machine(): RunMachine;
  /** Applies the event and returns what holds now; listeners hear of it only when something visible changed. */
  dispatch(event: RunEvent): RunState;
}

/** `onChange` gets the state left and the one entered; it may dispatch again. */
export function createRunState(options: {
  now: () => number;
  role?: NodeRole;
  onChange: (state: RunState, before: RunState) => void;
}): RunStateHolder {
  let machine = initialRunMachine;
  let sinceMs = options.now();
  const current = (): RunState => ({
    name: machine.name,
    reason: machine.reason,
    text: runStateText(machine, options.role),
    sinceMs,
  });
  return {
    current,
    machine: () => machine,
    dispatch: (event) => {
      const before = current();
      const next = nextRunMachine(machine, event);
      if (next.name !== machine.name) sinceMs = options.now();
      machine = next;
      const after = current();
      if (after.name !== before.name || after.text !== before.text) options.onChange(after, before);
      return after;
    },
  };
}
