/**
 * What `npm start` and `waggle start` do: the desktop app where Electron's program and a display can be had, else the headless
 * node, saying in one line why. In a clone it first builds what is stale: everything for the app, only the renderer (and that
 * beside the running node) for headless. Knows nothing of training.
 */
import type { ChildProcess } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeError } from './base/errors.ts';
import { appVersion, isSourceCheckout } from './base/app-root.ts';
import { appIsStale, buildApp, buildRenderer, rendererIsBeingBuilt, rendererIsStale } from './cli/build.ts';
import { toArguments } from './cli/config-options.ts';
import { fetchElectron, findElectron, runDesktop, whyNoDisplay } from './cli/desktop.ts';
import type { Terminal } from './cli/terminal.ts';
import { loadConfig } from './config.ts';

export interface StartOptions {
  /** Values of the options as commander gives them; `config` and `json` besides the settings. */
  flags: Readonly<Record<string, unknown>>;
  env: NodeJS.ProcessEnv;
  terminal: Terminal;
}

const fetchTimeoutMs = 180_000;

/** Settles with the exit code when the app or the node has ended. Throws `ConfigError` before anything is started. */
export async function startWaggle({ flags, env, terminal }: StartOptions): Promise<number> {
  const file = typeof flags['config'] === 'string' ? flags['config'] : undefined;
  const loaded = loadConfig({ flags, env, file });
  const json = flags['json'] === true;
  const say = (text: string): void => (json ? terminal.complain(text) : terminal.print(text));
  say(`Waggle ${appVersion}`);
  if (!loaded.config.headless) {
    const reason = await openDesktop(flags, env, say);
    if (typeof reason === 'number') return reason;
    say(`No window: ${reason}. Running the headless node instead.`);
  }
  const toBuild = isSourceCheckout() && rendererIsStale() && !rendererIsBeingBuilt();
  const stopBuilding = toBuild ? buildBeside(say) : () => undefined;
  const { runHeadless } = await import('./headless.ts');
  try {
    return await runHeadless({ loaded, json, terminal });
  } finally {
    stopBuilding();
  }
}

/** Exit code of the app, or why it could not be opened. */
async function openDesktop(
  flags: StartOptions['flags'],
  env: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<number | string> {
  const reason = whyNoDisplay({ platform: process.platform, env, userId: process.getuid?.() ?? null });
  if (reason !== null) return reason;
  let program = findElectron();
  if (program === null) {
    say(`Fetching Electron's program (once, about 110 MB, at most ${fetchTimeoutMs / 60_000} minutes)...`);
    const fetched = await fetchElectron(fetchTimeoutMs);
    if (!fetched.ok) return fetched.reason;
    program = fetched.program;
  }
  if (isSourceCheckout()) {
    if (appIsStale() || rendererIsStale()) say('Building the app...');
    try {
      if (appIsStale()) await buildApp();
      if (rendererIsStale()) await buildRenderer();
    } catch (error) {
      return describeError(error);
    }
  }
  const end = await runDesktop(program, toArguments(flags));
  return end.opened ? end.exitCode : end.reason;
}

/** Builds the dashboard while the node starts; returns what ends the build if the node ends first. */
function buildBeside(say: (text: string) => void): () => void {
  say('Building the dashboard beside it...');
  let child: ChildProcess | null = null;
  let over = false;
  buildRenderer((started) => (child = started)).then(
    () => say('The dashboard is ready.'),
    (error: unknown) => {
      if (!over) say(`The dashboard could not be built; the node goes on without it. ${describeError(error)}`);
    },
  );
  return () => {
    over = true;
    child?.kill();
  };
}

// Not awaited here: the command imports this very module, which must have been evaluated by then.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  void import('./cli/entry.ts').then(({ runAsProcess }) => runAsProcess(['start', ...process.argv.slice(2)]));
}
