/**
 * `models`: the commands and their options. What each does is in models-list, models-pull, models-use, models-remove and models-fit,
 * which are loaded by the command that needs them. Works without a node.
 */
import { type Command, InvalidArgumentError } from 'commander';
import type { NodePlace } from './find-node.ts';
import type { Terminal } from './terminal.ts';

export interface ModelsSurroundings {
  terminal: Terminal;
  env: NodeJS.ProcessEnv;
}
export interface ModelsOptions extends NodePlace {
  json?: boolean;
  models?: string;
  endpoint?: string;
  revision?: string;
}
export interface FitOptions extends ModelsOptions {
  groupSize?: number;
  maxTokens?: number;
  promptTokens?: number;
  microBatch?: number;
  adapter?: 'auto' | 'lora' | 'full';
  method?: 'sapo' | 'bridge';
  memory?: number;
}

/** Adds `waggle models [list] | pull | use | remove | fit`. */
export function addModelsCommands(program: Command, surroundings: ModelsSurroundings): void {
  const models = program.command('models').description('models to train: what is known, what is here, what fits');
  const add = (usage: string, description: string, isDefault = false) =>
    models
      .command(usage, { isDefault })
      .description(description)
      .option('--models <dir>', "folder for models, the data folder's `models` if left out")
      .option('--data <dir>', "the node's data folder [WAGGLE_DATA]")
      .option('--config <file>', 'JSON file with settings [WAGGLE_CONFIG]')
      .option('--json', 'print JSON');
  add('list', 'known models and those on this disk, whether they fit, and which is in use', true).action(
    async (options: ModelsOptions) => {
      const { listModels } = await import('./models-list.ts');
      await listModels(options, surroundings);
    },
  );
  add('pull <id>', 'fetch a model; run it again after an interruption and it goes on')
    .option('--revision <name>', 'branch, tag or commit')
    .option('--endpoint <url>', 'hub or mirror [HF_ENDPOINT]')
    .action(async (id: string, options: ModelsOptions) => {
      const { pullToDisk } = await import('./models-pull.ts');
      await pullToDisk(id, options, surroundings);
    });
  add(
    'use <dir-or-id>',
    'train this model, also in a running node; `bundled` is the one that ships with Waggle',
  ).action(async (target: string, options: ModelsOptions) => {
    const { useModel } = await import('./models-use.ts');
    await useModel(target, options, surroundings);
  });
  add('remove <id-or-dir>', 'delete a fetched model, or half a download; a folder is taken off the list only').action(
    async (target: string, options: ModelsOptions) => {
      const { removeModel } = await import('./models-remove.ts');
      await removeModel(target, options, surroundings);
    },
  );
  add('fit <dir-or-id>', 'what training a model needs in memory, before it is loaded')
    .option('--group-size <number>', 'answers to each task', atLeast(2))
    .option('--max-tokens <number>', 'longest answer', atLeast(1))
    .option('--prompt-tokens <number>', 'longest prompt', atLeast(1))
    .option('--micro-batch <number>', 'most tokens in one pass', atLeast(1))
    .option('--adapter <mode>', 'auto, lora or full', adapterMode)
    .option('--method <name>', 'sapo or bridge', methodName)
    .option('--memory <megabytes>', 'as if so much memory were free', atLeast(1))
    .action(async (target: string, options: FitOptions) => {
      const { showFit } = await import('./models-fit.ts');
      await showFit(target, options, surroundings);
    });
}

function atLeast(min: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= min) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} on.`);
  };
}

function methodName(text: string): FitOptions['method'] & string {
  if (text === 'sapo' || text === 'bridge') return text;
  throw new InvalidArgumentError('It must be sapo or bridge.');
}

function adapterMode(text: string): FitOptions['adapter'] & string {
  if (text === 'auto' || text === 'lora' || text === 'full') return text;
  throw new InvalidArgumentError('It must be auto, lora or full.');
}
