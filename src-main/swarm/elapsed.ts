/**
 * Time for ages, rates and bans: monotonic, and counting the time that the machine slept. The process's own clock may stand still
 * meanwhile, so that last night's groups would look fresh in the morning. Sleep shows as the wall clock going ahead of it by more than any
 * correction; a wall clock set back, or ahead by less, changes nothing. Knows nothing of what is timed.
 */
const LEAST_SLEEP_MS = 60_000;

/** `now`: ms since epoch. `awake`: monotonic ms of this process. The result should be asked every few seconds. */
export function elapsedWithSleep(now: () => number, awake: () => number = () => performance.now()): () => number {
  let [lastNow, lastAwake, sleptMs] = [now(), awake(), 0];
  return () => {
    const [nowMs, awakeMs] = [now(), awake()];
    const aheadMs = nowMs - lastNow - (awakeMs - lastAwake);
    if (aheadMs > LEAST_SLEEP_MS) sleptMs += aheadMs;
    [lastNow, lastAwake] = [nowMs, awakeMs];
    return awakeMs + sleptMs;
  };
}
