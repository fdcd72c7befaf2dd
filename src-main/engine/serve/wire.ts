/**
 * The frames of the WebSocket API, both ways, and their parsing: text frames of JSON.
 *   client -> node   {id, call, args} | {subscribe: event} | {unsubscribe: event}
 *   node -> client   {id, result} | {id, fault} | {event, payload}; a frame that could not be read is answered with id null
 * Knows nothing of sockets or of what a call does.
 */
import type { ApiFault, CallName, EventName } from '../api.ts';
import { isCallName, isEventName, parseCallArgs, type ParsedArgs } from '../api-schema.ts';

export const apiPath = '/api';

export const wireLimits = {
  /** A client's frame; the largest legal one is a `task` call with its answer. */
  maxFrameBytes: 64 * 1024,
  /** A node's frame, as the CLI accepts it: 2000 rows of a query. */
  maxReplyBytes: 32 * 1024 * 1024,
} as const;

export type ServerFrame =
  { id: number; result: unknown } | { id: number | null; fault: ApiFault } | { event: EventName; payload: unknown };

export type ClientFrame =
  | { kind: 'call'; id: number; call: CallName; args: Extract<ParsedArgs<CallName>, { ok: true }>['args'] }
  | { kind: 'subscribe' | 'unsubscribe'; event: EventName };

export type ParsedClientFrame = { ok: true; frame: ClientFrame } | { ok: false; id: number | null; fault: ApiFault };

/** Reads one text frame of an untrusted client. */
export function parseClientFrame(text: string): ParsedClientFrame {
  const frame = parseJsonObject(text);
  if (frame === null) return refuse(null, 'badFrame', 'The frame is not a JSON object.');
  if ('subscribe' in frame) return parseSubscription('subscribe', frame.subscribe);
  if ('unsubscribe' in frame) return parseSubscription('unsubscribe', frame.unsubscribe);
  const { id, call, args } = frame;
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
    return refuse(null, 'badFrame', 'The frame has no valid id.');
  }
  if (!isCallName(call)) return refuse(id, 'unknownCall', `There is no call ${quoteName(call)}.`);
  const parsed = parseCallArgs(call, args);
  if (!parsed.ok) return refuse(id, 'badArguments', `The call "${call}" does not accept this: ${parsed.reason}.`);
  return { ok: true, frame: { kind: 'call', id, call, args: parsed.args } };
}

/** Reads one text frame of a node; null when it is none of the three. */
export function parseServerFrame(text: string): ServerFrame | null {
  const frame = parseJsonObject(text);
  if (frame === null) return null;
  if (isEventName(frame.event)) return { event: frame.event, payload: frame.payload };
  if (typeof frame.id === 'number' && 'result' in frame) return { id: frame.id, result: frame.result };
  if ((typeof frame.id === 'number' || frame.id === null) && typeof frame.fault === 'object' && frame.fault !== null) {
    return { id: frame.id, fault: frame.fault as ApiFault };
  }
  return null;
}

function parseSubscription(kind: 'subscribe' | 'unsubscribe', event: unknown): ParsedClientFrame {
  if (!isEventName(event)) return refuse(null, 'unknownEvent', `There is no event ${quoteName(event)}.`);
  return { ok: true, frame: { kind, event } };
}

function parseJsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function refuse(id: number | null, code: string, message: string): ParsedClientFrame {
  const fix = 'Use a client of the same version as the node; the calls are listed in src-main/engine/api.ts.';
  return { ok: false, id, fault: { code, message, fix } };
}

function quoteName(name: unknown): string {
  return typeof name === 'string' ? JSON.stringify(name.slice(0, 40)) : 'of that kind';
}
