/** How this node stands in the network and how packets get to a peer, in words. Pure. */
import type { NatKind, PeerPath, PeerRow, SwarmNetwork, SwarmPresence } from '../../src-main/engine/api.ts';
import { formatBytes, formatCount, plural } from '../ui/format.ts';

/** One row for each way; a missing one does not compile. The order is that of sorting: nearest first. */
const paths: Record<PeerPath, { order: number; label: string }> = {
  lan: { order: 0, label: 'local network' },
  direct: { order: 1, label: 'direct' },
  relayed: { order: 2, label: 'relayed' },
};

const nats: Record<NatKind, { text: string; meaning: string }> = {
  unknown: { text: 'not known yet', meaning: 'Too few peers were met to tell.' },
  open: { text: 'open', meaning: 'Anybody can reach this node.' },
  consistent: { text: 'through the router', meaning: 'Peers get in once both sides have knocked (hole punching).' },
  random: { text: 'hard to reach', meaning: 'The router changes its ports, so another member may carry the packets.' },
};

export function formatPath({ path }: PeerRow): string {
  return path === null ? '–' : paths[path].label;
}

export function pathOrder({ path }: PeerRow): number | null {
  return path === null ? null : paths[path].order;
}

export interface NetworkFact {
  label: string;
  text: string;
  /** What it means, or more of it; may be empty. */
  hint: string;
}

/** How this node stands in the network, fact by fact. Without a network nothing is said of how others reach it. */
export function networkFacts(network: SwarmNetwork, presence: SwarmPresence): NetworkFact[] {
  const { nat, publicAddress, relaying, lanDiscovery } = network;
  const reach =
    presence === 'offline'
      ? []
      : [
          {
            label: 'Reached from outside (NAT)',
            text: nats[nat].text,
            hint: nats[nat].meaning + asAddress(publicAddress),
          },
        ];
  const carries = relaying.sessions > 0 || relaying.bytes > 0;
  return [
    ...reach,
    {
      label: 'Paths to peers',
      text: describePaths(network.paths),
      hint: 'Relayed: another member carries the packets.',
    },
    {
      label: 'Bandwidth cap',
      text: describeCap(network),
      hint: 'The most that trading may take; from the settings.',
    },
    {
      label: 'Local network',
      text: lanDiscovery ? 'looked for peers' : 'not looked at',
      hint: lanDiscovery ? 'Works without the internet.' : 'Switched off in the settings.',
    },
    ...(carries
      ? [
          {
            label: 'Carried for others',
            text: formatBytes(relaying.bytes),
            hint: `Between members that cannot reach each other; ${plural(relaying.sessions, 'pair')} now.`,
          },
        ]
      : []),
  ];
}

function asAddress(address: string | null): string {
  return address === null ? '' : ` Seen as ${address}.`;
}

function describePaths(counts: SwarmNetwork['paths']): string {
  const parts = (Object.keys(paths) as PeerPath[])
    .filter((path) => counts[path] > 0)
    .map((path) => `${formatCount(counts[path])} ${paths[path].label}`);
  return parts.join(', ') || 'none';
}

function describeCap({ maxBytesPerSecondIn, maxBytesPerSecondOut }: SwarmNetwork): string {
  const bound = (bytes: number): string => (bytes > 0 ? `${formatBytes(bytes)}/s` : 'no cap');
  if (maxBytesPerSecondIn === 0 && maxBytesPerSecondOut === 0) return 'none';
  return `${bound(maxBytesPerSecondIn)} in, ${bound(maxBytesPerSecondOut)} out`;
}
