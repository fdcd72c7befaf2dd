/**
 * From a data folder to a connection to the node that runs on it. Knows nothing of what is asked then.
 * Every way of not finding one is a `NodeFault` with its own code and fix.
 */
import { loadConfig } from '../config.ts';
import { connectNode, type RemoteNode } from '../engine/serve/client.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import { readRuntimeFile, type RuntimeInfo } from '../engine/serve/runtime-file.ts';

/** Where the user said the node lives. */
export interface NodePlace {
  data?: string;
  config?: string;
}

export interface FoundNode {
  node: RemoteNode;
  runtime: RuntimeInfo;
}

export function dataDirectoryOf(place: NodePlace, env: NodeJS.ProcessEnv): string {
  return loadConfig({ flags: { data: place.data }, env, file: place.config }).config.dataDirectory;
}

/** Throws `ConfigError`, or `NodeFault`: `noNode`, `nodeEnded`, `runtimeUnreadable`, and those of `connectNode`. */
export async function findNode(place: NodePlace, env: NodeJS.ProcessEnv): Promise<FoundNode> {
  const dataDirectory = dataDirectoryOf(place, env);
  const found = await readRuntimeFile(dataDirectory);
  if (!found.ok) throw notFound(found.reason, dataDirectory, found.path);
  const node = await connectNode({ port: found.info.port, token: found.info.token });
  return { node, runtime: found.info };
}

/** Nobody is there: the data folder may be asked, or changed, in the node's place. */
export function isNotRunning({ code }: NodeFault): boolean {
  return code === 'noNode' || code === 'nodeEnded';
}

/** Null where no node runs, by the faults that `isAbsent` takes for that. Throws what else `findNode` throws. */
export async function findNodeIfAny(
  place: NodePlace,
  env: NodeJS.ProcessEnv,
  isAbsent: (fault: NodeFault) => boolean = isNotRunning,
): Promise<FoundNode | null> {
  try {
    return await findNode(place, env);
  } catch (error) {
    if (error instanceof NodeFault && isAbsent(error)) return null;
    throw error;
  }
}

function notFound(reason: 'missing' | 'stale' | 'unreadable', dataDirectory: string, path: string): NodeFault {
  const start = 'Start one with: waggle start --headless (or name its folder with --data DIR).';
  if (reason === 'missing') {
    return new NodeFault({ code: 'noNode', message: `No node is running on ${dataDirectory}.`, fix: start });
  }
  if (reason === 'stale') {
    const message = `The node on ${dataDirectory} has ended without saying goodbye.`;
    return new NodeFault({
      code: 'nodeEnded',
      message,
      fix: 'Start it again with: waggle start --headless. It goes on from its last checkpoint.',
    });
  }
  const fix = `Check that this user may read it; if it is damaged, delete it and start the node again.`;
  return new NodeFault({ code: 'runtimeUnreadable', message: `${path} cannot be read or is damaged.`, fix });
}
