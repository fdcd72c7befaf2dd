/**
 * The wire between page and node, as JSON text frames. Parses what arrives; never throws.
 * Client: `{id, call, args}`, `{subscribe}`, `{unsubscribe}`. Server: `{id, result}`, `{id, fault}`, `{event, payload}`.
 */
import type { ApiFault, CallName, EventName } from '../../src-main/engine/api.ts';
import { toFault } from './fault.ts';

export type ClientFrame =
  { id: number; call: CallName; args: unknown } | { subscribe: EventName } | { unsubscribe: EventName };

export type ServerFrame =
  | { kind: 'result'; id: number; result: unknown }
  | { kind: 'fault'; id: number; fault: ApiFault }
  | { kind: 'event'; event: string; payload: unknown };

export function parseServerFrame(text: unknown): ServerFrame | null {
  if (typeof text !== 'string') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const frame = value as Record<string, unknown>;
  if (typeof frame['event'] === 'string') return { kind: 'event', event: frame['event'], payload: frame['payload'] };
  if (typeof frame['id'] !== 'number') return null;
  if ('fault' in frame) return { kind: 'fault', id: frame['id'], fault: toFault(frame['fault']) };
  return { kind: 'result', id: frame['id'], result: frame['result'] };
}
