/**
 * Differences between two scores on the same tasks, each with the spread it is known to; and what several such trials say
 * together. Plain numbers; knows nothing of policies or peers.
 *
 * One trial: mean of the differences task by task, its standard error from their spread over the tasks. That knows nothing of the
 * luck of the training that came before, so trials are pooled as random effects: the variance between them is estimated (DerSimonian and
 * Laird, 1986) and the interval is Hartung and Knapp's with Student's t of n - 1 degrees, never narrower than the plain one. With two
 * trials it is very wide, as it should be.
 */

export interface Difference {
  /** Of two scores from 0 to 1, so from -1 to 1. */
  mean: number;
  /** Above 0. */
  standardError: number;
}

export interface PooledDifference extends Difference {
  trials: number;
  /** Limits of the 95 % interval. */
  low: number;
  high: number;
}

/** Of 95 % intervals by degrees of freedom, from 1. */
const studentT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086,
];
const NORMAL = 1.96;

function quantile(degrees: number): number {
  return studentT[degrees - 1] ?? NORMAL + (NORMAL ** 3 + NORMAL) / (4 * degrees);
}

/**
 * `after[i] - before[i]` over the same tasks, at least two. The error is never below what half a right answer in all would
 * change: tasks that all came out alike do not prove that others would.
 */
export function pairedDifference(before: readonly number[], after: readonly number[]): Difference {
  const count = after.length;
  if (count < 2 || before.length !== count) throw new RangeError(`${before.length} and ${count} tasks are no pairs`);
  const differences = after.map((score, i) => score - before[i]!);
  const mean = differences.reduce((sum, one) => sum + one, 0) / count;
  const squares = differences.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  return { mean, standardError: Math.max(Math.sqrt(squares / (count - 1) / count), 0.5 / count) };
}

/** Null without trials; one alone has the interval of its tasks. */
export function poolDifferences(trials: readonly Difference[]): PooledDifference | null {
  const count = trials.length;
  if (count === 0) return null;
  if (count === 1) return interval(trials[0]!, 1, NORMAL);
  const between = varianceBetween(trials);
  const weights = trials.map(({ standardError }) => 1 / (standardError ** 2 + between));
  const total = sum(weights);
  const mean = sum(trials.map((trial, i) => weights[i]! * trial.mean)) / total;
  const scatter = sum(trials.map((trial, i) => weights[i]! * (trial.mean - mean) ** 2)) / (count - 1);
  return interval({ mean, standardError: Math.sqrt(Math.max(1, scatter) / total) }, count, quantile(count - 1));
}

function varianceBetween(trials: readonly Difference[]): number {
  const weights = trials.map(({ standardError }) => 1 / standardError ** 2);
  const total = sum(weights);
  const mean = sum(trials.map((trial, i) => weights[i]! * trial.mean)) / total;
  const scatter = sum(trials.map((trial, i) => weights[i]! * (trial.mean - mean) ** 2));
  const scale = total - sum(weights.map((weight) => weight ** 2)) / total;
  return Math.max(0, (scatter - (trials.length - 1)) / scale);
}

function interval({ mean, standardError }: Difference, trials: number, times: number): PooledDifference {
  return { mean, standardError, trials, low: mean - times * standardError, high: mean + times * standardError };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
