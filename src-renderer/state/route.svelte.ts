/**
 * Which view is shown, kept in the address after `#/`; and an invite that came with it (`#/swarm?join=LINK`), from a link in a
 * browser or from the desktop shell. The invite is taken out of the address at once: it may hold a secret. Nothing is joined by it.
 */
import type { ViewName } from '../../src-main/engine/api.ts';

const known: Record<ViewName, true> = {
  home: true,
  training: true,
  models: true,
  leaderboard: true,
  swarm: true,
  rollouts: true,
  tasks: true,
  log: true,
};
/** Longer texts are no invites; the node says the same. */
const maxInviteCharacters = 2048;

const isView = (name: string): name is ViewName => Object.hasOwn(known, name);

export function parseRoute(hash: string): { view: ViewName; invite: string | null } {
  const [name = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const view = isView(name) ? name : 'home';
  const invite = view === 'swarm' ? /^join=([^&]+)/.exec(query)?.[1] : undefined;
  return { view, invite: invite === undefined ? null : decoded(invite).slice(0, maxInviteCharacters) };
}

/** A text that is no percent-encoding stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export class Route {
  view = $state<ViewName>(parseRoute(location.hash).view);
  /** To be looked at and joined, if the reader wants; whoever shows it sets it back to null. */
  invite = $state<string | null>(null);

  start(): () => void {
    const read = (): void => {
      const { view, invite } = parseRoute(location.hash);
      this.view = view;
      if (invite === null) return;
      this.invite = invite;
      history.replaceState(history.state, '', `#/${view}`);
    };
    read();
    window.addEventListener('hashchange', read);
    return () => window.removeEventListener('hashchange', read);
  }
}
