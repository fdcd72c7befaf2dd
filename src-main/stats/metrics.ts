/**
 * Every number that a round records, once: name, label, unit and what it measures, in plain words. The store, the API, the
 * charts and the docs read this table; a round row may only carry names that are in it. Computing them is the business of the
 * stage that knows the number. A metric that does not apply to a round is left out of its row, never set to 0.
 *
 * Units: `share` is 0..1. Per-token numbers of several groups are means over completion tokens unless said otherwise.
 */

interface MetricText {
  label: string;
  unit: string;
  meaning: string;
}

const table = {
  ownReward: {
    label: 'Reward, own answers',
    unit: 'share',
    meaning:
      'Mean reward of all answers the policy gave this round, before anything was filtered: 1 is every answer right.',
  },
  adoptedReward: {
    label: 'Reward, adopted answers',
    unit: 'share',
    meaning: "Mean reward, recomputed here, of the peers' answers trained on this round.",
  },
  heldOutReward: {
    label: 'Held-out score',
    unit: 'share',
    meaning: 'Mean reward on a fixed set of tasks that is never trained on, answered greedily.',
  },
  solvedTasks: {
    label: 'Tasks solved',
    unit: 'share',
    meaning: 'Share of own tasks that at least one answer of the group got right.',
  },
  groupSpread: {
    label: 'Spread in a group',
    unit: 'reward',
    meaning:
      'Mean over own groups of the standard deviation of the rewards in the group; without spread there is nothing to learn from.',
  },
  zeroAdvantage: {
    label: 'Groups without signal',
    unit: 'share',
    meaning: 'Share of own groups in which all answers had the same reward, so that they were not trained on.',
  },
  completionTokens: {
    label: 'Length of an answer',
    unit: 'tokens',
    meaning: 'Mean tokens of an own answer, its end token included.',
  },
  truncated: {
    label: 'Answers cut off',
    unit: 'share',
    meaning: 'Share of own answers that reached the token limit before they ended.',
  },
  entropy: {
    label: 'Entropy, own answers',
    unit: 'nats',
    meaning:
      'How undecided the policy was: mean of minus the log-probability of the tokens it sampled, an estimate of its entropy per token.',
  },

  ownGroups: {
    label: 'Own groups trained',
    unit: 'groups',
    meaning: 'Own groups in the training set of this round (I).',
  },
  peerGroups: {
    label: "Peers' groups trained",
    unit: 'groups',
    meaning: "Peers' groups in the training set of this round (J).",
  },
  tooForeignGroups: {
    label: 'Left out as too foreign',
    unit: 'groups',
    meaning:
      "Peers' groups that were drawn and then left out because they surprised the policy more than maxSurpriseGap.",
  },
  sharedGroups: { label: 'Groups shared', unit: 'groups', meaning: 'Own groups offered to the swarm this round.' },
  admittedGroups: {
    label: 'Groups admitted',
    unit: 'groups',
    meaning: "Peers' groups that passed every check since the last round.",
  },
  rejectedRecords: {
    label: 'Records rejected',
    unit: 'records',
    meaning: 'Records from peers that failed a check since the last round.',
  },
  pooledGroups: {
    label: 'Groups in the pool',
    unit: 'groups',
    meaning: 'Checked groups of peers that wait to be trained on, at the end of the round.',
  },
  staleness: {
    label: 'Age of adopted groups',
    unit: 'rounds',
    meaning: 'Mean number of own rounds that adopted groups had waited in the pool.',
  },
  peers: { label: 'Peers', unit: 'peers', meaning: 'Peers connected at the end of the round.' },

  gradientNorm: {
    label: 'Gradient norm',
    unit: '',
    meaning: 'Length of the whole gradient before clipping, mean over the optimiser steps of the round.',
  },
  learningRate: { label: 'Learning rate', unit: '', meaning: 'Step size of the last optimiser step of the round.' },
  optimiserSteps: { label: 'Optimiser steps', unit: 'steps', meaning: 'Updates of the policy this round.' },
  updateNorm: {
    label: 'Size of the update',
    unit: '',
    meaning: 'Length of the change of all weights by the optimiser this round.',
  },
  lossGrpo: {
    label: 'Loss, GRPO',
    unit: '',
    meaning:
      'Value of the GRPO objective on own groups; it hovers near 0 and says little about progress: watch the reward.',
  },
  clippedTokens: {
    label: 'Tokens clipped',
    unit: 'share',
    meaning: 'GRPO: share of tokens whose importance ratio lay outside the clip range, so that they gave no gradient.',
  },
  importanceRatio: {
    label: 'Importance ratio',
    unit: '',
    meaning:
      'GRPO: mean of the probability of a token now over its probability when it was sampled; 1 on fresh answers, about 1 where they were sampled from compressed weights.',
  },
  ownNll: {
    label: 'S, own answers',
    unit: 'nats',
    meaning:
      'Mean negative log-probability per token of own trained answers under the policy now: how surprising they are to it.',
  },
  peerNll: {
    label: "S, peers' answers",
    unit: 'nats',
    meaning:
      "Mean negative log-probability per token of peers' trained answers under the policy now: how foreign they are to it.",
  },
  stabilisedHigh: {
    label: 'Held back: sure and right',
    unit: 'share',
    meaning:
      'ASymPO: share of tokens of better answers that were already so likely that the stabiliser stopped raising them.',
  },
  stabilisedLow: {
    label: 'Held back: unlikely and wrong',
    unit: 'share',
    meaning:
      'ASymPO: share of tokens of worse answers that were already so unlikely that the stabiliser stopped lowering them.',
  },
  ownBalance: {
    label: 'Balance, own answers',
    unit: '',
    meaning:
      'How strongly worse own answers weighed against better ones in the gradient, at the scale of their surprise: 1 is even, far above 1 the policy mostly unlearns.',
  },
  peerBalance: {
    label: "Balance, peers' answers",
    unit: '',
    meaning:
      "The same for peers' answers: ASymPO holds it near 1 however foreign they are, which is why it is used for them.",
  },
  referenceKl: {
    label: 'Distance from the start',
    unit: 'nats',
    meaning:
      'GRPO with klWeight: estimate per token of how far the policy has moved from what it was before training (k3).',
  },

  demonstrations: {
    label: 'Demonstrations imitated',
    unit: 'answers',
    meaning: 'BRIDGE: right answers of others that the policy imitated this round.',
  },
  demonstrationPeers: {
    label: 'Peers demonstrating',
    unit: 'peers',
    meaning: "BRIDGE: peers whose right answers were among this round's demonstrations.",
  },
  lossSft: {
    label: 'S, demonstrations',
    unit: 'nats',
    meaning:
      'BRIDGE: mean negative log-probability per token of the demonstrations, the loss of imitating them: how surprising they still are.',
  },
  cooperativeGain: {
    label: 'Cooperative gain',
    unit: '',
    meaning:
      "BRIDGE: how much better this round's rewards are met by the policy that also imitates than by its twin that sees rewards only, by the objectives' own values on the same answers.",
  },
  bridgeLambda: {
    label: 'Weight of the rewards',
    unit: 'share',
    meaning: 'BRIDGE: share of the rewards in what the policy learns from; the rest is imitation.',
  },
  adapterGradientNorm: {
    label: 'Gradient norm, second adapter',
    unit: '',
    meaning: "BRIDGE: length of the second adapter's gradient before clipping, mean over the round's steps.",
  },

  generatedTokens: { label: 'Tokens generated', unit: 'tokens', meaning: 'Tokens that the policy sampled this round.' },
  trainedTokens: {
    label: 'Tokens trained',
    unit: 'tokens',
    meaning:
      'Prompt and completion tokens that passed through the gradient this round, padding not counted, each pass counted.',
  },
  generateTokensPerSecond: {
    label: 'Generation speed',
    unit: 'tokens/s',
    meaning: 'Sampled tokens over the seconds of the generate stage.',
  },
  trainTokensPerSecond: {
    label: 'Training speed',
    unit: 'tokens/s',
    meaning: 'Trained tokens over the seconds of the train stage.',
  },
  generateSeconds: { label: 'Time: generate', unit: 's', meaning: 'Seconds in which the policy answered tasks.' },
  verifySeconds: { label: 'Time: verify', unit: 's', meaning: 'Seconds in which own answers were checked.' },
  shareSeconds: { label: 'Time: share', unit: 's', meaning: 'Seconds to sign and offer own groups.' },
  admitSeconds: { label: 'Time: admit', unit: 's', meaning: "Seconds to choose from the pool of peers' groups." },
  trainSeconds: { label: 'Time: train', unit: 's', meaning: 'Seconds of scoring, gradients and updates.' },
  recordSeconds: {
    label: 'Time: record',
    unit: 's',
    meaning: 'Seconds to save the round and, when one was due, the checkpoint.',
  },
  computeMegabytes: {
    label: 'Memory, compute',
    unit: 'MB',
    meaning: 'Resident memory of the compute process at the end of the round.',
  },
  nodeMegabytes: {
    label: 'Memory, node',
    unit: 'MB',
    meaning: 'Resident memory of the node process at the end of the round.',
  },
} as const satisfies Record<string, MetricText>;

export type MetricName = keyof typeof table;
/** What a stage hands over: only defined names, each finite or left out. */
export type MetricValues = Partial<Record<MetricName, number>>;

export interface MetricDefinition extends MetricText {
  name: MetricName;
}

/** In the order in which they are shown. */
export const metricDefinitions: readonly MetricDefinition[] = (Object.keys(table) as MetricName[]).map((name) => ({
  name,
  ...table[name],
}));

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(table, name);
}

/**
 * Drops what cannot be stored or drawn: names not in the table, and numbers that are not finite. Returns the dropped names so
 * that the engine can log them: a NaN gradient norm is news, not a number.
 */
export function finiteMetrics(values: Readonly<Record<string, number | undefined>>): {
  metrics: MetricValues;
  dropped: string[];
} {
  const metrics: MetricValues = {};
  const dropped: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    if (isMetricName(name) && Number.isFinite(value)) metrics[name] = value;
    else dropped.push(name);
  }
  return { metrics, dropped };
}
