/**
 * The node without a window: engine and server in plain Node, the dashboard's address on one line, an orderly end. Runs the
 * very engine of the desktop app. Knows nothing of training, of Electron, or of how the renderer is built.
 *
 * Invariants: the engine is closed after the port; whatever was opened is closed when a later part cannot start.
 */
import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLog, type Log } from './base/log.ts';
import { rendererDirectory } from './base/app-root.ts';
import { renderLogRow } from './cli/node-commands.ts';
import { reportProgress } from './cli/progress-line.ts';
import { untilEnd } from './cli/shutdown.ts';
import { paint, type Terminal } from './cli/terminal.ts';
import { secretValues, type Config, type LoadedConfig } from './config.ts';
import type { NodeApi } from './engine/api.ts';
import { serveNode } from './engine/serve/serve-node.ts';

/** A running engine, by the parts this file needs. */
export interface RunningEngine {
  api: NodeApi;
  /** Fulfilled when the engine has ended by itself (quit by a client). */
  closed: Promise<void>;
  close(): Promise<void>;
}

export type OpenEngine = (options: { config: Config; log: Log }) => Promise<RunningEngine>;

export interface HeadlessOptions {
  loaded: LoadedConfig;
  /** Print the address as one JSON object, and the log to standard error. */
  json: boolean;
  terminal: Terminal;
  /** For tests; the real one is loaded when needed. */
  openEngine?: OpenEngine;
}

/** Settles with the exit code when the node has ended. Throws what the engine and the server throw when they cannot start. */
export async function runHeadless({ loaded, json, terminal, openEngine }: HeadlessOptions): Promise<number> {
  const { config } = loaded;
  const say = (text: string): void => (json ? terminal.complain(text) : terminal.print(text));
  const logDirectory = join(config.dataDirectory, 'logs');
  mkdirSync(logDirectory, { recursive: true });
  const log = createLog({ directory: logDirectory, level: config.logLevel, secrets: secretValues(config) });
  const api = log.for('api');
  try {
    log.subscribe((row) => say(renderLogRow(terminal, row)));
    for (const warning of loaded.warnings) api.warn(warning);
    const engine = await (openEngine ?? (await loadEngine()))({ config, log });
    const served = await serveNode({
      api: engine.api,
      dataDirectory: config.dataDirectory,
      rendererDirectory,
      port: config.port,
      onToken: (token) => log.addSecret(token),
      reportError: (message, error) => api.error(message, error),
    }).catch(async (error: unknown) => {
      await engine.close();
      throw error;
    });
    const { url, port } = served;
    if (json) terminal.print(JSON.stringify({ url, port, pid: process.pid, dataDirectory: config.dataDirectory }));
    else {
      terminal.print(`Dashboard: ${paint(terminal, 'bold', url)}`);
      // For the eyes on the terminal only: the history keeps the numbers, the log need not.
      reportProgress(engine.api, (message) =>
        say(renderLogRow(terminal, { at: Date.now(), level: 'info', source: 'engine', message })),
      );
    }
    return await untilEnd({
      ended: engine.closed,
      close: async () => {
        await served.close();
        await engine.close();
      },
      say: (text) => terminal.complain(text),
      report: (message, error) => api.error(message, error),
    });
  } finally {
    log.close();
  }
}

async function loadEngine(): Promise<OpenEngine> {
  const { openEngine } = await import('./engine/engine.ts');
  return openEngine;
}

// Not awaited here: the command imports this very module, which must have been evaluated by then.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  void import('./cli/entry.ts').then(({ runAsProcess }) =>
    runAsProcess(['start', '--headless', ...process.argv.slice(2)]),
  );
}
