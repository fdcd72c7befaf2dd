/** Learning-rate schedules as functions of the step about to be taken, 0-based. Fresh Adam moments need the warm-up. */

/** Rises linearly over `warmupSteps`, then stays. */
export function warmupConstant(step: number, peak: number, warmupSteps: number): number {
  return peak * Math.min(1, (step + 1) / Math.max(1, warmupSteps));
}

/** Rises linearly, then falls along a cosine to `floor` at `totalSteps`. */
export function warmupCosine(step: number, peak: number, warmupSteps: number, totalSteps: number, floor = 0): number {
  if (step < warmupSteps) return warmupConstant(step, peak, warmupSteps);
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  return floor + (peak - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
}
