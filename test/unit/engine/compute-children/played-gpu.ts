/**
 * A compute process whose `webgpu` is played by the CPU and fails at each training step, in the manner that its environment
 * names. On any other provider it is the real thing.
 */
import { ComputeServer } from '../../../../native-models/runtime/compute-server.ts';
import type { PolicyRuntime } from '../../../../native-models/runtime/policy-runtime.ts';
import type { FromCompute, ToCompute } from '../../../../native-models/runtime/compute-protocol.ts';

const manners: Record<string, () => void> = {
  healthy: () => undefined,
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  exit: () => process.exit(134),
  /** As a driver call that never returns: the thread is blocked. */
  hang: () => {
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  },
  /** Every number comes back as NaN. */
  nan: () => (server as unknown as { policy: PolicyRuntime }).policy.weights.fill(NaN),
  /** As when the device is lost: the runtime throws, the process lives on. */
  throws: () => {
    const policy = (server as unknown as { policy: PolicyRuntime }).policy;
    policy.accumulate = () => Promise.reject(new Error('WebGPU device lost'));
  },
};
const fail = manners[process.env['PLAYED_GPU'] ?? '']!;
let played = false;
let openId = -1;

const server = new ComputeServer((message: FromCompute) => {
  if (played && message.kind === 'result' && message.id === openId)
    process.send!({ ...message, result: { ...(message.result as object), provider: 'webgpu' } });
  else process.send!(message);
});
process.on('message', (message) => {
  const asked = message as ToCompute;
  if (asked.kind === 'call' && asked.call === 'open') {
    openId = asked.id;
    played = asked.args.provider === 'webgpu';
    if (played) asked.args.provider = 'cpu';
  }
  if (asked.kind === 'call' && asked.call === 'accumulate' && played) fail();
  server.receive(asked);
});
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => undefined);
