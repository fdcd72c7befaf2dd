/**
 * The `waggle` command: its commands, their options, and how it ends. What a command does is in the file of its name.
 *
 * Invariants: exit code 0 when it worked, 1 when it did not, 2 when the command line or the configuration is wrong; with
 * --json standard output holds JSON only, a failure as {fault}; heavy parts are loaded by the command that needs them.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ConfigError } from '../config.ts';
import type { ApiFault, LogLevel } from '../engine/api.ts';
import { faultOf } from '../engine/serve/faults.ts';
import { addConfigOptions } from './config-options.ts';
import { addCudaCommand } from './cuda-command.ts';
import { showDoctor, type DoctorOptions } from './doctor-command.ts';
import { addExportCommand } from './export-command.ts';
import { dataDirectoryOf, findNode, type FoundNode, type NodePlace } from './find-node.ts';
import { addIdentityCommands } from './identity-command.ts';
import { addModelsCommands } from './models-command.ts';
import { changeState, quitNode, showLogs, showStatus, type LogsOptions } from './node-commands.ts';
import { showPastLogs } from './past-logs.ts';
import { renderScore } from './score-command.ts';
import { addSwarmCommands } from './swarm-command.ts';
import { complainFault, type Terminal } from './terminal.ts';
import type { TaskOptions } from './task-command.ts';

export interface CliSurroundings {
  terminal: Terminal;
  env: NodeJS.ProcessEnv;
  version: string;
  /** Fires when the user presses Ctrl-C. */
  interrupted: AbortSignal;
}

interface NodeOptions extends NodePlace {
  json?: boolean;
}

/** Runs one command line (without `node` and the script); never rejects. */
export async function runCli(args: readonly string[], surroundings: CliSurroundings): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(surroundings, (code) => (exitCode = code));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has said why
    const fault = faultOf(error) ?? unexpected(error);
    if (args.includes('--json')) surroundings.terminal.print(JSON.stringify({ fault }));
    else complainFault(surroundings.terminal, fault);
    return error instanceof ConfigError ? 2 : 1;
  }
}

function buildProgram(surroundings: CliSurroundings, setExitCode: (code: number) => void): Command {
  const { terminal } = surroundings;
  const program = new Command('waggle')
    .description('Trains a small language model on this machine, together with a swarm of peers.')
    .version(surroundings.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.complain(text.trimEnd()),
    })
    .showHelpAfterError('Show all commands and options with: waggle --help');
  addStart(program, surroundings, setExitCode);
  addNodeCommands(program, surroundings);
  addDoctor(program, surroundings);
  addScore(program, surroundings);
  addTask(program, surroundings);
  addIdentityCommands(program, surroundings);
  addSwarmCommands(program, surroundings);
  addModelsCommands(program, surroundings);
  addCudaCommand(program, surroundings);
  addExportCommand(program, surroundings);
  return program;
}

function addStart(program: Command, { terminal, env }: CliSurroundings, setExitCode: (code: number) => void): void {
  addConfigOptions(
    program.command('start').description('start a node: in a window where there is a display, else headless'),
  )
    .option('--json', 'print the address as one JSON object once the node serves')
    .action(async (flags: Record<string, unknown>) => {
      const { startWaggle } = await import('../start.ts');
      setExitCode(await startWaggle({ flags, env, terminal }));
    });
}

function addNodeCommands(program: Command, surroundings: CliSurroundings): void {
  const { terminal, env, interrupted } = surroundings;
  const withNode = async (place: NodePlace, use: (found: FoundNode) => Promise<void>): Promise<void> => {
    const found = await findNode(place, env);
    try {
      await use(found);
    } finally {
      await found.node.close();
    }
  };
  nodeCommand(program, 'status', 'what the node is doing').action((options: NodeOptions) =>
    withNode(options, (found) => showStatus(found, options, terminal)),
  );
  for (const [call, description] of [
    ['pause', 'stop training at once'],
    ['resume', 'go on training'],
    ['finish', 'end the round, then pause'],
  ] as const) {
    nodeCommand(program, call, description).action((options: NodeOptions) =>
      withNode(options, (found) => changeState(call, found, options, terminal)),
    );
  }
  nodeCommand(program, 'quit', 'save, and end the node').action((options: NodeOptions) =>
    withNode(options, (found) => quitNode(found, options, terminal)),
  );
  nodeCommand(program, 'logs', 'what the node has said; also of one that has ended')
    .option('-f, --follow', 'go on showing what it says, until Ctrl-C')
    .option('-n, --lines <number>', 'rows of the past, at most 2000', wholeNumber(1, 2000), 100)
    .addOption(
      new Option('--level <level>', 'least important kind')
        .choices(['debug', 'info', 'warn', 'error'] satisfies LogLevel[])
        .default('info'),
    )
    .action(async (options: NodeOptions & LogsOptions) => {
      try {
        await withNode(options, (found) => showLogs(found, options, terminal, interrupted));
      } catch (error) {
        if (!(await showPastLogs(error, dataDirectoryOf(options, env), options, terminal))) throw error;
      }
    });
}

function nodeCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--data <dir>', "the node's data folder [WAGGLE_DATA]")
    .option('--config <file>', 'JSON file with settings that names the data folder [WAGGLE_CONFIG]')
    .option('--json', 'print JSON');
}

function addDoctor(program: Command, { terminal, env }: CliSurroundings): void {
  nodeCommand(program, 'doctor', 'what this machine can train with')
    .option('--again', 'try every provider again, also one that was given up')
    .action((options: DoctorOptions) => showDoctor(options, terminal, env));
}

function addScore(program: Command, { terminal }: CliSurroundings): void {
  program
    .command('score <model-dir>')
    .description('token ids and log-probabilities of a completion under a model folder (Hugging Face layout)')
    .requiredOption('--prompt <text>', 'text before the completion')
    .requiredOption('--completion <text>', 'text to score')
    .option('--json', 'print JSON')
    .action(async (directory: string, options: { prompt: string; completion: string; json?: boolean }) => {
      const { scoreFolder } = await import('../../native-models/policy/score.ts');
      const score = await scoreFolder(directory, options.prompt, options.completion);
      terminal.print(renderScore(terminal, score, options.json === true));
    });
}

function addTask(program: Command, { terminal }: CliSurroundings): void {
  program
    .command('task <name>')
    .description('instances of a task, or the verdict on an answer')
    .requiredOption('--seed <integer>', 'seed of the data set', integerText)
    .requiredOption('--index <number>', 'position in the data set, from 0', wholeNumber(0, 2 ** 31 - 1))
    .option('--count <number>', 'how many from there', wholeNumber(1, 1_000_000), 1)
    .option('--config <json>', "settings that differ from the task's defaults, as a JSON object")
    .option('--answer <text>', 'judge this answer')
    .option('--partial', "judge it by the reference library's partial credit instead of right or wrong")
    .option('--json', 'print one JSON object a line')
    .action(async (name: string, options: TaskOptions) => {
      const { showTasks } = await import('./task-command.ts');
      showTasks(name, options, terminal);
    });
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

function integerText(text: string): string {
  if (/^-?\d{1,40}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a whole number of at most 40 digits.');
}

function unexpected(error: unknown): ApiFault {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'internal', message, fix: 'This is a bug in Waggle: please report it with the text above.' };
}
