/**
 * How a worker process under Electron gets to speak with the node: main hands it one port, with its first message.
 * Knows nothing of what is said over it. Invariant: a worker whose node is gone ends, whatever it is doing.
 */
import { pipeOverEventPort } from './message-pipe.ts';
import type { MessagePipe } from './message-pipe.ts';

/** `serve` is called once, with the pipe to the node; it registers its message listener before it returns. */
export function withHandedPort(serve: (pipe: MessagePipe) => void): void {
  process.parentPort.once('message', ({ ports }) => {
    const [port] = ports;
    if (!port) return;
    const pipe = pipeOverEventPort(port);
    pipe.onClose(() => process.exit(0));
    serve(pipe);
  });
}
