/** How often one client may speak: a bucket of `burst` messages that refills at `perSecond`. Knows nothing of messages. */
export interface RateLimit {
  burst: number;
  perSecond: number;
}

/** Returns a function that takes one message from the bucket and says whether there was one. */
export function createRateLimit({ burst, perSecond }: RateLimit, now: () => number = Date.now): () => boolean {
  let left = burst;
  let filledAtMs = now();
  return () => {
    const atMs = now();
    left = Math.min(burst, left + (Math.max(0, atMs - filledAtMs) / 1000) * perSecond);
    filledAtMs = atMs;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}
