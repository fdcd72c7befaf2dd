/**
 * Where `waggle swarm` asks: the node that runs on the data folder, which then moves over at once, or the folder itself when no
 * node runs there. Both are the same implementation (swarm/membership); knows nothing of words on a terminal.
 */
import { dataFolderPaths } from '../engine/data-folder.ts';
import type { NodeFault } from '../engine/serve/faults.ts';
import { openIdentity } from '../swarm/identity/identity.ts';
import { Membership, type NewSwarm, type SwarmCard } from '../swarm/membership/membership.ts';
import { swarmListPath, type SwarmList } from '../swarm/membership/swarm-list.ts';
import { listTaskSets } from '../tasks/task-sets.ts';
import { dataDirectoryOf, findNodeIfAny, isNotRunning, type FoundNode, type NodePlace } from './find-node.ts';

export interface KnownSwarms {
  swarms: SwarmCard[];
  active: string | null;
  /** Why the choice has no effect for now; null where it has, or where that shows at the next start only. */
  overruled: string | null;
}

export interface SwarmDesk {
  /** True when a running node answers. */
  running: boolean;
  list(): Promise<KnownSwarms>;
  join(link: string): Promise<KnownSwarms>;
  /** `active` is the new one. */
  create(wanted: Required<NewSwarm>): Promise<KnownSwarms>;
  choose(id: string | null): Promise<KnownSwarms>;
  leave(id: string): Promise<KnownSwarms>;
  inviteOf(id: string): Promise<string>;
}

/** Throws what `work` throws, and faults of the way to a node that runs but does not answer. */
export async function withSwarmDesk<T>(
  place: NodePlace,
  env: NodeJS.ProcessEnv,
  work: (desk: SwarmDesk) => Promise<T>,
): Promise<T> {
  const isAbsent = (fault: NodeFault): boolean => isNotRunning(fault) || fault.code === 'unreachable';
  const found = await findNodeIfAny(place, env, isAbsent);
  if (found === null) return work(deskOfFolder(dataDirectoryOf(place, env)));
  try {
    return await work(deskOfNode(found));
  } finally {
    await found.node.close();
  }
}

function deskOfNode({ node }: FoundNode): SwarmDesk {
  return {
    running: true,
    list: () => node.invoke('swarms', null),
    join: (link) => node.invoke('joinSwarm', { link }),
    create: (wanted) => node.invoke('createSwarm', wanted),
    choose: (id) => node.invoke('chooseSwarm', { id }),
    leave: (id) => node.invoke('leaveSwarm', { id }),
    inviteOf: async (id) => (await node.invoke('swarmInvite', { id })).link,
  };
}

function deskOfFolder(root: string): SwarmDesk {
  const membership = new Membership({
    path: swarmListPath(root),
    taskSets: listTaskSets(),
    keyPair: async () => (await openIdentity(dataFolderPaths(root).identity)).keyPair,
  });
  const known = ({ swarms, active }: SwarmList): KnownSwarms => {
    return { swarms: swarms.map((invite) => membership.card(invite)), active, overruled: null };
  };
  return {
    running: false,
    list: async () => known(await membership.list()),
    join: async (link) => known(await membership.join(link)),
    create: async (wanted) => known((await membership.create(wanted)).list),
    choose: async (id) => known(await membership.choose(id)),
    leave: async (id) => known(await membership.leave(id)),
    inviteOf: (id) => membership.inviteOf(id),
  };
}
