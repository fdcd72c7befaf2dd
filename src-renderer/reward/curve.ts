/** The reward curve: smoothing and its sentence. Pure. */
import type { RoundRow } from '../../src-main/engine/api.ts';
import { formatShare, plural } from '../ui/format.ts';

/** Rounds after which an old value counts half in the smoothed line: 12, and more over a long history, so that it stays a line. */
function halfLifeRounds(rounds: readonly number[]): number {
  return Math.max(12, ((rounds.at(-1) ?? 0) - (rounds[0] ?? 0)) / 50);
}

/**
 * Exponential moving average that weighs by rounds passed rather than by points, so that a thinned history gives the same line.
 * Starts as a plain mean; null in, null out.
 */
export function smooth(
  rounds: readonly number[],
  values: readonly (number | null)[],
  halfLife = halfLifeRounds(rounds),
): (number | null)[] {
  let weighted = 0;
  let weight = 0;
  let last: number | null = null;
  return values.map((value, i) => {
    if (value === null) return null;
    const round = rounds[i]!;
    const keep = last === null ? 0 : 0.5 ** ((round - last) / halfLife);
    last = round;
    weighted = weighted * keep + value * (1 - 0.5 ** (1 / halfLife));
    weight = weight * keep + (1 - 0.5 ** (1 / halfLife));
    return weighted / weight;
  });
}

export function metricValues(rows: readonly RoundRow[], name: string): (number | null)[] {
  return rows.map((row) => row.metrics[name] ?? null);
}

/** "Own reward rose from 31 % to 45 % over 213 rounds." Speaks of the smoothed line, which is what a reader sees. */
export function describeCurve(
  rounds: readonly number[],
  smoothed: readonly (number | null)[],
  whose = 'own reward',
): string {
  const known = smoothed.flatMap((value, i) => (value === null ? [] : [{ value, round: rounds[i]! }]));
  const last = known.at(-1);
  if (!last) return 'No rewards yet.';
  const settled = known[Math.min(known.length - 1, Math.floor(known.length * 0.05))]!;
  const span = plural(last.round - known[0]!.round + 1, 'round');
  const change = last.value - settled.value;
  if (known.length < 3) return `The smoothed ${whose} is ${formatShare(last.value)} after ${span}.`;
  if (Math.abs(change) < 0.01) return `The smoothed ${whose} stayed near ${formatShare(last.value)} over ${span}.`;
  const word = change > 0 ? 'rose' : 'fell';
  return `The smoothed ${whose} ${word} from ${formatShare(settled.value)} to ${formatShare(last.value)} over ${span}.`;
}
