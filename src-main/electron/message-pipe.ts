/**
 * The one shape of a message port that the shell's logic speaks to. Electron's MessagePortMain, a utility process's
 * parentPort and Node's own MessagePort each become one of these at the edge, so everything behind it runs under plain Node.
 * Invariant: one listener per kind; a message that arrives before its listener is the port's business, not ours.
 */
export interface MessagePipe {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once when the other side is gone. */
  onClose(listener: () => void): void;
  /** Idempotent. */
  close(): void;
}

/** What Electron's MessagePortMain offers; written out so that this file needs no Electron types. */
export interface EventPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown }) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  start(): void;
  close(): void;
}

/** A pipe over a MessagePortMain. Starts the port when the first listener is there, so nothing is lost. */
export function pipeOverEventPort(port: EventPort): MessagePipe {
  return {
    post: (message) => port.postMessage(message),
    onMessage(listener) {
      port.on('message', (event) => listener(event.data));
      port.start();
    },
    onClose: (listener) => void port.on('close', listener),
    close: () => port.close(),
  };
}
