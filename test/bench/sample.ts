/** Repeated measurements and what is said of them. Pure but for the clock. */

export interface Sample {
  median: number;
  min: number;
  max: number;
  repetitions: number;
}

/** @param values at least one */
export function sampleOf(values: readonly number[]): Sample {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)!, repetitions: sorted.length };
}

/** Runs `work` some times unmeasured, then measured. @param work returns how many units (tokens) it did; @returns units per second */
export async function unitsPerSecond(
  { warmUps, repetitions }: { warmUps: number; repetitions: number },
  work: (repetition: number) => Promise<number>,
): Promise<Sample> {
  const rates: number[] = [];
  for (let i = 0; i < warmUps + repetitions; i++) {
    const startedAt = performance.now();
    const units = await work(i);
    if (i >= warmUps) rates.push((units * 1000) / (performance.now() - startedAt));
  }
  return sampleOf(rates);
}
