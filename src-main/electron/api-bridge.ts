/**
 * Carries the typed API of a node (`engine/api.ts`) over a message pipe: `serveApi` stands in the node process,
 * `connectApi` in the shell's main process. Knows nothing of Electron, windows or what the calls mean.
 * Invariants: every call settles exactly once, also when the other side dies; a failure travels as an `ApiFault`,
 * never as a stack trace; the server holds one engine subscription per event name, however many listeners the client has.
 */
import { z } from 'zod';
import type { CallName, Calls, EventName, Events, NodeApi, NodeClient } from '../engine/api.ts';
import { clientFault, NodeFault } from '../engine/serve/faults.ts';
import type { MessagePipe } from './message-pipe.ts';

const toServer = z.discriminatedUnion('type', [
  z.object({ type: z.literal('call'), id: z.int().nonnegative(), name: z.string(), args: z.unknown() }),
  z.object({ type: z.literal('subscribe'), name: z.string() }),
  z.object({ type: z.literal('unsubscribe'), name: z.string() }),
]);
const faultSchema = z.object({ code: z.string(), message: z.string(), fix: z.string() });
const toClient = z.discriminatedUnion('type', [
  z.object({ type: z.literal('result'), id: z.int().nonnegative(), result: z.unknown() }),
  z.object({ type: z.literal('fault'), id: z.int().nonnegative(), fault: faultSchema }),
  z.object({ type: z.literal('event'), name: z.string(), event: z.unknown() }),
]);

function nodeGone(): NodeFault {
  return new NodeFault({
    code: 'nodeGone',
    message: 'The node process has ended before it answered.',
    fix: 'It is started again by itself; try once more in a few seconds.',
  });
}

/** Answers calls that come over `pipe` with `api`. Returns the function that ends it (idempotent). */
export function serveApi(pipe: MessagePipe, api: NodeApi): () => void {
  const endings = new Map<string, () => void>();
  const end = () => {
    for (const unsubscribe of endings.values()) unsubscribe();
    endings.clear();
  };
  const answer = async (id: number, name: string, args: unknown) => {
    try {
      // The engine parses name and arguments itself; the cast only says which overload is meant.
      const result = await api.invoke(name as CallName, args as Calls[CallName]['args']);
      pipe.post({ type: 'result', id, result });
    } catch (thrown) {
      pipe.post({ type: 'fault', id, fault: clientFault(thrown, name) });
    }
  };
  pipe.onMessage((raw) => {
    const parsed = toServer.safeParse(raw);
    if (!parsed.success) return;
    const message = parsed.data;
    if (message.type === 'call') void answer(message.id, message.name, message.args);
    else if (message.type === 'unsubscribe') {
      endings.get(message.name)?.();
      endings.delete(message.name);
    } else if (!endings.has(message.name)) {
      const { name } = message;
      const unsubscribe = api.subscribe(name as EventName, (event) => pipe.post({ type: 'event', name, event }));
      endings.set(name, unsubscribe);
    }
  });
  pipe.onClose(end);
  return end;
}

interface Pending {
  resolve: (result: never) => void;
  reject: (fault: NodeFault) => void;
}
type AnyListener = (event: never) => void;

/** A client of the node at the other end of `pipe`. `close` rejects what is still open with `nodeGone`. */
export function connectApi(pipe: MessagePipe): NodeClient & { close(): void } {
  const pending = new Map<number, Pending>();
  const listeners = new Map<string, Set<AnyListener>>();
  let nextId = 0;
  let closed = false;

  const close = () => {
    if (closed) return;
    closed = true;
    for (const call of pending.values()) call.reject(nodeGone());
    pending.clear();
    listeners.clear();
    pipe.close();
  };
  pipe.onClose(close);
  pipe.onMessage((raw) => {
    const parsed = toClient.safeParse(raw);
    if (!parsed.success) return;
    const message = parsed.data;
    if (message.type === 'event') {
      for (const listener of listeners.get(message.name) ?? []) listener(message.event as never);
      return;
    }
    const call = pending.get(message.id);
    pending.delete(message.id);
    if (message.type === 'result') call?.resolve(message.result as never);
    else call?.reject(new NodeFault(message.fault));
  });

  return {
    close,
    invoke<K extends CallName>(name: K, args: Calls[K]['args']) {
      return new Promise<Calls[K]['result']>((resolve, reject) => {
        if (closed) {
          reject(nodeGone());
          return;
        }
        const id = nextId++;
        pending.set(id, { resolve, reject });
        pipe.post({ type: 'call', id, name, args });
      });
    },
    subscribe<K extends EventName>(name: K, listener: (event: Events[K]) => void) {
      const ofName = listeners.get(name) ?? new Set<AnyListener>();
      listeners.set(name, ofName);
      // Wrapped, so that the same function subscribed twice counts twice.
      const entry: AnyListener = (event) => listener(event);
      ofName.add(entry);
      if (ofName.size === 1 && !closed) pipe.post({ type: 'subscribe', name });
      return () => {
        if (!ofName.delete(entry) || ofName.size > 0 || closed) return;
        pipe.post({ type: 'unsubscribe', name });
      };
    },
  };
}
