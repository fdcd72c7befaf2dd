/** Child process of the CLI tests: a fake node served for real on an ephemeral port, found through runtime.json in argv[2]. */
import type { PeerRow } from '../../../src-main/engine/api.ts';
import { serveNode } from '../../../src-main/engine/serve/serve-node.ts';
import { createFakeNode, exampleState, exampleStatus } from '../serve/fake-node.ts';

const row = (message: string) => ({ at: 1_700_000_000_000, level: 'info' as const, source: 'engine', message });
const peerRow = (changes: Partial<PeerRow>): PeerRow => ({
  peer: 'cd'.repeat(32),
  connected: true,
  policyName: 'tiny',
  latencyMs: null,
  path: 'direct',
  bytesIn: 2_048,
  bytesOut: 1_024,
  groupsReceived: 40,
  groupsGiven: 25,
  role: 'both',
  adoptedLastHour: 0,
  rejected: {},
  lastSeenAt: 7,
  ...changes,
});
let state = exampleState();
const node = createFakeNode({
  status: () => exampleStatus({ state }),
  pause: () => (state = exampleState('paused')),
  resume: () => (state = exampleState()),
  quit: () => {
    setTimeout(end, 50);
    return null;
  },
  peers: () => [
    peerRow({ peer: 'ab'.repeat(32), connected: false, path: null, policyName: 'red \u001b[31mname' }),
    peerRow({ path: 'lan', latencyMs: 12.4, adoptedLastHour: 17, rejected: { expired: 2, oversize: 1 } }),
  ],
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
