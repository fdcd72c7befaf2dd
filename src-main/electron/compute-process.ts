/**
 * Entry of the compute process under Electron: the same `ComputeServer` as everywhere, spoken to over the port that main
 * hands over, whose other end the node holds. Knows nothing of windows.
 */
import type { ToCompute } from '../../native-models/runtime/compute-protocol.ts';
import { ComputeServer } from '../../native-models/runtime/compute-server.ts';
import { withHandedPort } from './handed-port.ts';

withHandedPort((pipe) => {
  const server = new ComputeServer((message) => pipe.post(message));
  // Both ends are ours: the node made the message and Electron copied it.
  pipe.onMessage((message) => server.receive(message as ToCompute));
  pipe.post({ kind: 'ready' });
});
