#!/usr/bin/env node
/** Entry of the `waggle` command: hands the real terminal, environment and Ctrl-C to `cli/program.ts`. */
import { appVersion } from './cli/app-root.ts';
import { runCli } from './cli/program.ts';
import { openTerminal } from './cli/terminal.ts';

const args = process.argv.slice(2);
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
