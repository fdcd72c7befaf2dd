/**
 * `npm run bench`: how fast the bundled policy decodes, trains and does rounds on this machine's CPU, how much memory that
 * takes, and how long tasks take to make and verify; as tables, or with `--json` as JSON. Leaves nothing behind and opens no connection. Other work on the machine shows in
 * the figures: the load before the start is part of them.
 */
import { parseArgs } from 'node:util';
import { measureCompute } from './compute-bench.ts';
import { describeMachine } from './machine.ts';
import { renderJson, renderTable } from './report.ts';
import { measureRounds } from './round-bench.ts';
import { measureTasks, renderTasks } from './task-bench.ts';

const usage = 'Usage: npm run bench, or for programs: npm run -s bench -- --json';

function wantsJson(): boolean {
  try {
    return parseArgs({ options: { json: { type: 'boolean', default: false } } }).values.json;
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n${usage}\n`);
    process.exit(2);
  }
}

const json = wantsJson();
const machine = describeMachine();
const say = (text: string): void => void process.stderr.write(`${text}\n`);
say('Decoding and training in the compute process...');
const compute = await measureCompute();
say('Rounds of a node with its default settings...');
const rounds = await measureRounds();
say('Making and verifying tasks...');
const tasks = measureTasks(500);
const figures = { machine, compute, rounds, tasks };
process.stdout.write(`${json ? renderJson(figures) : `\n${renderTable(figures)}\n\n${renderTasks(tasks)}`}\n`);
