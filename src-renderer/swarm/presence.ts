/** One row for each way of being in the swarm. A missing row does not compile. */
import type { SwarmPresence } from '../../src-main/engine/api.ts';
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
