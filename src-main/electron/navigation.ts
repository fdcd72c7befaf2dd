/**
 * Where the window may go, as pure decisions: our own page, a few web sites that open in the user's browser, and the
 * `waggle:` links other programs may send. Everything else is refused. Knows no Electron.
 */

import type { ViewName } from '../engine/api.ts';

export const appScheme = 'app';
const appHost = 'waggle';
export const appOrigin = `${appScheme}://${appHost}`;
export const appPage = `${appOrigin}/index.html`;

/** Hosts that links in the app may open, in the user's browser and over https only. */
const externalHosts: ReadonlySet<string> = new Set(['github.com', 'huggingface.co', 'arxiv.org']);

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

/** True for an address of our own page. `new URL().origin` is "null" for custom schemes, hence scheme and host. */
export function isAppPage(text: string): boolean {
  const url = parseUrl(text);
  return url?.protocol === `${appScheme}:` && url.host === appHost && url.username === '';
}

/** The address to hand to the browser, or null when it may not be opened. */
export function externalLink(text: string): string | null {
  const url = parseUrl(text);
  if (url?.protocol !== 'https:' || !externalHosts.has(url.hostname)) return null;
  return url.username === '' && url.password === '' && url.port === '' ? url.href : null;
}

const everyView: Record<ViewName, true> = {
  home: true,
  training: true,
  leaderboard: true,
  swarm: true,
  rollouts: true,
  tasks: true,
  log: true,
};
export const views = Object.keys(everyView) as ViewName[];

/** The address of a view within our page. */
export function viewUrl(view: ViewName): string {
  return `${appPage}#/${view}`;
}

/**
 * The view that a `waggle:` link among command-line arguments asks for, or null. A link from outside can do no more than
 * choose a view: it carries no parameters.
 */
export function viewOfDeepLink(args: readonly string[]): ViewName | null {
  for (const argument of args) {
    const match = /^waggle:\/{0,2}([a-z]+)\/?$/.exec(argument);
    const view = views.find((name) => name === match?.[1]);
    if (view) return view;
  }
  return null;
}
