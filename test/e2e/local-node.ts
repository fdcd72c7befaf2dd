/**
 * Real headless nodes as child processes, each on a temporary data folder, asked over the very API that the page uses.
 * Knows nothing of what is checked.
 *
 * Invariants: whatever is started is ended by its process id and its folder removed when the file's tests are over, failed or
 * not; a node ends by itself when the test process is killed, for its channel to it closes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { NodeStatus } from '../../src-main/engine/api.ts';
import { connectNode, type RemoteNode } from '../../src-main/engine/serve/client.ts';
import { readRuntimeFile } from '../../src-main/engine/serve/runtime-file.ts';

const root = join(import.meta.dirname, '..', '..');

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A program of this repository as a child process with what it has said so far. */
export interface Program {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  stdout(): string;
  stderr(): string;
  signal(name: NodeJS.Signals): void;
}

export interface LocalNode extends Program {
  /** The dashboard's, with the token. */
  url: string;
  dataDirectory: string;
  client: RemoteNode;
  status(): Promise<NodeStatus>;
}

const folders: string[] = [];
const children = new Set<ChildProcess>();
const computePids = new Set<number>();
const closers: (() => Promise<unknown>)[] = [];

after(async () => {
  for (const close of closers.reverse()) await close().catch(() => undefined);
  const alive = [...children].filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  await Promise.all(
    alive.map((child) => {
      child.kill('SIGKILL');
      return new Promise((resolve) => child.once('close', resolve));
    }),
  );
  for (const pid of computePids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Run when the file's tests are over, the last registered first. */
export function atEnd(close: () => Promise<unknown>): void {
  closers.push(close);
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-e2e-'));
  folders.push(folder);
  return folder;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts a script below src-main. Its channel to this process makes it end with it. */
export function startProgram(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program {
  const child = spawn(process.execPath, [join(root, 'src-main', script), ...args], {
    cwd: temporaryFolder(),
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  children.add(child);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]!.setEncoding('utf8').on('data', (part: string) => (said[name] += part));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  return {
    pid: child.pid!,
    ended,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    signal: (name) => void process.kill(child.pid!, name),
  };
}

/** A command of the `waggle` CLI, run to its end. */
export async function runCommand(...args: string[]): Promise<Ended & { stdout: string; stderr: string }> {
  const program = startProgram('cli.ts', args);
  const ended = await within(60_000, program.ended, () => `waggle ${args.join(' ')} did not end`);
  return { ...ended, stdout: program.stdout(), stderr: program.stderr() };
}

/** Rounds well below a second, so that many fit into a test, on one core each, so that two nodes do not wait for each other. */
const smallRounds = [
  '--prompts-per-round=4',
  '--group-size=4',
  '--max-new-tokens=40',
  '--checkpoint-seconds=1',
  '--cpu-threads=1',
];

export interface NodeOptions {
  /** HOST:PORT, comma-separated. */
  bootstrap: string;
  dataDirectory?: string;
  flags?: readonly string[];
}

/** Settles when the node serves its API; rejects with what it said when it ends before that. */
export async function startNode({ bootstrap, dataDirectory, flags = [] }: NodeOptions): Promise<LocalNode> {
  const data = dataDirectory ?? join(temporaryFolder(), 'data');
  const settings = [`--data=${data}`, '--provider=cpu', '--port=0', `--bootstrap=${bootstrap}`, '--swarm=e2e'];
  const program = startProgram('headless.ts', ['--json', ...settings, ...smallRounds, ...flags]);
  const said = (): string => program.stdout() + program.stderr();
  await until(
    () => program.stdout().includes('\n'),
    60_000,
    () => `The node printed no address:\n${said()}`,
    program,
  );
  const { url } = JSON.parse(program.stdout()) as { url: string };
  const found = await readRuntimeFile(data);
  if (!found.ok) throw new Error(`The node left no runtime file (${found.reason}):\n${said()}`);
  const client = await connectNode(found.info);
  const status = async (): Promise<NodeStatus> => {
    const now = await client.invoke('status', null);
    for (const { process: kind, pid } of now.memory) if (kind === 'compute') computePids.add(pid);
    return now;
  };
  return { ...program, url, dataDirectory: data, client, status };
}

/** Asks until the status is as wanted; gives that status. */
export function untilStatus(
  node: LocalNode,
  wanted: (status: NodeStatus) => boolean,
  what: string,
  timeoutMs = 60_000,
): Promise<NodeStatus> {
  let last: NodeStatus | null = null;
  const ask = async (): Promise<NodeStatus | null> => {
    last = await node.status();
    return wanted(last) ? last : null;
  };
  return untilValue(
    ask,
    timeoutMs,
    () => `Within ${timeoutMs / 1000} s not: ${what}.\n${JSON.stringify(last)}\n${node.stderr().slice(-2000)}`,
    node,
  );
}

export async function computePidOf(node: LocalNode): Promise<number> {
  const has = ({ memory }: NodeStatus): boolean => memory.some(({ process: kind }) => kind === 'compute');
  const { memory } = await untilStatus(node, has, 'a compute process is reported');
  return memory.find(({ process: kind }) => kind === 'compute')!.pid;
}

/** Processor time a process has used, in clock ticks; null where the system does not say (only Linux does, cheaply). */
export async function processorTicks(pid: number): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may hold spaces; user and system time are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Polls; rejects with the words after the time is up, or as soon as the program has ended. */
export async function untilValue<T>(
  look: () => Promise<T | null> | T | null,
  timeoutMs: number,
  words: () => string,
  program?: Program,
): Promise<T> {
  const life = { over: false };
  const end = (): void => void (life.over = true);
  program?.ended.then(end, end);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== null) return value;
    if (life.over) throw new Error(`The program has ended. ${words()}`);
    if (Date.now() > deadline) throw new Error(words());
    await sleep(50);
  }
}

export async function until(
  holds: () => Promise<boolean> | boolean,
  timeoutMs: number,
  words: () => string,
  program?: Program,
): Promise<void> {
  await untilValue(async () => ((await holds()) ? true : null), timeoutMs, words, program);
}

export async function within<T>(timeoutMs: number, work: Promise<T>, words: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${words()} within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
