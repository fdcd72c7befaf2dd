/**
 * A `NodeClient` over WebSocket for programs on the same machine (the CLI, the demo): connects once, gives every call a time
 * limit, and does not reconnect. Knows nothing of where port and token come from.
 *
 * Invariants: every call settles; after the connection has ended every call rejects with a `NodeFault`; close() is idempotent.
 */
import { WebSocket } from 'ws';
import type { ApiFault, CallName, Calls, EventName, Events, NodeClient } from '../api.ts';
import { faultOf, NodeFault } from './faults.ts';
import { apiPath, parseServerFrame, wireLimits } from './wire.ts';

export interface ConnectOptions {
  host?: string;
  port: number;
  token: string;
  connectTimeoutMs?: number;
  callTimeoutMs?: number;
}

export interface RemoteNode extends NodeClient {
  /** Fulfilled when the connection has ended, by either side. */
  closed: Promise<void>;
  close(): Promise<void>;
}

interface PendingCall {
  resolve(result: unknown): void;
  reject(fault: NodeFault): void;
  timer: NodeJS.Timeout;
}

type Listener = (payload: never) => void;

/** Throws `NodeFault` with code `unreachable` or `notAuthorised`. */
export async function connectNode(options: ConnectOptions): Promise<RemoteNode> {
  const { host = '127.0.0.1', port, token, connectTimeoutMs = 3000, callTimeoutMs = 15_000 } = options;
  const socket = new WebSocket(`ws://${host}:${port}${apiPath}`, {
    headers: { authorization: `Bearer ${token}` },
    handshakeTimeout: connectTimeoutMs,
    maxPayload: wireLimits.maxReplyBytes,
    perMessageDeflate: false,
  });
  await opened(socket, port);
  return createRemoteNode(socket, callTimeoutMs);
}

function createRemoteNode(socket: WebSocket, callTimeoutMs: number): RemoteNode {
  const pending = new Map<number, PendingCall>();
  const listeners = new Map<EventName, Set<Listener>>();
  let nextId = 1;

  const settle = (id: number): PendingCall | undefined => {
    const call = pending.get(id);
    pending.delete(id);
    clearTimeout(call?.timer);
    return call;
  };
  const send = (frame: unknown): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  };

  socket.on('message', (content) => {
    const frame = parseServerFrame((content as Buffer).toString('utf8'));
    if (frame === null) return;
    if ('event' in frame) {
      for (const listener of listeners.get(frame.event) ?? []) listener(frame.payload as never);
    } else if ('result' in frame) {
      settle(frame.id)?.resolve(frame.result);
    } else if (frame.id !== null) {
      settle(frame.id)?.reject(new NodeFault(faultOf(frame.fault) ?? unreadableFault));
    }
  });
  socket.on('error', () => socket.terminate());
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      for (const id of [...pending.keys()]) settle(id)?.reject(new NodeFault(connectionEnded));
      listeners.clear();
      resolve();
    });
  });

  return {
    invoke<K extends CallName>(name: K, args: Calls[K]['args']): Promise<Calls[K]['result']> {
      if (socket.readyState !== WebSocket.OPEN) return Promise.reject(new NodeFault(connectionEnded));
      const id = nextId++;
      return new Promise<unknown>((resolve, reject) => {
        const timer = setTimeout(() => settle(id)?.reject(new NodeFault(tooSlow(name, callTimeoutMs))), callTimeoutMs);
        pending.set(id, { resolve, reject, timer });
        send({ id, call: name, args });
      }) as Promise<Calls[K]['result']>;
    },
    subscribe<K extends EventName>(name: K, listener: (event: Events[K]) => void): () => void {
      const ofThisName = listeners.get(name) ?? new Set<Listener>();
      listeners.set(name, ofThisName);
      if (ofThisName.size === 0) send({ subscribe: name });
      ofThisName.add(listener);
      return () => {
        if (ofThisName.delete(listener) && ofThisName.size === 0) send({ unsubscribe: name });
      };
    },
    closed,
    async close() {
      socket.close(1000);
      const giveUp = setTimeout(() => socket.terminate(), 500);
      await closed;
      clearTimeout(giveUp);
    },
  };
}

async function opened(socket: WebSocket, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', (error) => reject(new NodeFault({ ...unreachable(port, error.message), cause: error })));
    socket.once('unexpected-response', (request, response) => {
      const status = response.statusCode ?? 0;
      request.destroy();
      reject(new NodeFault(status === 401 ? notAuthorised(port) : unreachable(port, `it answered ${status}`)));
    });
  });
  socket.removeAllListeners('error');
  socket.removeAllListeners('unexpected-response');
}

const connectionEnded: ApiFault = {
  code: 'connectionEnded',
  message: 'The node has ended the connection.',
  fix: 'Check that it still runs: waggle status',
};

const unreadableFault: ApiFault = {
  code: 'unreadable',
  message: 'The node refused the call without a readable reason.',
  fix: 'Use a CLI of the same version as the node.',
};

function tooSlow(call: string, timeoutMs: number): ApiFault {
  const message = `The node did not answer "${call}" within ${timeoutMs / 1000} s.`;
  return { code: 'timeout', message, fix: 'It may be busy: try again, and see its log (`waggle logs`).' };
}

function unreachable(port: number, detail: string): ApiFault {
  const message = `No node answers on port ${port} (${detail}).`;
  return { code: 'unreachable', message, fix: 'Start one with: waggle start --headless' };
}

function notAuthorised(port: number): ApiFault {
  const message = `The program on port ${port} does not accept this node's token.`;
  return {
    code: 'notAuthorised',
    message,
    fix: 'Another node took the port: start this one again, with another --port.',
  };
}
