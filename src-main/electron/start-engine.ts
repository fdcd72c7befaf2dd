/**
 * Starts the engine inside the desktop app's node process: settings from the app's arguments and environment, the log, the
 * engine, and the port by which the CLI finds this node. The twin of `headless.ts`; knows nothing of windows or trays.
 * Invariant: whatever was opened is closed when a later part cannot start, and in reverse order at the end.
 */
import { Command } from 'commander';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLog } from '../base/log.ts';
import { rendererDirectory } from '../base/app-root.ts';
import { addConfigOptions } from '../cli/config-options.ts';
import { loadConfig, secretValues } from '../config.ts';
import type { LoadedConfig } from '../config.ts';
import { openEngine } from '../engine/engine.ts';
import { serveNode } from '../engine/serve/serve-node.ts';
import type { StartEngine } from './run-node.ts';

/**
 * The settings that the app's command line states. Electron and the desktop add switches and links of their own, so what is
 * not a setting is let through; a setting with a bad value is still refused.
 * @throws ConfigError
 */
export function settingsOf(args: readonly string[], env: NodeJS.ProcessEnv): LoadedConfig {
  const command = addConfigOptions(new Command('waggle')).allowUnknownOption().allowExcessArguments().exitOverride();
  command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  const flags = command
    .helpOption(false)
    .parse([...args], { from: 'user' })
    .opts();
  return loadConfig({ flags, env, file: typeof flags['config'] === 'string' ? flags['config'] : undefined });
}

export const startEngine: StartEngine = async ({ args, spawnCompute, spawnTrial, owner }) => {
  const { config, warnings } = settingsOf(args, process.env);
  const logDirectory = join(config.dataDirectory, 'logs');
  mkdirSync(logDirectory, { recursive: true });
  const log = createLog({ directory: logDirectory, level: config.logLevel, secrets: secretValues(config) });
  const apiLog = log.for('api');
  for (const warning of warnings) apiLog.warn(warning);
  try {
    const engine = await openEngine({ config, log, spawnCompute, spawnTrial, owner });
    const served = await serveNode({
      api: engine.api,
      dataDirectory: config.dataDirectory,
      rendererDirectory,
      port: config.port,
      onToken: (token) => log.addSecret(token),
      reportError: (message, error) => apiLog.error(message, error),
    }).catch(async (error: unknown) => {
      await engine.close();
      throw error;
    });
    let closing: Promise<void> | null = null;
    const close = async () => {
      await served.close();
      await engine.close();
      log.close();
    };
    return {
      api: engine.api,
      power: (event) => engine.power(event),
      close: () => (closing ??= close()),
      ended: engine.closed,
    };
  } catch (error) {
    log.close();
    throw error;
  }
};
