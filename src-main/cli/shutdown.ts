/**
 * How a long-running command ends: by itself, by a signal, because its parent is gone, or by an error that nobody caught. In
 * every case it is closed in order within a deadline. Knows nothing of what is closed.
 *
 * Invariants: close is called once; a second signal ends at once, but not the echo of the first (npm forwards the Ctrl-C that
 * the terminal has already delivered); exactly one exit code comes out.
 */
import { describeError } from '../base/errors.ts';

export interface Lifetime {
  /** Fulfilled when the work has ended by itself. */
  ended: Promise<unknown>;
  close(): Promise<void>;
  /** One line for people. */
  say: (text: string) => void;
  /** An error that nobody caught, for the log. */
  report?(message: string, error: unknown): void;
  deadlineMs?: number;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] as const;
const echoMs = 700;

type Cause = { kind: 'ended' } | { kind: 'asked' } | { kind: 'error'; error: unknown };

/** Settles after the orderly end, with the exit code; a missed deadline or a second signal ends the process itself. */
export async function untilEnd(lifetime: Lifetime): Promise<number> {
  const { say, deadlineMs = 10_000 } = lifetime;
  const cause = await firstCause(lifetime);
  if (cause.kind === 'error') {
    lifetime.report?.('An error that nobody caught ends the node', cause.error);
    say(`waggle: ends because of an error: ${describeError(cause.error)}`);
  }
  if (cause.kind === 'asked') say('Saving and closing; press Ctrl-C again to end at once.');
  const deadline = setTimeout(() => {
    say(`waggle: could not close within ${deadlineMs / 1000} s, so it ends now; the last checkpoint is kept.`);
    process.exit(1);
  }, deadlineMs);
  try {
    await lifetime.close();
  } catch (error) {
    lifetime.report?.('Closing failed', error);
    say(`waggle: closing failed: ${describeError(error)}`);
    return 1;
  } finally {
    clearTimeout(deadline);
  }
  return cause.kind === 'error' ? 1 : 0;
}

function firstCause({ ended }: Lifetime): Promise<Cause> {
  return new Promise((resolve) => {
    let askedAtMs: number | null = null;
    const ask = (): void => {
      if (askedAtMs !== null && Date.now() - askedAtMs > echoMs) process.exit(130);
      askedAtMs ??= Date.now();
      resolve({ kind: 'asked' });
    };
    for (const signal of signals) process.on(signal, ask);
    process.on('disconnect', () => resolve({ kind: 'asked' })); // the parent (demo) is gone
    process.on('uncaughtException', (error) => resolve({ kind: 'error', error }));
    process.on('unhandledRejection', (error) => resolve({ kind: 'error', error }));
    ended.then(
      () => resolve({ kind: 'ended' }),
      (error: unknown) => resolve({ kind: 'error', error }),
    );
  });
}
