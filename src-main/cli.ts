#!/usr/bin/env node
/** Entry of the `waggle` command. */
import { runAsProcess } from './cli/entry.ts';

await runAsProcess(process.argv.slice(2));
