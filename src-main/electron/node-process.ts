/** Entry of the node process under Electron: `runNode` between the real parent port and the real engine. */
import { pipeOverEventPort } from './message-pipe.ts';
import { runNode } from './run-node.ts';
import { startEngine } from './start-engine.ts';

runNode({
  parent: {
    post: (message) => process.parentPort.postMessage(message),
    onMessage: (listener) => {
      process.parentPort.on('message', ({ data, ports }) => {
        listener(data, ports[0] ? pipeOverEventPort(ports[0]) : null);
      });
    },
  },
  startEngine,
  exit: (code) => process.exit(code),
});
