/**
 * Failures of serving and of talking to a node, as classes with a stable code and the fix, and their form on the wire.
 * Knows nothing of transports.
 *
 * Invariant: what reaches a client is an `ApiFault` of bounded length; stacks and foreign error texts stay in the log.
 */
import { WaggleError } from '../../base/errors.ts';
import type { ApiFault } from '../api.ts';

const maxChars = 1000;

/** An `ApiFault` that can be thrown: of this server, or one that a node answered with. */
export class NodeFault extends WaggleError implements ApiFault {}

/** Why a client on a socket does not get it, and where it does. */
export function onlyInTheApp(call: 'backupWords' | 'restoreIdentity'): NodeFault {
  const command = call === 'backupWords' ? 'waggle identity backup' : 'waggle identity restore';
  return new NodeFault({
    code: 'onlyInTheApp',
    message: 'That is done in the window of the Waggle app or on the machine itself only, never over a connection.',
    fix: `On the machine, type: ${command}${call === 'backupWords' ? '' : ' (with the node stopped)'}.`,
  });
}

/** The fault inside anything that carries one (code, message and fix as text), or null. */
export function faultOf(error: unknown): ApiFault | null {
  if (typeof error !== 'object' || error === null) return null;
  const { code, message, fix } = error as Partial<Record<keyof ApiFault, unknown>>;
  if (typeof code !== 'string' || typeof message !== 'string' || typeof fix !== 'string') return null;
  return { code: code.slice(0, 64), message: message.slice(0, maxChars), fix: fix.slice(0, maxChars) };
}

/** What a client is told about a failed call; an error that is not a fault is named without its details. */
export function clientFault(error: unknown, call: string): ApiFault {
  return (
    faultOf(error) ?? {
      code: 'internal',
      message: `The node could not answer "${call}" because of an error of its own.`,
      fix: 'See the log (`waggle logs`) for what happened, and report it.',
    }
  );
}
