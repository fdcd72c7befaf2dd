/** One row for each run state and each reason to wait: what people read and which commands make sense. A missing row does not compile. */
import type { NodeRole, NodeStatus, RoundStage, RunStateName, WaitReason } from '../../src-main/engine/api.ts';
import type { Command } from '../state/node.svelte.ts';
import { formatBytes, plural } from '../ui/format.ts';
import type { Tone } from '../ui/tone.ts';

interface StateLooks {
  title: string;
  tone: Tone;
  commands: readonly Command[];
}

const stateLooks: Record<RunStateName, StateLooks> = {
  starting: { title: 'Starting', tone: 'info', commands: ['pause'] },
  training: { title: 'Training', tone: 'honey', commands: ['pause', 'finish'] },
  finishing: { title: 'Finishing the round', tone: 'honey', commands: ['pause', 'resume'] },
  paused: { title: 'Paused', tone: 'neutral', commands: ['resume'] },
  waiting: { title: 'Waiting', tone: 'info', commands: ['resume', 'pause'] },
  error: { title: 'Stopped by an error', tone: 'bad', commands: ['resume'] },
  stopped: { title: 'Stopped', tone: 'neutral', commands: [] },
};

/** A node that only generates is never said to train. */
export function looksOf({ role, state }: Pick<NodeStatus, 'role' | 'state'>): StateLooks {
  const looks = stateLooks[state.name];
  return role === 'generates' && state.name === 'training' ? { ...looks, title: 'Generating' } : looks;
}

export const commandLooks: Record<Command, { label: string; hint: string }> = {
  pause: { label: 'Pause', hint: 'Stops at once and frees the GPU. Nothing is lost but the round in progress.' },
  resume: { label: 'Resume', hint: 'Goes on from the last checkpoint.' },
  finish: { label: 'Finish round', hint: 'Ends the round in progress, then pauses.' },
};

export interface ReasonText {
  title: string;
  text: string;
  fix: string | null;
  tone: Tone;
}

type ReasonTable = { [K in WaitReason['kind']]: (reason: Extract<WaitReason, { kind: K }>) => ReasonText };

const reasonTexts: ReasonTable = {
  user: () => ({ title: 'Paused by you', text: 'The policy and all counters are saved.', fix: null, tone: 'neutral' }),
  roundsDone: ({ rounds }) => ({
    title: `All ${plural(rounds, 'round')} done`,
    text: 'The node was started to stop after this many rounds. The trained policy is saved.',
    fix: 'Press Resume to go on.',
    tone: 'good',
  }),
  computeRestarting: ({ attempt, detail }) => ({
    title: 'The compute process ended and is being restarted',
    text: `Attempt ${attempt}. ${detail}`,
    fix: 'Nothing: it goes on from the last checkpoint by itself. If it keeps ending, look at the log.',
    tone: 'honey',
  }),
  diskFull: ({ path, freeBytes }) => ({
    title: 'The disk is full',
    text: `Only ${formatBytes(freeBytes)} are free where the policy is saved: ${path}`,
    fix: 'Free some space there. The node goes on by itself.',
    tone: 'bad',
  }),
  tooFewGroups: ({ have, wanted }) => ({
    title: 'Waiting for peers’ groups',
    text: `This node only trains, on what peers share. ${have} of the ${wanted} groups that a round begins with are there.`,
    fix: 'Nothing: it goes on by itself as soon as there are enough. Without peers that generate there are none.',
    tone: 'info',
  }),
  shuttingDown: () => ({
    title: 'Shutting down',
    text: 'The node writes its last checkpoint and ends.',
    fix: null,
    tone: 'neutral',
  }),
  fault: ({ code, message, fix }) => ({ title: message, text: `Code: ${code}`, fix, tone: 'bad' }),
};

export function describeReason(reason: WaitReason): ReasonText {
  const describe = reasonTexts[reason.kind] as (reason: WaitReason) => ReasonText;
  return describe(reason);
}

/** The stages of a round in their order, with what happens in each. */
const stages: readonly {
  stage: Exclude<RoundStage, 'idle' | 'compare'>;
  label: string;
  doing: string;
  unit: string;
}[] = [
  { stage: 'generate', label: 'Answer', doing: 'The policy answers tasks', unit: 'tokens at most' },
  { stage: 'verify', label: 'Check', doing: 'The answers are checked', unit: 'groups' },
  { stage: 'share', label: 'Share', doing: 'Groups are offered to peers', unit: 'groups' },
  { stage: 'admit', label: 'Adopt', doing: 'Groups from peers are checked and adopted', unit: 'groups' },
  { stage: 'train', label: 'Train', doing: 'The policy learns from them', unit: 'tokens' },
  { stage: 'record', label: 'Save', doing: 'The round is recorded', unit: 'groups' },
];

const left: Record<NodeRole, readonly RoundStage[]> = {
  both: [],
  generates: ['admit', 'train'],
  trains: ['generate', 'verify', 'share'],
};

/** Those that the rounds of this node have. */
export function stagesOf(role: NodeRole): typeof stages {
  return stages.filter(({ stage }) => !left[role].includes(stage));
}
