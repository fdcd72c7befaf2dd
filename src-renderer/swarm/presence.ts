/** One row for each way of being in the swarm. A missing row does not compile. */
import type { NodeRole, SwarmPresence } from '../../src-main/engine/api.ts';
import type { Tone } from '../ui/tone.ts';

export const presenceLooks: Record<SwarmPresence, { label: string; tone: Tone; aside: string }> = {
  off: { label: 'Swarm off', tone: 'neutral', aside: 'The node trains on its own groups only.' },
  joining: { label: 'Joining', tone: 'info', aside: 'The node trains on its own groups meanwhile.' },
  alone: {
    label: 'Alone',
    tone: 'info',
    aside: 'Nobody else is here yet. The node keeps training and trades as soon as a peer appears.',
  },
  connected: { label: 'Connected', tone: 'good', aside: '' },
  offline: {
    label: 'No network',
    tone: 'honey',
    aside: 'The node keeps training and joins by itself when a network appears.',
  },
};

const halfAsides: Record<Exclude<NodeRole, 'both'>, string> = {
  generates: 'The node goes on generating; peers that come find what it shared of late.',
  trains: 'The node trains on peers’ groups alone, so it waits for them.',
};

/** What that means for the node; empty where there is nothing to say. */
export function asideOf(presence: SwarmPresence, role: NodeRole): string {
  return role === 'both' || presence === 'connected' ? presenceLooks[presence].aside : halfAsides[role];
}
