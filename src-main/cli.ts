#!/usr/bin/env -S node --max-semi-space-size=1 --v8-pool-size=1 --max-opt=2 --no-concurrent-recompilation
/** Entry of the `waggle` command. */
import { runAsProcess } from './cli/entry.ts';

await runAsProcess(process.argv.slice(2));
