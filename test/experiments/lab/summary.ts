/** Curves of rounds -> the few numbers that experiments compare. Knows nothing of what the curves are of. */

/** Mean of each whole window of rounds; values that a round does not have are left out. */
export function windowMeans(curve: readonly (number | null)[], windowRounds: number): number[] {
  const windows = Math.max(1, Math.floor(curve.length / windowRounds));
  return Array.from({ length: windows }, (_, w) => {
    const known = curve.slice(w * windowRounds, (w + 1) * windowRounds).filter((value) => value !== null);
    return known.reduce((sum, value) => sum + value, 0) / known.length;
  });
}

/** Means of the first, the best and the last window. */
export function summariseCurve(
  curve: readonly number[],
  windowRounds: number,
): { first: number; peak: number; last: number } {
  const means = windowMeans(curve, windowRounds);
  return { first: means[0]!, peak: Math.max(...means), last: means.at(-1)! };
}
