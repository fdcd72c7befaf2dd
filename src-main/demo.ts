/**
 * `npm run demo`: a private DHT on loopback and three headless nodes that trade on it, each a process with a temporary data
 * folder of its own, and the dashboard of the first. Knows nothing of training; it watches the nodes over their API.
 *
 * Invariants: nothing leaves 127.0.0.1; no process and no folder is left behind, however it ends (Ctrl-C, a node that dies,
 * --rounds or --seconds reached); nodes end by themselves when this process is killed, for their channel to it closes.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import createTestnet from 'hyperdht/testnet.js';
import { describeError } from './base/errors.ts';
import { isSourceCheckout } from './base/app-root.ts';
import { buildRenderer, rendererIsStale } from './cli/build.ts';
import { launchNode, type DemoNode } from './cli/demo-node.ts';
import { untilEnd } from './cli/shutdown.ts';
import { openTerminal, paint } from './cli/terminal.ts';

interface DemoOptions {
  nodes: number;
  provider: string;
  rounds: number;
  seconds: number;
}

const watchEveryMs = 5000;
const terminal = openTerminal(process.stdout, process.stderr, process.env);

const {
  nodes: nodeCount,
  provider,
  rounds,
  seconds,
} = new Command('demo')
  .description('Three nodes that trade on this machine, with one dashboard.')
  .option('--nodes <number>', 'how many nodes', wholeNumber(1, 16), 3)
  .option(
    '--provider <name>',
    'what computes, as with `waggle start`; the bundled policy is small enough for the CPU',
    'cpu',
  )
  .option(
    '--rounds <number>',
    'end when every node has done this many rounds; 0 goes on until Ctrl-C',
    wholeNumber(0, 1e9),
    0,
  )
  .option('--seconds <number>', 'end after this long; 0 goes on until Ctrl-C', wholeNumber(0, 1e6), 0)
  .parse()
  .opts<DemoOptions>();

terminal.print(`Waggle demo: ${nodeCount} nodes on a private DHT on 127.0.0.1. Ctrl-C ends all of it.`);
process.exitCode = await runDemo();
setTimeout(() => process.exit(), 2000).unref();

async function runDemo(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-demo-'));
  const nodes: DemoNode[] = [];
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  let outcome = 0;
  let closing = false;
  const isClosing = (): boolean => closing;
  let finish: () => void = () => undefined;
  const over = new Promise<void>((resolve) => (finish = resolve));
  const end = untilEnd({
    ended: over,
    async close() {
      closing = true;
      for (const close of closers.reverse()) await close();
    },
    say: (text) => terminal.complain(text),
    deadlineMs: 20_000,
  });
  try {
    await open(folder, nodes, closers);
    for (const node of nodes) {
      void node.ended.then((code) => {
        if (isClosing()) return;
        terminal.complain(
          `waggle: node ${node.number} has ended (${node.lastWords() || `exit code ${String(code)}`}).`,
        );
        outcome = 1;
        finish();
      });
    }
    watch(nodes, finish);
  } catch (error) {
    // Nodes that were ended while they started could not start: that is no failure.
    if (!isClosing()) {
      terminal.complain(`waggle: the demo could not start: ${describeError(error)}`);
      outcome = 1;
      finish();
    }
  }
  return Math.max(await end, outcome);
}

async function open(folder: string, nodes: DemoNode[], closers: (() => Promise<unknown>)[]): Promise<void> {
  // Each node gets its share of the processor: more threads than cores only wait for each other.
  const threads = Math.max(1, Math.floor(availableParallelism() / nodeCount));
  if (isSourceCheckout() && rendererIsStale()) closers.push(buildBeside());
  const dht = await createTestnet(4, { host: '127.0.0.1' });
  closers.push(() => dht.destroy());
  const bootstrap = dht.bootstrap.map(({ host, port }) => `${host}:${port}`).join(',');
  closers.push(() => Promise.all(nodes.map((node) => node.close())));
  for (let number = 1; number <= nodeCount; number++) {
    nodes.push(launchNode({ number, folder, bootstrap, rounds, provider, threads }));
  }
  const [first] = await Promise.all(nodes.map((node) => node.address));
  terminal.print(`Dashboard of node 1: ${paint(terminal, 'bold', first!)}`);
  terminal.print(`How far each node is, every ${watchEveryMs / 1000} s:`);
}

/** Builds the dashboard while the nodes start; returns what ends the build if the demo ends first. */
function buildBeside(): () => Promise<void> {
  terminal.print('Building the dashboard beside it...');
  let tool: ChildProcess | null = null;
  let over = false;
  const built = buildRenderer((child) => (tool = child)).then(
    () => over || terminal.print('The dashboard is ready.'),
    (error: unknown) => over || terminal.complain(`waggle: no dashboard: ${describeError(error)}`),
  );
  return async () => {
    over = true;
    tool?.kill();
    await built;
  };
}

/** One line a node now and then; ends the demo at its limits. */
function watch(nodes: readonly DemoNode[], finish: () => void): void {
  if (seconds > 0) setTimeout(finish, seconds * 1000).unref();
  const timer = setInterval(() => {
    void Promise.all(nodes.map((node) => node.line())).then((lines) => {
      for (const line of lines) if (line !== null) terminal.print(line.text);
      if (rounds > 0 && lines.every((line) => line !== null && line.round >= rounds)) finish();
    });
  }, watchEveryMs);
  timer.unref();
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}
