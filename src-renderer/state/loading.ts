/**
 * Shared by the controllers: run a load whenever the link to the node is (again) open, and when the node has gone over to another
 * policy, whose rounds and exams are others; for what the API does not push, again and again besides. Knows nothing of what is loaded.
 */
import type { ApiFault } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';

const RETRY_MS = 5_000;

/** What a view shows while its rows are not there: still loading, there, or why not. */
export type Loading = { name: 'loading' } | { name: 'ready' } | { name: 'failed'; fault: ApiFault };

/**
 * Calls `load` on every opening of the link and after every change of the policy, and again a while after it failed. `report` gets `ready` or `failed`; a lost link is not
 * reported, because the page says so itself and keeps what it has. Returns the function that ends it.
 */
export function loadWhenOpen(
  client: LinkedClient,
  load: () => Promise<void>,
  report: (loading: Loading) => void,
): () => void {
  let ended = false;
  let latest = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const run = (): void => {
    const mine = ++latest;
    clearTimeout(retry);
    load().then(
      () => {
        if (!ended && mine === latest) report({ name: 'ready' });
      },
      (error: unknown) => {
        const fault = toFault(error);
        if (ended || mine !== latest || fault.code === 'connectionLost') return;
        report({ name: 'failed', fault });
        retry = setTimeout(run, RETRY_MS);
      },
    );
  };
  const ends = [
    client.watchConnection((connection) => {
      if (connection.name === 'open') run();
    }),
    client.subscribe('policyChanged', run),
  ];
  return () => {
    ended = true;
    clearTimeout(retry);
    ends.forEach((end) => end());
  };
}

/** As `loadWhenOpen`, and every `everyMs` while the page is seen and `isWanted`. A repetition that fails leaves what is shown. */
export function loadRegularly(
  client: LinkedClient,
  load: () => Promise<void>,
  report: (loading: Loading) => void,
  { everyMs, isWanted = () => true }: { everyMs: number; isWanted?: () => boolean },
): () => void {
  const end = loadWhenOpen(client, load, report);
  let ended = false;
  const repeat = async (): Promise<void> => {
    await load();
    if (!ended) report({ name: 'ready' });
  };
  const timer = setInterval(() => {
    // A lost link is shown by the page; the next opening loads again.
    if (!document.hidden && isWanted()) repeat().catch(() => undefined);
  }, everyMs);
  return () => {
    ended = true;
    clearInterval(timer);
    end();
  };
}

const ROUNDS_GATHER_MS = 4000;

/** As `loadWhenOpen`, and as rounds finish, at most every few seconds. A repetition that fails leaves what is shown. */
export function loadAsRoundsFinish(
  client: LinkedClient,
  load: () => Promise<void>,
  report: (loading: Loading) => void,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ends = [
    loadWhenOpen(client, load, report),
    client.subscribe('round', () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        load().catch(() => undefined); // a lost link is told by the page itself
      }, ROUNDS_GATHER_MS);
    }),
    () => clearTimeout(timer),
  ];
  return () => ends.forEach((end) => end());
}
