/**
 * How packets get to a peer, and how a node looks from outside: the words for both. Pure.
 */
export type PeerPath = 'direct' | 'relayed' | 'lan';

/**
 * `open`: anybody can reach it. `consistent`: behind an address translator that shows one port to everybody, so holes can be
 * punched. `random`: one that shows another port to each. `unknown`: too few DHT nodes have said what they see.
 */
export type NatKind = 'unknown' | 'open' | 'consistent' | 'random';

/** What the DHT node knows of itself: the address that other nodes saw most lately, port 0 where they differ about it. */
export interface SeenFromOutside {
  firewalled: boolean;
  host: string | null;
  port: number;
}

export function natKind({ firewalled, host, port }: SeenFromOutside): NatKind {
  if (host === null) return 'unknown';
  if (port === 0) return 'random';
  return firewalled ? 'consistent' : 'open';
}

export function publicAddress({ host, port }: SeenFromOutside): string | null {
  if (host === null) return null;
  return port === 0 ? host : `${host}:${String(port)}`;
}
