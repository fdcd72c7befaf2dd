/** What the comparisons with and without peers' groups say together, as data and in plain words. Pure. */
import { poolDifferences } from '../../stats/paired-difference.ts';
import type { BenefitReport, BenefitRow } from '../api.ts';

/** Verdicts need so many: fewer cannot tell how far comparisons differ by luck. */
const FIRST_VERDICT = 3;
/** Older ones are of a policy, and of peers, that are no more. */
const POOLED_ROWS = 30;
export const SHOWN_ROWS = 60;

/** Why nothing is measured. */
export type BenefitOff =
  | { kind: 'unwanted' }
  | { kind: 'role'; role: 'generates' | 'trains' }
  | { kind: 'noSwarm' }
  | { kind: 'noPeerGroups' }
  | { kind: 'bridge' }
  | { kind: 'memory'; bytes: number }
  | { kind: 'failed'; message: string };

export type BenefitActivity =
  | { name: 'off'; why: BenefitOff }
  | { name: 'noPeers' }
  /** Share of the next comparison's computing that is saved up, 0 to 1. */
  | { name: 'saving'; share: number }
  | { name: 'following'; round: number; rounds: number }
  | { name: 'comparing' };

const offTexts: { [K in BenefitOff['kind']]: (why: Extract<BenefitOff, { kind: K }>) => string } = {
  unwanted: () => 'Not measured: the setting benefitPercent is 0.',
  role: ({ role }) =>
    role === 'generates'
      ? 'Not measured: this node only generates, it trains on nothing.'
      : 'Not measured: this node only trains, it has no groups of its own to compare with.',
  noSwarm: () => 'Not measured: the swarm is switched off.',
  noPeerGroups: () => 'Not measured: no peers’ groups are trained on, because the setting peerGroups is 0.',
  bridge: () => 'Not measured while BRIDGE trains the policy.',
  memory: ({ bytes }) =>
    `Not measured: a second copy of what is trained would take ${(bytes / 2 ** 30).toFixed(1)} GB of memory.`,
  failed: ({ message }) => `Not measured until the node is started again, because a comparison failed: ${message}`,
};

const activityTexts: {
  [K in BenefitActivity['name']]: (activity: Extract<BenefitActivity, { name: K }>, resting: boolean) => string;
} = {
  off: ({ why }) => (offTexts[why.kind] as (why: BenefitOff) => string)(why),
  noPeers: (_, resting) =>
    resting
      ? 'Peers’ groups are left out for some hundred rounds, because they were found to hurt; then they are tried again.'
      : 'No peers’ groups were trained on in the last round, so there is nothing to compare.',
  saving: ({ share }) =>
    share < 1
      ? `The next comparison begins when enough computing is saved up for it: ${Math.floor(100 * Math.max(0, share))} % so far.`
      : 'The next comparison begins after this round.',
  following: ({ round, rounds }) =>
    `Comparison in progress: round ${round} of ${rounds} with peers. Then the same rounds are trained without them.`,
  comparing: () =>
    'Comparison in progress: the same rounds are trained once more without peers; training goes on afterwards.',
};

const points = (share: number): string => Math.abs(100 * share).toFixed(1);
const signedPoints = (share: number): string => `${share < 0 ? '−' : '+'}${points(share)}`;

/** A branch that found a twentieth too few groups was not trained as much. */
export function isEqualTraining({ groupsWithPeers, groupsAlone }: BenefitRow): boolean {
  return groupsAlone >= 0.95 * groupsWithPeers;
}

/** Rows that ask the same tasks as the latest, and whose branches trained on equally many groups. */
function comparable(rows: readonly BenefitRow[]): BenefitRow[] {
  const latest = rows.at(-1);
  return rows
    .filter(({ taskSet, taskSetVersion }) => taskSet === latest?.taskSet && taskSetVersion === latest.taskSetVersion)
    .filter(isEqualTraining)
    .slice(-POOLED_ROWS);
}

type Findings = Pick<BenefitReport, 'verdict' | 'text' | 'pooled'>;

export function benefitFindings(rows: readonly BenefitRow[]): Findings {
  const pooled = poolDifferences(
    comparable(rows).map(({ withPeers, alone, standardError }) => ({ mean: withPeers - alone, standardError })),
  );
  if (!pooled)
    return { verdict: 'none', pooled: null, text: rows.length > 0 ? unequalText(rows) : 'No comparison yet.' };
  const { trials: comparisons, mean, low, high } = pooled;
  const verdict = comparisons < FIRST_VERDICT ? 'early' : low > 0 ? 'helps' : high < 0 ? 'hurts' : 'inconclusive';
  const way =
    Math.abs(mean) < 0.0005 ? 'as well as without' : `${points(mean)} points ${mean > 0 ? 'higher' : 'lower'}`;
  const from = comparisons === 1 ? 'one comparison' : `${comparisons} comparisons`;
  const found = `With peers’ rollouts your policy scores ${way} on held-out tasks, 95 % interval ${signedPoints(low)} to ${signedPoints(high)}, from ${from}`;
  return { verdict, pooled: { comparisons, mean, low, high }, text: `${found}${verdictTexts[verdict]}` };
}

const verdictTexts: Record<Exclude<BenefitReport['verdict'], 'none'>, string> = {
  early: '; too early to tell.',
  inconclusive: '; that may still be chance.',
  helps: ': they help.',
  hurts: ': they hurt.',
};

function unequalText(rows: readonly BenefitRow[]): string {
  const { groupsAlone, groupsWithPeers } = rows.at(-1)!;
  return `No fair comparison yet: without peers the policy found only ${groupsAlone} of ${groupsWithPeers} groups worth training on, even among four times the tasks.`;
}

export function benefitReport(
  rows: readonly BenefitRow[],
  activity: BenefitActivity,
  { percent, sharing }: Pick<BenefitReport, 'percent' | 'sharing'>,
): BenefitReport {
  const say = activityTexts[activity.name] as (activity: BenefitActivity, resting: boolean) => string;
  const resting = sharing.mode === 'adaptive' && sharing.peerGroups === 0;
  return {
    activity: activity.name,
    ...benefitFindings(rows),
    activityText: say(activity, resting),
    percent,
    sharing,
    rows: rows.slice(-SHOWN_ROWS).map((row) => ({ ...row, counts: isEqualTraining(row) })),
  };
}
