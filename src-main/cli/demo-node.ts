/**
 * One node of the demo as a child process: started in its own process group (so that the terminal's Ctrl-C reaches it once, from
 * here), watched over its API, ended in order and then by force. Knows nothing of the DHT or the other nodes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectNode, type RemoteNode } from '../engine/serve/client.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import { readRuntimeFile } from '../engine/serve/runtime-file.ts';
import { appRoot } from '../base/app-root.ts';
import { progressLine } from './progress-line.ts';
import { harmless } from './terminal.ts';

export interface DemoNodeOptions {
  number: number;
  /** Its data folder is made below this. */
  folder: string;
  /** HOST:PORT, comma-separated. */
  bootstrap: string;
  /** 0 goes on. */
  rounds: number;
  provider: string;
  /** Of the CPU, for its compute process. */
  threads: number;
  /** For tests; the headless node. */
  script?: string;
}

export interface DemoNode {
  number: number;
  /** The dashboard's, with the token. */
  address: Promise<string>;
  /** Exit code; null when a signal ended it. */
  ended: Promise<number | null>;
  /** What it does, for people; null when it cannot be asked. */
  line(): Promise<{ text: string; round: number } | null>;
  /** The last it said to standard error. */
  lastWords(): string;
  close(): Promise<void>;
}

const closeDeadlineMs = 12_000;

export function launchNode(options: DemoNodeOptions): DemoNode {
  const { number, folder, bootstrap, rounds, provider, threads } = options;
  const dataDirectory = join(folder, `node-${number}`);
  const script = options.script ?? join(appRoot, 'src-main', `headless${import.meta.filename.slice(-3)}`);
  const settings = {
    data: dataDirectory,
    port: '0',
    bootstrap,
    swarm: 'demo',
    rounds: String(rounds),
    provider,
    'cpu-threads': String(threads),
    'display-name': `demo ${number}`,
  };
  const flags = Object.entries(settings).map(([flag, value]) => `--${flag}=${value}`);
  const child = spawn(process.execPath, [script, ...flags, '--json'], {
    cwd: folder,
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const ended = new Promise<number | null>((resolve) =>
    child.once('close', resolve).once('error', () => resolve(null)),
  );
  let words = '';
  createInterface({ input: child.stderr! }).on('line', (line) => (words = harmless(line).slice(0, 300)));
  let remote: Promise<RemoteNode> | null = null;
  return {
    number,
    address: readAddress(child, ended, number, () => words),
    ended,
    lastWords: () => words,
    async line() {
      try {
        const node = await (remote ??= connect(dataDirectory));
        const status = await node.invoke('status', null);
        return { text: `node ${number}  ${progressLine(status)}`, round: status.round };
      } catch {
        remote = null; // not up yet, or on its way out
        return null;
      }
    },
    async close() {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), closeDeadlineMs);
      await ended;
      clearTimeout(force);
    },
  };
}

async function connect(dataDirectory: string): Promise<RemoteNode> {
  const found = await readRuntimeFile(dataDirectory);
  if (!found.ok) throw new NodeFault({ code: 'noNode', message: 'Not up yet.', fix: 'Wait.' });
  return connectNode(found.info);
}

/** The node's first line on standard output, as JSON, is its address, or the fault that kept it from starting. */
function readAddress(
  child: ChildProcess,
  ended: Promise<number | null>,
  number: number,
  lastWords: () => string,
): Promise<string> {
  const address = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const said = parseFirstLine(line);
      if (said.url !== undefined) resolve(said.url);
      else reject(new Error(`Node ${number} could not start: ${harmless(said.fault ?? line).slice(0, 300)}`));
    });
    void ended.then(() => reject(new Error(`Node ${number} could not start: ${lastWords()}`)));
  });
  address.catch(() => undefined); // whoever awaits it hears of it
  return address;
}

function parseFirstLine(line: string): { url?: string; fault?: string } {
  try {
    const { url, fault } = JSON.parse(line) as { url?: unknown; fault?: { message: string; fix: string } };
    return {
      ...(typeof url === 'string' ? { url } : {}),
      ...(fault ? { fault: `${fault.message} ${fault.fix}` } : {}),
    };
  } catch {
    return {};
  }
}
