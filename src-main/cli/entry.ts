/** Runs one command line as this process: real terminal, environment and Ctrl-C; the exit code is the command's. */
import { appVersion } from '../base/app-root.ts';
import { runCli } from './program.ts';
import { openTerminal } from './terminal.ts';

export async function runAsProcess(args: readonly string[]): Promise<void> {
  const interruption = new AbortController();
  // Only `logs -f` waits for this; `start` has an orderly end of its own, and everything else may end at once.
  if (args[0] === 'logs') process.once('SIGINT', () => interruption.abort());
  // A reader that closes the pipe early (`waggle logs | head`) is no error.
  process.stdout.on('error', () => process.exit(0));
  process.exitCode = await runCli(args, {
    terminal: openTerminal(process.stdout, process.stderr, process.env),
    env: process.env,
    version: appVersion,
    interrupted: interruption.signal,
  });
  setTimeout(() => process.exit(), 2000).unref(); // a stuck handle of native code must not keep the process
}
