/** Commands that talk to a running node: status, pause, resume, finish, quit, logs. Knows nothing of how the node is found. */
import { setTimeout as wait } from 'node:timers/promises';
import type { LogLevel, LogRow, RunState } from '../engine/api.ts';
import { faultOf, NodeFault } from '../engine/serve/faults.ts';
import type { FoundNode } from './find-node.ts';
import { renderState, renderStatus } from './status-view.ts';
import { harmless, paint, type Colour, type Terminal } from './terminal.ts';

export interface OutputOptions {
  json?: boolean;
}

export async function showStatus(
  { node, runtime }: FoundNode,
  options: OutputOptions,
  terminal: Terminal,
): Promise<void> {
  const status = await node.invoke('status', null);
  terminal.print(options.json === true ? JSON.stringify(status, null, 2) : renderStatus(terminal, status, runtime.url));
}

export async function changeState(
  call: 'pause' | 'resume' | 'finish',
  { node }: FoundNode,
  options: OutputOptions,
  terminal: Terminal,
): Promise<void> {
  const state: RunState = await node.invoke(call, null);
  terminal.print(options.json === true ? JSON.stringify(state, null, 2) : renderState(terminal, state));
}

const quitDeadlineMs = 30_000;

/** Ends when the node has: its checkpoint is written then. Throws `NodeFault` `stillRunning` when it takes too long. */
export async function quitNode(
  { node, runtime }: FoundNode,
  options: OutputOptions,
  terminal: Terminal,
  deadlineMs = quitDeadlineMs,
): Promise<void> {
  try {
    await node.invoke('quit', null);
  } catch (error) {
    if (faultOf(error)?.code !== 'connectionEnded') throw error; // it ended faster than it answered
  }
  const giveUp = new AbortController();
  const ended = await Promise.race([
    node.closed.then(() => true),
    wait(deadlineMs, false, { signal: giveUp.signal }).catch(() => false),
  ]);
  giveUp.abort();
  if (!ended) throw stillRunning(runtime.pid, deadlineMs);
  terminal.print(options.json === true ? JSON.stringify({ ended }) : 'The node has ended; its work is saved.');
}

function stillRunning(pid: number, deadlineMs: number): NodeFault {
  return new NodeFault({
    code: 'stillRunning',
    message: `The node was asked to end, but has not within ${deadlineMs / 1000} s.`,
    fix: `See what it is doing (waggle logs). Ending process ${pid} by force costs at most the round in progress.`,
  });
}

export interface LogsOptions extends OutputOptions {
  follow?: boolean;
  level: LogLevel;
  lines: number;
}

const levelRank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const levelColours: Readonly<Record<LogLevel, Colour>> = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' };

/** With `follow`, ends when the node does or `interrupted` fires. */
export async function showLogs(
  { node }: FoundNode,
  options: LogsOptions,
  terminal: Terminal,
  interrupted: AbortSignal,
): Promise<void> {
  const show = (row: LogRow): void =>
    terminal.print(options.json === true ? JSON.stringify(row) : renderLogRow(terminal, row));
  const early: LogRow[] = [];
  let past: LogRow[] | null = null;
  const unsubscribe = options.follow
    ? node.subscribe('log', (row) => {
        if (levelRank[row.level] < levelRank[options.level]) return;
        if (past === null) early.push(row);
        else show(row);
      })
    : () => undefined;
  past = await node.invoke('log', { limit: options.lines, level: options.level });
  const shown = new Set(past.map((row) => JSON.stringify(row)));
  for (const row of [...past, ...early.filter((row) => !shown.has(JSON.stringify(row)))]) show(row);
  if (options.follow !== true) return;
  const stopped = new Promise<void>((resolve) =>
    interrupted.addEventListener('abort', () => resolve(), { once: true }),
  );
  await Promise.race([node.closed, stopped]);
  unsubscribe();
  if (!interrupted.aborted) terminal.complain('waggle: the node has ended.');
}

export function renderLogRow(style: Pick<Terminal, 'colours'>, row: LogRow): string {
  const time = new Date(row.at).toISOString().replace('T', ' ').replace('Z', '');
  const level = paint(style, levelColours[row.level], row.level.padEnd(5));
  return `${paint(style, 'dim', time)} ${level} ${harmless(row.source).padEnd(7)} ${harmless(row.message)}`;
}
