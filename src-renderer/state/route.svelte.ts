/** Which view is shown, kept in the address after `#/`. */
import type { ViewName } from '../../src-main/engine/api.ts';

const known: Record<ViewName, true> = {
  home: true,
  training: true,
  leaderboard: true,
  swarm: true,
  rollouts: true,
  tasks: true,
  log: true,
};

const isView = (name: string): name is ViewName => Object.hasOwn(known, name);

export function parseRoute(hash: string): ViewName {
  const name = hash.replace(/^#\/?/, '');
  return isView(name) ? name : 'home';
}

export class Route {
  view = $state<ViewName>(parseRoute(location.hash));

  start(): () => void {
    const read = (): void => {
      this.view = parseRoute(location.hash);
    };
    window.addEventListener('hashchange', read);
    return () => window.removeEventListener('hashchange', read);
  }
}
