/** The benefit meter's report as the page draws it, pure: points of the chart, labels, words. */
import type { BenefitReport } from '../../src-main/engine/api.ts';
import type { Tone } from '../ui/tone.ts';

export interface Interval {
  /** For people, for example "Rounds 26 to 50". */
  label: string;
  /** In points of a hundred. */
  mean: number;
  low: number;
  high: number;
  /** Counted in the figure over all comparisons. */
  counts: boolean;
}

const NORMAL_95 = 1.96;

export const verdictLabels: Record<BenefitReport['verdict'], { text: string; tone: Tone }> = {
  none: { text: 'Not known yet', tone: 'neutral' },
  early: { text: 'Too early to tell', tone: 'neutral' },
  inconclusive: { text: 'No clear difference', tone: 'neutral' },
  helps: { text: 'Peers help', tone: 'good' },
  hurts: { text: 'Peers hurt', tone: 'bad' },
};

export const activityLabels: Record<BenefitReport['activity'], string> = {
  off: 'Not measured',
  noPeers: 'No peers’ groups yet',
  saving: 'Between comparisons',
  following: 'Comparison running',
  comparing: 'Comparison running',
};

/** Each comparison's difference with the 95 % interval of its held-out tasks, oldest first. */
export function intervals(rows: BenefitReport['rows']): Interval[] {
  return rows.map((row) => {
    const mean = 100 * (row.withPeers - row.alone);
    const half = 100 * NORMAL_95 * row.standardError;
    return {
      label: `Rounds ${row.fromRound + 1} to ${row.round}`,
      mean,
      low: mean - half,
      high: mean + half,
      counts: row.counts,
    };
  });
}

/** "+2.1", "−0.5", "0.0". */
export function formatPoints(points: number): string {
  const size = Math.abs(points).toFixed(1);
  return size === '0.0' ? size : `${points < 0 ? '−' : '+'}${size}`;
}

/** Round limits around all of `values` and 0, and at least `least` to either side, so that noise does not look large. */
export function symmetricLimit(values: readonly number[], least = 5): number {
  const most = Math.max(least, ...values.map(Math.abs));
  const step = most <= 10 ? 5 : most <= 30 ? 10 : 25;
  return Math.ceil(most / step) * step;
}

export function describeSharing({ mode, ownGroups, peerGroups }: BenefitReport['sharing']): string {
  const groups = `Each round trains on up to ${ownGroups} own groups and ${peerGroups} of peers`;
  return mode === 'adaptive' ? `${groups}; the split follows these comparisons.` : `${groups}, as set.`;
}
