/** The measures of training in the order a reader asks for them; names as in `src-main/stats/metrics.ts`. */
export interface Panel {
  title: string;
  /** One or two metrics on one scale: own first, then peers'. */
  metrics: readonly [string] | readonly [string, string];
  /** How to read it. */
  note: string;
}

export const panels: readonly Panel[] = [
  {
    title: 'Spread in a group',
    metrics: ['groupSpread'],
    note: 'How differently the answers to one task did. Near 0 there is nothing left to compare: tasks are too easy or too hard.',
  },
  {
    title: 'Groups without signal',
    metrics: ['zeroAdvantage'],
    note: 'Share of own groups in which all answers did equally well.',
  },
  {
    title: 'Entropy',
    metrics: ['entropy'],
    note: 'How undecided the policy is. It falls while it learns; near 0 it no longer tries anything new.',
  },
  {
    title: 'Surprise',
    metrics: ['ownNll', 'peerNll'],
    note: 'How unexpected trained answers are to the policy now, in nats per token. Peers that differ much stand above.',
  },
  {
    title: 'Cooperative gain',
    metrics: ['cooperativeGain'],
    note: 'BRIDGE: how much better rewards are met with demonstrations than by the twin without. Around 0 they do not help yet.',
  },
  {
    title: 'Surprise of demonstrations',
    metrics: ['ownNll', 'lossSft'],
    note: 'BRIDGE: the policy’s own answers against those it imitates, in nats per token. Where the two meet, there is little left to imitate.',
  },
  {
    title: 'Weight of the rewards',
    metrics: ['bridgeLambda'],
    note: 'BRIDGE: share of the rewards in what is learned from; the rest is imitation. 100 % in rounds without demonstrations.',
  },
  {
    title: 'Balance of worse against better',
    metrics: ['ownBalance', 'peerBalance'],
    note: '1 is even. Far above 1 the policy mostly unlearns, which is what ruins naive training on others’ answers.',
  },
  {
    title: 'Gradient norm',
    metrics: ['gradientNorm'],
    note: 'Size of the push on all weights before it is limited. Sudden peaks hint at a learning rate that is too high.',
  },
  {
    title: 'Clipped by GRPO',
    metrics: ['clippedTokens'],
    note: 'Share of tokens that had moved far enough already. Stays 0 with one pass per round.',
  },
  {
    title: 'Held back by ASymPO',
    metrics: ['stabilisedHigh', 'stabilisedLow'],
    note: 'Share of tokens that were sure and right, or unlikely and wrong, already.',
  },
  {
    title: 'Age of adopted groups',
    metrics: ['staleness'],
    note: 'Rounds that peers’ groups had waited here before they were trained on.',
  },
  {
    title: 'Distance from the start',
    metrics: ['referenceKl'],
    note: 'How far the policy has moved from what it was before training; only with a KL term.',
  },
];
