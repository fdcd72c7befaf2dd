/**
 * How packets get to a peer, and how a node looks from outside: the words for both. Pure.
 */
import { isIPv4 } from 'node:net';

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

/** Of a local network (RFC 1918, or link-local): the peer is near. IPv4, also in its IPv6 dress. */
export function isLanAddress(address: string): boolean {
  const host = address.startsWith('::ffff:') ? address.slice(7) : address;
  if (!isIPv4(host)) return false;
  const [a, b] = host.split('.').map(Number) as [number, number];
  return a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168) || (a === 169 && b === 254);
}

const RELAYED = 'relay ';

/** Stands for whoever comes through the relay at this host: counted together, but nobody's own address. */
export function relayedAddress(relayHost: string): string {
  return `${RELAYED}${relayHost}`;
}

export function isRelayedAddress(address: string): boolean {
  return address.startsWith(RELAYED);
}
