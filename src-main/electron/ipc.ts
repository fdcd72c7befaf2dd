/**
 * The door between the window and the node: every message is checked for who sends it (only the top frame of our own
 * page) and for what it says (a known call, arguments that fit its schema) before the node hears of it.
 * Knows no Electron: the IPC objects come in by shape, so hostile senders can be tested under plain Node.
 * Invariant: whatever arrives, the answer is an `Envelope`; nothing here throws across the boundary.
 */
import { isCallName, isEventName, parseCallArgs } from '../engine/api-schema.ts';
import type { ApiFault, EventName, NodeClient } from '../engine/api.ts';
import { clientFault } from '../engine/serve/faults.ts';

export const channels = {
  invoke: 'waggle:invoke',
  subscribe: 'waggle:subscribe',
  unsubscribe: 'waggle:unsubscribe',
  event: 'waggle:event',
} as const;

/** Errors lose their fields on Electron's way through `invoke`, so results and faults travel as data. */
export type Envelope = { ok: true; result: unknown } | { ok: false; fault: ApiFault };

/** The part of Electron's IpcMainInvokeEvent that is looked at. */
export interface IpcEvent {
  senderFrame: { url: string; parent: unknown } | null;
  sender: {
    id: number;
    send(channel: string, ...args: unknown[]): void;
    isDestroyed(): boolean;
    once(event: 'destroyed', listener: () => void): unknown;
  };
}

export interface IpcRegistry {
  handle(channel: string, listener: (event: IpcEvent, ...args: unknown[]) => unknown): void;
}

export interface IpcGateParts {
  client: NodeClient;
  /** True for the address of our own page. */
  isAppPage(url: string): boolean;
}

function refusal(code: string, message: string): Envelope {
  return { ok: false, fault: { code, message, fix: 'This is a fault of the app; please report it.' } };
}

const foreignSender = refusal('foreignSender', 'The message did not come from the page of this app.');

/** Registers the three handlers. */
export function openIpcGate(ipc: IpcRegistry, parts: IpcGateParts): void {
  const fromOurPage = (event: IpcEvent) => event.senderFrame?.parent === null && parts.isAppPage(event.senderFrame.url);
  const subscriptions = new Map<number, Map<EventName, () => void>>();

  ipc.handle(channels.invoke, async (event, name, args): Promise<Envelope> => {
    if (!fromOurPage(event)) return foreignSender;
    if (!isCallName(name)) return refusal('unknownCall', 'There is no call of this name.');
    const parsed = parseCallArgs(name, args);
    if (!parsed.ok) return refusal('badArguments', `The call "${name}" does not accept this: ${parsed.reason}.`);
    try {
      return { ok: true, result: await parts.client.invoke(name, parsed.args) };
    } catch (thrown) {
      return { ok: false, fault: clientFault(thrown, name) };
    }
  });

  const endAll = (senderId: number) => {
    for (const unsubscribe of subscriptions.get(senderId)?.values() ?? []) unsubscribe();
    subscriptions.delete(senderId);
  };

  ipc.handle(channels.subscribe, (event, name): Envelope => {
    if (!fromOurPage(event)) return foreignSender;
    if (!isEventName(name)) return refusal('unknownEvent', 'There is no event of this name.');
    const { sender } = event;
    let ofSender = subscriptions.get(sender.id);
    if (!ofSender) {
      ofSender = new Map<EventName, () => void>();
      subscriptions.set(sender.id, ofSender);
      sender.once('destroyed', () => endAll(sender.id));
    }
    if (!ofSender.has(name)) {
      const push = (payload: unknown) => {
        if (!sender.isDestroyed()) sender.send(channels.event, name, payload);
      };
      ofSender.set(name, parts.client.subscribe(name, push));
    }
    return { ok: true, result: null };
  });

  ipc.handle(channels.unsubscribe, (event, name): Envelope => {
    if (!fromOurPage(event)) return foreignSender;
    if (!isEventName(name)) return refusal('unknownEvent', 'There is no event of this name.');
    const ofSender = subscriptions.get(event.sender.id);
    ofSender?.get(name)?.();
    ofSender?.delete(name);
    return { ok: true, result: null };
  });
}
