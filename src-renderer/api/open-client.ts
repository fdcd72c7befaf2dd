/** Chooses the transport: the desktop shell's bridge where there is one, else a WebSocket to the host that served the page. */
import { BridgeClient } from './bridge-client.ts';
import type { LinkedClient } from './connection.ts';
import { WebSocketClient } from './websocket-client.ts';

export function openClient(): LinkedClient {
  if (window.waggle) return new BridgeClient(window.waggle);
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return new WebSocketClient(`${scheme}//${location.host}/api`);
}
