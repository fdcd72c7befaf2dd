/**
 * What the tray says, as a pure function of what the node last reported. The state stands in the menu text, because a
 * tray icon can be stale on GNOME and is unreadable to a screen reader. Knows no Electron; `tray.ts` paints the result.
 * Invariants: state and reason are always the first line; an item is enabled only when its command would do something.
 */
import type { NodeStatus, RunStateName } from '../engine/api.ts';

export type TrayAction = 'open' | 'leaderboard' | 'pause' | 'resume' | 'finish' | 'quit';
export type TrayLook = 'active' | 'idle' | 'trouble';

/** What is known of the node: its status, or why there is none. */
export type NodeLink =
  | { kind: 'up'; status: NodeStatus }
  | { kind: 'starting' }
  | { kind: 'restarting'; attempt: number; retryInMs: number }
  | { kind: 'failed'; message: string };

export type TrayItem =
  | { kind: 'separator' }
  | { kind: 'text'; label: string }
  | { kind: 'action'; label: string; action: TrayAction; enabled: boolean };

export interface TrayView {
  tooltip: string;
  look: TrayLook;
  items: TrayItem[];
}

interface StateRow {
  label: string;
  look: TrayLook;
  /** Commands that make sense now. */
  commands: readonly TrayAction[];
}

const states: Readonly<Record<RunStateName, StateRow>> = {
  starting: { label: 'Starting', look: 'idle', commands: ['pause'] },
  training: { label: 'Training', look: 'active', commands: ['pause', 'finish'] },
  finishing: { label: 'Finishing the round', look: 'active', commands: ['pause', 'resume'] },
  paused: { label: 'Paused', look: 'idle', commands: ['resume'] },
  waiting: { label: 'Waiting', look: 'idle', commands: ['pause', 'resume'] },
  error: { label: 'Stopped by an error', look: 'trouble', commands: ['resume'] },
  stopped: { label: 'Stopped', look: 'idle', commands: [] },
};

const maxLineLength = 96;
/** Windows cuts tooltips at 127 characters. */
const maxTooltipLength = 127;

/** One line of plain text: no control characters, bounded. */
export function oneLine(text: string, maxLength: number): string {
  const flat = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return flat.length <= maxLength ? flat : `${flat.slice(0, maxLength - 1).trimEnd()}…`;
}

/** A menu takes `&` as the mark of a mnemonic. */
function menuText(text: string): string {
  return oneLine(text, maxLineLength).replaceAll('&', '&&');
}

function stateLine(label: string, text: string): string {
  const reason = oneLine(text, maxLineLength);
  if (reason === '') return label;
  return reason.toLowerCase().startsWith(label.toLowerCase()) ? reason : `${label}: ${reason}`;
}

function describeWait(ms: number): string {
  return ms < 1000 ? 'at once' : `in ${String(Math.ceil(ms / 1000))} s`;
}

function figures(status: NodeStatus): string[] {
  const { swarm } = status;
  const parts = [`Round ${String(status.round)}`];
  if (status.meanReward !== null) parts.push(`mean reward ${status.meanReward.toFixed(2)}`);
  parts.push(swarm.peers === 1 ? '1 peer' : `${String(swarm.peers)} peers`);
  return [parts.join(', '), `${String(swarm.groupsShared)} groups shared, ${String(swarm.groupsAdopted)} adopted`];
}

/** State line, look, commands and figures for each kind of link. */
function describe(link: NodeLink): StateRow & { line: string; figures: string[] } {
  switch (link.kind) {
    case 'up': {
      const row = states[link.status.state.name];
      const { role, state } = link.status;
      const label = role === 'generates' && state.name === 'training' ? 'Generating' : row.label;
      return { ...row, line: stateLine(label, state.text), figures: figures(link.status) };
    }
    case 'starting':
      return { ...states.starting, commands: [], line: 'Starting the node', figures: [] };
    case 'restarting': {
      const line = `The node process ended; starting it again ${describeWait(link.retryInMs)} (attempt ${String(link.attempt)})`;
      return { ...states.error, commands: [], line, figures: [] };
    }
    case 'failed':
      return { ...states.error, commands: [], line: stateLine('The node cannot start', link.message), figures: [] };
  }
}

const commandLabels: readonly { action: TrayAction; label: string }[] = [
  { action: 'pause', label: 'Pause' },
  { action: 'resume', label: 'Resume' },
  { action: 'finish', label: 'Finish round, then pause' },
];

/** Menu and tooltip for what is known of the node. */
export function trayView(link: NodeLink): TrayView {
  const { line, look, commands, figures: lines } = describe(link);
  return {
    tooltip: oneLine(`Waggle. ${line}`, maxTooltipLength),
    look,
    items: [
      ...[line, ...lines].map((text): TrayItem => ({ kind: 'text', label: menuText(text) })),
      { kind: 'separator' },
      ...commandLabels.map(({ action, label }): TrayItem => {
        return { kind: 'action', label, action, enabled: commands.includes(action) };
      }),
      { kind: 'separator' },
      { kind: 'action', label: 'Open Waggle', action: 'open', enabled: true },
      { kind: 'action', label: 'Leaderboard', action: 'leaderboard', enabled: true },
      { kind: 'separator' },
      { kind: 'action', label: 'Quit', action: 'quit', enabled: true },
    ],
  };
}
