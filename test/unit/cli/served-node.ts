/** Child process of the CLI tests: a fake node served for real on an ephemeral port, found through runtime.json in argv[2]. */
import { serveNode } from '../../../src-main/engine/serve/serve-node.ts';
import { createFakeNode, exampleState, exampleStatus } from '../serve/fake-node.ts';

const row = (message: string) => ({ at: 1_700_000_000_000, level: 'info' as const, source: 'engine', message });
let state = exampleState();
const node = createFakeNode({
  status: () => exampleStatus({ state }),
  pause: () => (state = exampleState('paused')),
  resume: () => (state = exampleState()),
  quit: () => {
    setTimeout(end, 50);
    return null;
  },
  log: () => [row('first'), row('red \u001b[31mtext\u001b[0m\u0007')],
});
const served = await serveNode({
  api: node.api,
  dataDirectory: process.argv[2]!,
  rendererDirectory: '/nowhere',
  port: 0,
});
const chatter = setInterval(() => node.emit('log', row('later')), 50);
function end(): void {
  clearInterval(chatter);
  void served.close().then(() => process.disconnect());
}
process.once('message', end);
process.send?.('ready');
