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
  models: true,
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

/** The scheme that other programs' links to this app have. */
export const linkScheme = 'waggle';
/** More than any invite has; the node bounds it again, and decodes it. */
const maxLinkCharacters = 1024;

/**
 * The address within our page that a `waggle:` link among command-line arguments asks for, or null. Whoever sends it is a
 * stranger: it can choose a view, or have the page show what an invite says. It can join nothing: a person has to press the button.
 */
export function pageOfDeepLink(args: readonly string[]): string | null {
  for (const argument of args) {
    const page = argument.length <= maxLinkCharacters ? pageOf(argument) : null;
    if (page !== null) return page;
  }
  return null;
}

function pageOf(link: string): string | null {
  // The scheme and the part after // may come back from a browser in any case; the code itself is told apart by it.
  const code = /^waggle:\/\/join\/([\w-]+)\/?$/i.exec(link)?.[1];
  if (code !== undefined) return `${viewUrl('swarm')}?join=${encodeURIComponent(`waggle://join/${code}`)}`;
  const name = /^waggle:\/{0,2}([a-z]+)\/?$/.exec(link)?.[1];
  const view = views.find((known) => known === name);
  return view === undefined ? null : viewUrl(view);
}
