// The whole bridge into the page: `window.waggle`. CommonJS because a sandboxed preload must be; `tsc -b` emits it as
// preload.cjs. It can import nothing of ours at run time, so the channel names of ipc.ts stand here again (a test compares).
import type * as electron from 'electron';
import type { ApiFault, NodeClient } from '../engine/api.ts' with { 'resolution-mode': 'import' };

const { contextBridge, ipcRenderer } = require('electron') as typeof electron;

type Bridge = Record<keyof NodeClient, unknown>;
type Envelope = { ok: true; result: unknown } | { ok: false; fault: ApiFault };
type Listener = (event: unknown) => void;

const listeners = new Map<string, Set<Listener>>();
ipcRenderer.on('waggle:event', (_event, name: string, payload: unknown) => {
  for (const listener of listeners.get(name) ?? []) listener(payload);
});

const waggle = {
  async invoke(name: string, args: unknown): Promise<unknown> {
    const answer = (await ipcRenderer.invoke('waggle:invoke', name, args)) as Envelope;
    if (answer.ok) return answer.result;
    // A plain object crosses the context bridge whole; an Error would lose its code and fix.
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    return Promise.reject(answer.fault);
  },
  subscribe(name: string, listener: Listener): () => void {
    const ofName = listeners.get(name) ?? new Set();
    listeners.set(name, ofName);
    const entry: Listener = (event) => listener(event);
    ofName.add(entry);
    if (ofName.size === 1) void ipcRenderer.invoke('waggle:subscribe', name);
    return () => {
      if (ofName.delete(entry) && ofName.size === 0) void ipcRenderer.invoke('waggle:unsubscribe', name);
    };
  },
};

contextBridge.exposeInMainWorld('waggle', waggle satisfies Bridge);
