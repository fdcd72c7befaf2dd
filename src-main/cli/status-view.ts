/** A node's status as text for people. Pure: knows no connection. */
import type { NatKind, NodeStatus, PolicyInfo, RunState, RunStateName, SwarmSummary } from '../engine/api.ts';
import { countOf, formatBytes, formatCount, formatDuration, formatRate } from './quantities.ts';
import { alignPairs, harmless, paint, type Colour, type Terminal } from './terminal.ts';

const stateColours: Readonly<Record<RunStateName, Colour>> = {
  starting: 'dim',
  training: 'green',
  finishing: 'green',
  paused: 'yellow',
  waiting: 'yellow',
  error: 'red',
  stopped: 'dim',
};

type Style = Pick<Terminal, 'colours'>;

export function renderState(style: Style, state: RunState): string {
  const fix = state.reason?.kind === 'fault' ? `\n  ${harmless(state.reason.fix)}` : '';
  return `${paint(style, stateColours[state.name], state.name)}: ${harmless(state.text)}${fix}`;
}

/** What is computed in, and why; `doctor` shows the same. */
export function renderPrecision(policy: Pick<PolicyInfo, 'decode' | 'training'> | null): [string, string][] {
  const text = ({ precision, reason }: PolicyInfo['decode']): string => harmless(`${precision}. ${reason}`);
  return policy === null
    ? []
    : [
        ['answers in', text(policy.decode)],
        ['trains in', text(policy.training)],
      ];
}

/** `address` is the dashboard's, null when unknown. */
export function renderStatus(style: Style, status: NodeStatus, address: string | null, nowMs = Date.now()): string {
  const { policy, provider, swarm, tokensPerSecond } = status;
  const rejected = Object.entries(swarm.rejected).filter(([, count]) => count > 0);
  const memory = status.memory.map(({ process, pid, rssBytes }) => `${process} ${formatBytes(rssBytes)} (pid ${pid})`);
  const pairs: [string, string][] = [
    [
      'policy',
      policy === null
        ? 'not loaded yet'
        : `${harmless(policy.name)}, ${formatCount(policy.parameters)} parameters, step ${policy.version}`,
    ],
    [
      'provider',
      provider === null
        ? 'not chosen yet'
        : harmless(provider.name + (provider.adapter === null ? '' : ` (${provider.adapter})`)),
    ],
    ...renderPrecision(policy),
    ...status.givenUp.map(({ text }): [string, string] => ['given up', harmless(text)]),
    ['round', `${formatCount(status.round)} (${status.stage})`],
    [
      'mean reward',
      status.meanReward === null
        ? status.role === 'trains'
          ? 'none: this node writes no answers'
          : 'no round yet'
        : `${status.meanReward.toFixed(3)} over the last ${countOf(status.recentRounds, 'round')}`,
    ],
    ['generates', formatRate(tokensPerSecond.generate)],
    ['trains', formatRate(tokensPerSecond.train)],
    ['swarm', `${harmless(swarm.text)} (${harmless(swarm.name)}, ${countOf(swarm.peers, 'peer')})`],
    ...renderNetwork(swarm),
    [
      'groups',
      `${formatCount(swarm.groupsShared)} shared, ${formatCount(swarm.groupsAdopted)} adopted, ${formatCount(swarm.groupsPooled)} waiting`,
    ],
    [
      'rejected',
      rejected.length === 0 ? 'none' : rejected.map(([reason, count]) => `${harmless(reason)} ${count}`).join(', '),
    ],
    ['up', `${formatDuration(status.uptimeMs)}, trained ${formatDuration(status.trainedMs)} in all`],
    [
      'checkpoint',
      status.lastCheckpointAt === null ? 'none yet' : `${formatDuration(nowMs - status.lastCheckpointAt)} ago`,
    ],
    ['memory', memory.join(', ')],
    ['data', harmless(status.dataDirectory)],
  ];
  if (status.work.text !== null) pairs.push(['work', status.work.text]);
  if (status.computeRestarts > 0)
    pairs.push(['restarts', `compute process started again ${countOf(status.computeRestarts, 'time')}`]);
  if (address !== null) pairs.push(['dashboard', address]);
  return `${renderState(style, status.state)}\n${alignPairs(style, pairs)}`;
}

const nats: Readonly<Record<NatKind, string>> = {
  unknown: 'not known yet how others reach this node',
  open: 'anybody can reach this node',
  consistent: 'behind an address translator that shows one port to everybody',
  random: 'behind an address translator that shows another port to each',
};

/** How the node stands in the network, and its traffic against the cap. Empty without a swarm. */
function renderNetwork({ network, bytesIn, bytesOut }: SwarmSummary): [string, string][] {
  if (network === null) return [];
  const { nat, publicAddress, paths, maxBytesPerSecondIn, maxBytesPerSecondOut, relaying } = network;
  const seen = publicAddress === null ? '' : `, seen as ${harmless(publicAddress)}`;
  const cap = (bytes: number): string => (bytes > 0 ? ` (at most ${formatBytes(bytes)}/s)` : '');
  const carried = relaying.bytes > 0 ? `, ${formatBytes(relaying.bytes)} carried for others` : '';
  return [
    ['network', `${nats[nat]}${seen}`],
    ['paths', `${paths.direct} direct, ${paths.relayed} relayed, ${paths.lan} on the local network`],
    [
      'traffic',
      `${formatBytes(bytesIn)} in${cap(maxBytesPerSecondIn)}, ${formatBytes(bytesOut)} out${cap(maxBytesPerSecondOut)}${carried}`,
    ],
  ];
}
