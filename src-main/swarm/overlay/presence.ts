/**
 * Where a node stands with its swarm, as one word and one sentence for people. Pure.
 */
export type Presence = 'off' | 'joining' | 'alone' | 'connected' | 'offline';

/** How long a node may call itself joining before it says what it found. */
const JOINING_MS = 12_000;

export interface PresenceFacts {
  suspended: boolean;
  /** Peers with a finished handshake. */
  peers: number;
  hasNetwork: boolean;
  /** Since the start, or since the last resume. */
  joiningMs: number;
}

export function presenceOf(facts: PresenceFacts): Presence {
  if (facts.suspended) return 'off';
  if (facts.peers > 0) return 'connected';
  if (facts.joiningMs < JOINING_MS) return 'joining';
  return facts.hasNetwork ? 'alone' : 'offline';
}

const TEXTS: Readonly<Record<Presence, (peers: number) => string>> = {
  off: () => 'Not taking part in the swarm',
  joining: () => 'Looking for other nodes',
  alone: () => 'Training alone: no other node found yet',
  connected: (peers) => `Trading with ${String(peers)} ${peers === 1 ? 'peer' : 'peers'}`,
  offline: () => 'Training alone: no network',
};

/** `trainsAlone`: whether the node goes on learning without others. */
export function presenceText(presence: Presence, peers: number, trainsAlone = true): string {
  const text = TEXTS[presence](peers);
  return trainsAlone ? text : text.replace(/^Training alone/, 'Alone');
}
