/**
 * `npm run bench`: how fast the bundled policy decodes, trains and does rounds on this machine's CPU, how much memory that
 * takes, and how long tasks take to make and verify; as tables, or with `--json` as JSON. With `--policy DIR` decoding and a training step
 * of any policy folder, in a shape of your choice. Leaves nothing behind and opens no connection. Other work on the
 * machine shows in the figures: the load before the start is part of them.
 */
import { parseArgs } from 'node:util';
import { bundledWork, measureCompute, type ComputeWork } from './compute-bench.ts';
import { describeMachine } from './machine.ts';
import { renderFolder, renderJson, renderTable } from './report.ts';
import { measureRounds } from './round-bench.ts';
import { measureTasks, renderTasks } from './task-bench.ts';

const usage = `Usage: npm run bench, or for programs: npm run -s bench -- --json
       npm run -s bench -- --policy DIR [--adapter auto|lora|full] [--precision auto|f32|f16|int8|int4]
                           [--rows 8] [--group 8] [--tokens 32] [--row-tokens 128] [--repetitions 5] [--json]`;

function refuse(why: string): never {
  process.stderr.write(`bench: ${why}\n${usage}\n`);
  process.exit(2);
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        policy: { type: 'string' },
        adapter: { type: 'string', default: 'auto' },
        precision: { type: 'string', default: 'auto' },
        rows: { type: 'string', default: '8' },
        group: { type: 'string', default: '8' },
        tokens: { type: 'string', default: '32' },
        'row-tokens': { type: 'string', default: '128' },
        repetitions: { type: 'string', default: '5' },
      },
    }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  return allowed.find((known) => known === value) ?? refuse(`--${name} is one of ${allowed.join(', ')}`);
}

function count(name: 'rows' | 'group' | 'tokens' | 'row-tokens' | 'repetitions'): number {
  const value = Number(options[name]);
  return Number.isInteger(value) && value >= 1 && value <= 65_536
    ? value
    : refuse(`--${name} is a whole number from 1`);
}

const options = readOptions();
const machine = describeMachine();
const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function benchFolder(policyDirectory: string): Promise<string> {
  const work: ComputeWork = {
    policyDirectory,
    adapter: oneOf('adapter', options.adapter, ['auto', 'lora', 'full']),
    decodePrecision: oneOf('precision', options.precision, ['auto', 'f32', 'f16', 'int8', 'int4']),
    rows: count('rows'),
    groupSize: count('group'),
    decodedTokens: count('tokens'),
    rowTokens: count('row-tokens'),
    repetitions: count('repetitions'),
  };
  say('Decoding and training in the compute process...');
  const compute = await measureCompute(work);
  return options.json ? JSON.stringify({ work, compute, machine }, null, 2) : renderFolder({ machine, work, compute });
}

async function benchAll(): Promise<string> {
  say('Decoding and training in the compute process...');
  const compute = await measureCompute(bundledWork);
  say('Rounds of a node with its default settings...');
  const rounds = await measureRounds();
  say('Making and verifying tasks...');
  const tasks = measureTasks(500);
  const figures = { machine, compute, rounds, tasks };
  return options.json ? renderJson(figures) : `\n${renderTable(figures)}\n\n${renderTasks(tasks)}`;
}

const { policy } = options;
process.stdout.write(`${policy === undefined ? await benchAll() : await benchFolder(policy)}\n`);
