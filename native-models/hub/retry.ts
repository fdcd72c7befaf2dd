/**
 * Tries again what may succeed later: waits longer each time, as long as a server asks where it does, and gives up within
 * bounds. Knows nothing of HTTP but HubError; waiting and chance are handed in.
 */
import { setTimeout as sleepTimer } from 'node:timers/promises';
import { cancelledError, HubError } from './hub-error.ts';

export interface RetryPolicy {
  /** In a row without progress, the first included. */
  attempts: number;
  firstWaitMs: number;
  maxWaitMs: number;
  /** A server that asks to wait longer than this is a failure, with its wish in the message. */
  maxRetryAfterMs: number;
  sleep: (waitMs: number, signal: AbortSignal | undefined) => Promise<void>;
  /** In [0,1): spreads the waits of many clients. */
  random: () => number;
}

export const defaultRetry: RetryPolicy = {
  attempts: 6,
  firstWaitMs: 1000,
  maxWaitMs: 30_000,
  maxRetryAfterMs: 5 * 60_000,
  sleep: (waitMs, signal) => sleepTimer(waitMs, undefined, signal ? { signal } : undefined),
  random: Math.random,
};

const OFFLINE_ATTEMPTS = 3;

export interface Attempt {
  signal?: AbortSignal | undefined;
  /** Told before each wait. */
  onWait?: (reason: HubError, waitMs: number) => void;
  /** Grows when something arrived for good; such a failure starts the count anew, unless the server was slow. */
  progress?: () => number;
}

/** @throws the last HubError, or any other error at once. */
export async function withRetries<T>(
  policy: RetryPolicy,
  { signal, onWait, progress = () => 0 }: Attempt,
  attempt: () => Promise<T>,
): Promise<T> {
  let failures = 0;
  for (;;) {
    const before = progress();
    try {
      return await attempt();
    } catch (error) {
      if (signal?.aborted) throw cancelledError();
      if (!(error instanceof HubError) || !error.mayTryAgain) throw error;
      failures = progress() > before && error.code === 'hubCut' ? 1 : failures + 1;
      // Nothing has come yet and nobody is there: most likely there is no network at all.
      const offline = error.code === 'hubOffline' && progress() === 0;
      const attempts = offline ? Math.min(OFFLINE_ATTEMPTS, policy.attempts) : policy.attempts;
      if (failures >= attempts || (error.retryAfterMs ?? 0) > policy.maxRetryAfterMs) throw error;
      const waitMs = error.retryAfterMs ?? backOffMs(policy, failures);
      onWait?.(error, waitMs);
      try {
        await policy.sleep(waitMs, signal);
      } catch {
        throw cancelledError();
      }
    }
  }
}

function backOffMs({ firstWaitMs, maxWaitMs, random }: RetryPolicy, failures: number): number {
  return Math.min(maxWaitMs, firstWaitMs * 2 ** (failures - 1)) * (0.75 + 0.5 * random());
}

/** `Retry-After` in seconds or as a date (RFC 9110), else the reset time of the `RateLimit` header; null where absent. */
export function retryAfterMs(headers: Record<string, string | string[] | undefined>, nowMs: number): number | null {
  const stated = first(headers['retry-after'])?.trim();
  if (stated !== undefined && /^\d{1,9}$/.test(stated)) return Number(stated) * 1000;
  const date = stated === undefined ? NaN : Date.parse(stated);
  if (!Number.isNaN(date)) return Math.max(0, date - nowMs);
  const reset = /\bt=(\d{1,9})\b/.exec(first(headers['ratelimit']) ?? '')?.[1];
  return reset === undefined ? null : Number(reset) * 1000;
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
