/**
 * How far a node is, in one line, for a terminal that watches one or several. Knows nothing of where the status comes from.
 * Text of peers does not occur in it; numbers keep their columns, so that lines can be compared by eye.
 */
import type { NodeApi, NodeStatus } from '../engine/api.ts';
import { countOf, formatCount } from './quantities.ts';
import { harmless } from './terminal.ts';

type Progress = Pick<NodeStatus, 'role' | 'state' | 'round' | 'meanReward' | 'swarm'>;

/** "round   12  mean reward 0.431  2 peers  24 groups shared, 12 adopted"; what keeps it from training comes first. */
export function progressLine({ role, state, round, meanReward, swarm }: Progress): string {
  const reward =
    meanReward === null
      ? role === 'trains'
        ? 'no own answers   '
        : 'no reward yet    '
      : `mean reward ${meanReward.toFixed(3)}`;
  const peers = countOf(swarm.peers, 'peer').padEnd(7);
  const trade = `${formatCount(swarm.groupsShared).padStart(4)} groups shared, ${formatCount(swarm.groupsAdopted)} adopted`;
  const progress = `round ${formatCount(round).padStart(4)}  ${reward}  ${peers}  ${trade}`;
  return state.name === 'training'
    ? role === 'generates'
      ? `generating only: ${progress}`
      : progress
    : `${harmless(state.text)}: ${progress}`;
}

/** Says how far the node is after its first round, and then every `everyMs` in which it did one. Returns what ends that. */
export function reportProgress(api: NodeApi, say: (line: string) => void, everyMs = 30_000): () => void {
  let saidAtMs = -Infinity;
  return api.subscribe('round', () => {
    if (performance.now() - saidAtMs < everyMs) return;
    saidAtMs = performance.now();
    api.invoke('status', null).then(
      (status) => say(progressLine(status)),
      () => undefined, // on its way out
    );
  });
}
