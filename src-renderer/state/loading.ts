/**
 * Shared by the controllers: run a load whenever the link to the node is (again) open, and when the node has gone over to another
 * policy, whose rounds and exams are others. Knows nothing of what is loaded.
 */
import type { ApiFault } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';

/** What a view shows while its rows are not there: still loading, there, or why not. */
export type Loading = { name: 'loading' } | { name: 'ready' } | { name: 'failed'; fault: ApiFault };

/**
 * Calls `load` on every opening of the link and after every change of the policy. `report` gets `ready` or `failed`; a lost link is not reported, because the page
 * says so itself and keeps what it has. Returns the function that ends it.
 */
export function loadWhenOpen(
  client: LinkedClient,
  load: () => Promise<void>,
  report: (loading: Loading) => void,
): () => void {
  let ended = false;
  let latest = 0;
  const run = (): void => {
    const mine = ++latest;
    load().then(
      () => {
        if (!ended && mine === latest) report({ name: 'ready' });
      },
      (error: unknown) => {
        const fault = toFault(error);
        if (!ended && mine === latest && fault.code !== 'connectionLost') report({ name: 'failed', fault });
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
    ends.forEach((end) => end());
  };
}
