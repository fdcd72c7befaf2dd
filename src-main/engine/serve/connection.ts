/**
 * One authorised client on its WebSocket: reads frames, calls the API, sends results and events.
 * Knows nothing of HTTP, tokens or what a call does.
 *
 * Invariants: no frame of a client can throw out of here; a result is always sent; a slow reader gets only the newest of the
 * `latest` events and is closed when more than `maxBufferedBytes` wait for it; subscriptions end with the connection.
 */
import { WebSocket } from 'ws';
import type { CallName, Calls, EventName, NodeApi } from '../api.ts';
import { eventDelivery, windowOnlyCalls } from '../api-schema.ts';
import { clientFault, faultOf, onlyInTheApp } from './faults.ts';
import { createRateLimit, type RateLimit } from './rate-limit.ts';
import { parseClientFrame, type ClientFrame, type ServerFrame } from './wire.ts';

export interface ConnectionLimits {
  rate: RateLimit;
  /** Frames over the rate or unreadable, after which the client is sent away. */
  maxOffences: number;
  maxCallsInFlight: number;
  /** Above this, `latest` events wait until the reader has caught up. */
  slowBufferedBytes: number;
  /** Above this, the connection is closed. */
  maxBufferedBytes: number;
  pingEveryMs: number;
}

export const connectionLimits: ConnectionLimits = {
  rate: { burst: 200, perSecond: 50 },
  maxOffences: 100,
  maxCallsInFlight: 32,
  slowBufferedBytes: 256 * 1024,
  maxBufferedBytes: 16 * 1024 * 1024,
  pingEveryMs: 30_000,
};

/** WebSocket close codes (RFC 6455, 7.4.1). */
const closeCodes = { goingAway: 1001, unsupported: 1003, policy: 1008, tryLater: 1013 } as const;

export interface Connection {
  /** Says goodbye; ends the socket after `graceMs` if the client does not answer. */
  close(graceMs: number): void;
}

export type ReportError = (message: string, error: unknown) => void;

export function serveConnection(
  socket: WebSocket,
  api: NodeApi,
  limits: ConnectionLimits,
  reportError: ReportError,
): Connection {
  const takeMessage = createRateLimit(limits.rate);
  const outbox = createOutbox(socket, limits);
  const subscriptions = new Map<EventName, () => void>();
  let callsInFlight = 0;
  let offences = 0;

  const offend = (frame: ServerFrame): void => {
    outbox.send(frame);
    offences += 1;
    if (offences > limits.maxOffences) socket.close(closeCodes.policy, 'too many refused frames');
  };

  const subscribe = (event: EventName): void => {
    if (subscriptions.has(event)) return;
    const unsubscribe = api.subscribe(event, (payload) => outbox.sendEvent(event, payload));
    subscriptions.set(event, unsubscribe);
  };

  const call = async (frame: Extract<ClientFrame, { kind: 'call' }>): Promise<void> => {
    callsInFlight += 1;
    try {
      outbox.send({ id: frame.id, result: (await invoke(api, frame.call, frame.args)) ?? null });
    } catch (error) {
      if (faultOf(error) === null) reportError(`The call "${frame.call}" failed`, error);
      outbox.send({ id: frame.id, fault: clientFault(error, frame.call) });
    } finally {
      callsInFlight -= 1;
    }
  };

  const receive = (text: string): void => {
    const parsed = parseClientFrame(text);
    if (!takeMessage()) {
      offend({ id: frameId(parsed), fault: tooFast });
    } else if (!parsed.ok) {
      offend({ id: parsed.id, fault: parsed.fault });
    } else if (parsed.frame.kind === 'call') {
      if (callsInFlight < limits.maxCallsInFlight) void call(parsed.frame);
      else offend({ id: parsed.frame.id, fault: tooFast });
    } else if (parsed.frame.kind === 'subscribe') {
      subscribe(parsed.frame.event);
    } else {
      subscriptions.get(parsed.frame.event)?.();
      subscriptions.delete(parsed.frame.event);
    }
  };

  const stopPinging = keepAlive(socket, limits.pingEveryMs);
  socket.on('error', () => socket.terminate()); // oversize frames, broken UTF-8, resets
  socket.on('close', () => {
    stopPinging();
    for (const unsubscribe of subscriptions.values()) unsubscribe();
    subscriptions.clear();
  });
  socket.on('message', (content, isBinary) => {
    try {
      if (isBinary) socket.close(closeCodes.unsupported, 'text frames only');
      else receive((content as Buffer).toString('utf8'));
    } catch (error) {
      reportError('A frame of a client could not be handled', error);
    }
  });

  return {
    close(graceMs) {
      socket.close(closeCodes.goingAway, 'the node is ending');
      setTimeout(() => socket.terminate(), graceMs).unref();
    },
  };
}

const tooFast = {
  code: 'tooManyRequests',
  message: 'This client asks faster than the node answers.',
  fix: 'Wait a second, and subscribe to events instead of polling.',
};

interface Outbox {
  send(frame: ServerFrame): void;
  sendEvent(event: EventName, payload: unknown): void;
}

function createOutbox(socket: WebSocket, limits: ConnectionLimits): Outbox {
  /** The newest of each `latest` event that the reader was too slow for. */
  const waiting = new Map<EventName, unknown>();

  const send = (frame: ServerFrame): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify(frame), sendWaiting);
    if (socket.bufferedAmount > limits.maxBufferedBytes) {
      socket.close(closeCodes.tryLater, 'reads too slowly');
      socket.terminate(); // the goodbye would wait behind the buffer
    }
  };

  const sendWaiting = (): void => {
    if (socket.bufferedAmount > limits.slowBufferedBytes / 2) return;
    for (const [event, payload] of waiting) {
      waiting.delete(event);
      send({ event, payload });
    }
  };

  return {
    send,
    sendEvent(event, payload) {
      if (eventDelivery[event] === 'latest' && socket.bufferedAmount > limits.slowBufferedBytes) {
        waiting.set(event, payload);
      } else {
        waiting.delete(event);
        send({ event, payload });
      }
    },
  };
}

async function invoke(api: NodeApi, call: CallName, args: Calls[CallName]['args']): Promise<unknown> {
  if (windowOnlyCalls.includes(call)) throw onlyInTheApp(call === 'backupWords' ? call : 'restoreIdentity');
  return await api.invoke(call, args); // parsed by the row of this very call
}

function frameId(parsed: ReturnType<typeof parseClientFrame>): number | null {
  if (!parsed.ok) return parsed.id;
  return parsed.frame.kind === 'call' ? parsed.frame.id : null;
}

/** Ends connections whose other side has gone without saying so. */
function keepAlive(socket: WebSocket, everyMs: number): () => void {
  let answered = true;
  socket.on('pong', () => (answered = true));
  const timer = setInterval(() => {
    if (answered) socket.ping();
    else socket.terminate();
    answered = false;
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
