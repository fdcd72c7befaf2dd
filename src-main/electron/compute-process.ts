/**
 * Entry of the compute process under Electron: the same `ComputeServer` as everywhere, spoken to over the port that main
 * hands over, whose other end the node holds. Knows nothing of windows. Ends when the node's end of the port is gone.
 */
import type { ToCompute } from '../../native-models/runtime/compute-protocol.ts';
import { ComputeServer } from '../../native-models/runtime/compute-server.ts';
import { pipeOverEventPort } from './message-pipe.ts';

process.parentPort.once('message', ({ ports }) => {
  const [port] = ports;
  if (!port) return;
  const pipe = pipeOverEventPort(port);
  const server = new ComputeServer((message) => pipe.post(message));
  pipe.onClose(() => process.exit(0));
  // Both ends are ours: the node made the message and Electron copied it.
  pipe.onMessage((message) => server.receive(message as ToCompute));
  pipe.post({ kind: 'ready' });
});
