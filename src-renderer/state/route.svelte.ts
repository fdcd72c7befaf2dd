/** Which view is shown, kept in the address after `#/`. */
export const viewNames = ['home', 'leaderboard', 'training', 'swarm', 'rollouts', 'tasks', 'log'] as const;
export type ViewName = (typeof viewNames)[number];

export function parseRoute(hash: string): ViewName {
  const name = hash.replace(/^#\/?/, '');
  return viewNames.find((view) => view === name) ?? 'home';
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
