/**
 * Failures as data: whatever a transport throws becomes an `ApiFault` that a view can show with its fix.
 * Knows nothing of transports.
 */
import type { ApiFault } from '../../src-main/engine/api.ts';

export function isFault(value: unknown): value is ApiFault {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message, fix } = value as Record<string, unknown>;
  return typeof code === 'string' && typeof message === 'string' && typeof fix === 'string';
}

/** Never throws; an unknown value becomes code `unknown` with its text. */
export function toFault(value: unknown): ApiFault {
  if (isFault(value)) return value;
  const message = value instanceof Error ? value.message : String(value);
  return { code: 'unknown', message, fix: 'Look at the log for what happened, then try again.' };
}

/** The rejection of a call that could not reach the node. */
export class FaultError extends Error implements ApiFault {
  readonly code: string;
  readonly fix: string;
  constructor(fault: ApiFault) {
    super(fault.message);
    this.name = 'FaultError';
    this.code = fault.code;
    this.fix = fault.fix;
  }
}
