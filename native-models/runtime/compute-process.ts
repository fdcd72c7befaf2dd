/**
 * Entry of the compute process: owns the one `PolicyRuntime` and answers the calls of compute-protocol.ts. It may be killed at
 * any moment: all it keeps beyond a call is in the last checkpoint. Ends by itself when its parent goes away.
 */
import { ComputeServer } from './compute-server.ts';
import type { FromCompute, ToCompute } from './compute-protocol.ts';

/** Electron's utility process has `parentPort`, a forked Node process has `process.send`. */
interface ParentPort {
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
  postMessage(message: unknown): void;
}
const parentPort = (process as unknown as { parentPort?: ParentPort }).parentPort;

function post(message: FromCompute): void {
  if (parentPort) parentPort.postMessage(message);
  // Without a callback a parent that is gone would be an uncaught error.
  else process.send?.(message, () => undefined);
}

const server = new ComputeServer(post);
if (parentPort) parentPort.on('message', ({ data }) => server.receive(data as ToCompute));
else process.on('message', (message) => server.receive(message as ToCompute));
// Not `exit`: the runtime's own clean-up crashes while tensors lie on a card (onnxruntime-node 1.30).
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// Ctrl-C reaches the whole process group; the node process decides when this one ends.
process.on('SIGINT', () => undefined);
post({ kind: 'ready' });
