/**
 * A compute server in this very process behind the host's side of the protocol, so that a test can hold and cancel it at a
 * known place. Messages are cloned and come a turn later, as between processes. Knows nothing of what is checked.
 */
import { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import type { ComputeCalls, OpenedPolicy, ToCompute } from '../../../native-models/runtime/compute-protocol.ts';
import { ComputeServer } from '../../../native-models/runtime/compute-server.ts';
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import { loweringFor } from '../../../native-models/runtime/provider.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import type { Objective } from '../../../src-main/objective/objective.ts';

export function startCompute(): ComputeHost {
  let hear: (message: unknown) => void = () => undefined;
  const server = new ComputeServer((message) => {
    const copy: unknown = structuredClone(message);
    setImmediate(() => hear(copy));
  });
  return new ComputeHost(() => ({
    post: (message) => {
      const copy = structuredClone(message) as ToCompute;
      setImmediate(() => server.receive(copy));
    },
    onMessage: (listener) => (hear = listener),
    onExit: () => undefined,
    kill: () => undefined,
    pid: null,
  }));
}

export async function openCompute(
  args: Partial<ComputeCalls['open']['args']> = {},
): Promise<{ compute: ComputeHost; opened: OpenedPolicy }> {
  const compute = startCompute();
  const opened = await compute.call('open', {
    policyDirectory: bundledPolicyDirectory(),
    checkpointDirectory: null,
    provider: 'cpu',
    threads: 0,
    ...args,
  });
  return { compute, opened };
}

export async function define(compute: ComputeHost, opened: OpenedPolicy, { name, loss }: Objective): Promise<void> {
  const model = lowerGraph(gradientGraph(opened.config, loss), loweringFor('cpu'), name);
  await compute.call('defineObjective', { name, model });
}
