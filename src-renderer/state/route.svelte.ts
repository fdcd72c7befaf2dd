/** Which view is shown, kept in the address after `#/`. */
import { viewNames, type ViewName } from '../../src-main/engine/view-names.ts';

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
