/**
 * Hosts on a local network of their own: network namespaces joined by a switch, made with `unshare` and `ip`, gone with the
 * process that holds them. Nothing of it touches the machine's interfaces, so multicast is allowed in there. Says plainly
 * why where that is not possible (no Linux, no root, no tools).
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { OWN_NAMESPACE_VARIABLE } from '../../src-main/swarm/overlay/confinement.ts';
import type { SwarmStatus } from '../../src-main/swarm/swarm.ts';
import type { PeerEntry } from '../../src-main/swarm/records/ledger.ts';
import { atEnd, until } from './local-swarm.ts';

const run = promisify(execFile);
const NODE_SCRIPT = join(import.meta.dirname, 'namespaced-node.ts');

/** What a node in a namespace is told when it starts. */
export interface NamespacedPlan {
  /** The address of a DHT; null is none at all. */
  dht: string | null;
  /** What runs there: a swarm's node, a DHT at the host's address, a host that floods mDNS. */
  role: 'node' | 'dht' | 'flood';
  secret: string | null;
  lanDiscovery: boolean;
}

/** What it says of itself a few times a second. */
export interface NamespacedReport {
  publicKey: string;
  status: SwarmStatus;
  peers: PeerEntry[];
  /** Rounds shared so far, and the origins adopted from within the last two seconds. */
  round: number;
  recentOrigins: string[];
  rssBytes: number;
}

export interface NamespacedNode {
  readonly address: string;
  report(): NamespacedReport | null;
  output(): string;
  kill(): void;
}

export interface Network {
  /** Starts a node on the host of this number, from 1. */
  start(host: number, plan: Partial<NamespacedPlan>): Promise<NamespacedNode>;
  /** Hosts of different groups no longer reach each other; one group is everybody again. */
  split(groups: readonly (readonly number[])[]): Promise<void>;
}

export const DHT_PORT = 49_737;

export function addressOf(host: number): string {
  return `10.77.0.${String(host)}`;
}

/** The reason as text where there can be none. */
export async function openNetwork(t: TestContext, hosts: number): Promise<Network | string> {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux';
  const holder = spawn('unshare', ['--net', '--mount', 'cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const failed = once(holder, 'error').then(([error]) => String(error));
  const ended = once(holder, 'exit').then(() => 'unshare ended at once; it needs root');
  atEnd(t, async () => {
    holder.kill('SIGKILL');
    await ended;
  });
  const echoed = once(holder.stdout, 'data').then(() => null);
  holder.stdin.on('error', () => undefined);
  holder.stdin.write('ready\n');
  const trouble = await Promise.race([failed, ended, echoed]);
  if (trouble !== null) return `network namespaces cannot be made here: ${trouble}`;
  const enter = ['-t', String(holder.pid), '-n', '-m'];
  const ip = (line: string) => run('nsenter', [...enter, 'ip', ...line.split(' ')]);
  try {
    await run('nsenter', [...enter, 'mount', '-t', 'tmpfs', 'tmpfs', '/run']);
    await ip('link add switch0 type bridge');
    await ip('link add switch1 type bridge');
    for (const name of ['switch0', 'switch1']) await ip(`link set ${name} up`);
    for (let host = 1; host <= hosts; host++) await addHost(ip, host);
  } catch (error) {
    return `network namespaces cannot be made here: ${String(error).split('\n')[0]!}`;
  }
  return {
    start: (host, plan) => startNode(t, enter, host, plan),
    split: async (groups: readonly (readonly number[])[]) => {
      for (const [i, group] of groups.entries())
        for (const host of group) await ip(`link set port${String(host)} master switch${String(i)}`);
    },
  };
}

async function addHost(ip: (line: string) => Promise<unknown>, host: number): Promise<void> {
  const name = `host${String(host)}`;
  const port = `port${String(host)}`;
  await ip(`netns add ${name}`);
  await ip(`link add ${port} type veth peer name lan0 netns ${name}`);
  await ip(`link set ${port} master switch0`);
  await ip(`link set ${port} up`);
  for (const line of [
    'link set lo up',
    `addr add ${addressOf(host)}/24 dev lan0`,
    'link set lan0 up',
    'route add default dev lan0',
  ])
    await ip(`-n ${name} ${line}`);
}

async function startNode(
  t: TestContext,
  enter: string[],
  host: number,
  changes: Partial<NamespacedPlan>,
): Promise<NamespacedNode> {
  const inHost = [...enter, 'ip', 'netns', 'exec', `host${String(host)}`];
  const namespace = (await run('nsenter', [...inHost, 'readlink', '/proc/self/ns/net'])).stdout.trim();
  if (namespace === readlinkSync('/proc/self/ns/net')) throw new Error('not in a network namespace of its own');
  const plan: NamespacedPlan = { dht: null, role: 'node', secret: null, lanDiscovery: true, ...changes };
  const child = spawn('nsenter', [...inHost, process.execPath, NODE_SCRIPT], {
    env: {
      ...process.env,
      // The network guard knows this machine's addresses only; the kernel is what keeps a namespace apart.
      NODE_OPTIONS: '',
      [OWN_NAMESPACE_VARIABLE]: namespace,
      WAGGLE_LOCAL_NETWORK_ONLY: '1',
      WAGGLE_NAMESPACED_PLAN: JSON.stringify({ ...plan, address: addressOf(host) }),
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  atEnd(t, () => end(child));
  let latest: NamespacedReport | null = null;
  let output = '';
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{')) latest = JSON.parse(line) as NamespacedReport;
    else output += `${line}\n`;
  });
  child.stderr.on('data', (text: Buffer) => {
    output += text.toString('utf8');
  });
  await until(
    `host ${String(host)} says something: ${output}`,
    () => latest !== null || child.exitCode !== null,
    40_000,
  );
  if (child.exitCode !== null) throw new Error(`host ${String(host)} ended: ${output}`);
  return {
    address: addressOf(host),
    report: () => latest,
    output: () => output,
    kill: () => void child.kill('SIGKILL'),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
