/**
 * Whether this process may use a network at all beyond 127.0.0.1. Tests may not: not the public DHT, no multicast, unless they run
 * in a network namespace of their own and name it.
 */
import { readlinkSync } from 'node:fs';
import type { DhtAddress } from 'hyperdht';
import { WaggleError } from '../../base/errors.ts';

/** Environment variable that confines every swarm of the process to loopback; tests set it. */
export const LOCAL_ONLY_VARIABLE = 'WAGGLE_LOCAL_NETWORK_ONLY';
/** Names (as /proc/self/ns/net reads) the network namespace in which a test's process is free. Anywhere else it says nothing. */
export const OWN_NAMESPACE_VARIABLE = 'WAGGLE_OWN_NETWORK_NAMESPACE';

export function isConfined(): boolean {
  const isTest = process.env['NODE_TEST_CONTEXT'] !== undefined || process.env[LOCAL_ONLY_VARIABLE] === '1';
  return isTest && !isInOwnNamespace();
}

function isInOwnNamespace(): boolean {
  const named = process.env[OWN_NAMESPACE_VARIABLE];
  if (named === undefined) return false;
  try {
    return named === readlinkSync('/proc/self/ns/net');
  } catch {
    return false;
  }
}

/**
 * Throws `publicNetworkInTest` unless bootstrap addresses are given and all are loopback (none at all, `[]`, is an isolated
 * node, and fine). Called by tests on what they pass, and by discovery itself in a confined process.
 */
export function assertLocalBootstrap(bootstrap: readonly DhtAddress[] | undefined): void {
  const local = bootstrap !== undefined && bootstrap.every((node) => isLoopback(node.host));
  if (local) return;
  throw new WaggleError({
    code: 'publicNetworkInTest',
    message: 'A swarm confined to loopback was opened without loopback bootstrap addresses.',
    fix: 'Pass the bootstrap addresses of a DHT on 127.0.0.1 (createTestnet of hyperdht/testnet).',
  });
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address === 'localhost' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}
