/** How this node stands in the network and how packets get to a peer, in words. Pure. */
import type { NatKind, PeerPath, PeerRow, SwarmNetwork } from '../../src-main/engine/api.ts';
import { formatBytes } from '../ui/format.ts';

/** One row for each way; a missing one does not compile. The order is that of sorting: nearest first. */
const paths: Record<PeerPath, { order: number; label: string; counted: string }> = {
  lan: { order: 0, label: 'local network', counted: 'on the local network' },
  direct: { order: 1, label: 'direct', counted: 'direct' },
  relayed: { order: 2, label: 'relayed', counted: 'through another member' },
};

const nats: Record<NatKind, string> = {
  unknown: 'how others reach this node is not known yet',
  open: 'anybody can reach this node',
  consistent: 'others reach this node by punching a hole in its router',
  random: 'its router makes this node hard to reach, so another member may carry its packets',
};

export function formatPath({ path }: PeerRow): string {
  return path === null ? '–' : paths[path].label;
}

export function pathOrder({ path }: PeerRow): number | null {
  return path === null ? null : paths[path].order;
}

function describePaths(counts: SwarmNetwork['paths']): string {
  const parts = (Object.keys(paths) as PeerPath[])
    .filter((path) => counts[path] > 0)
    .map((path) => `${counts[path]} ${paths[path].counted}`);
  return parts.length === 0 ? '' : `peers: ${parts.join(', ')}`;
}

function describeCap({ maxBytesPerSecondIn, maxBytesPerSecondOut }: SwarmNetwork): string {
  const bound = (bytes: number, way: string): string[] =>
    bytes > 0 ? [`at most ${formatBytes(bytes)} a second ${way}`] : [];
  return (
    [...bound(maxBytesPerSecondIn, 'in'), ...bound(maxBytesPerSecondOut, 'out')].join(' and ') || 'no bandwidth cap'
  );
}

/** What there is to say, one clause each. */
export function describeNetwork(network: SwarmNetwork): string {
  const { nat, publicAddress, relaying, lanDiscovery } = network;
  const clauses = [
    nats[nat] + (publicAddress === null ? '' : ` (${publicAddress})`),
    describePaths(network.paths),
    describeCap(network),
    relaying.bytes > 0 ? `${formatBytes(relaying.bytes)} carried for others` : '',
    lanDiscovery ? 'looks on the local network too' : '',
  ];
  const text = clauses.filter((clause) => clause !== '').join('; ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
