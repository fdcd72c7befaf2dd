/**
 * `export`: the policy of a data folder's last checkpoint as a Hugging Face folder, an adapter worked in and also beside it as a
 * PEFT folder. Needs no running node and disturbs none: it only reads the checkpoints. Takes the settings of `start`, since they say
 * which policy the node trains and how.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { WaggleError } from '../base/errors.ts';
import { loadConfig } from '../config.ts';
import { dataFolderPaths } from '../engine/data-folder.ts';
import { addConfigOptions } from './config-options.ts';
import { harmless, type Terminal } from './terminal.ts';

export function addExportCommand(
  program: Command,
  { terminal, env }: { terminal: Terminal; env: NodeJS.ProcessEnv },
): void {
  addConfigOptions(
    program
      .command('export <dir>')
      .description('write the trained policy as a Hugging Face folder; settings as of start'),
  )
    .option('--json', 'print JSON')
    .action((directory: string, flags: Record<string, unknown>) => exportPolicy(directory, flags, terminal, env));
}

async function exportPolicy(
  directory: string,
  { json, config: file, ...flags }: Record<string, unknown>,
  terminal: Terminal,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const { config } = loadConfig({ flags, env, file: typeof file === 'string' ? file : undefined });
  const { bundledPolicyDirectory } = await import('../engine/policy/bundled-policy.ts');
  const { ComputeHost, forkCompute } = await import('../../native-models/runtime/compute-host.ts');
  const { adapterRequestOf } = await import('../models/model-fit.ts');
  const { chosenPolicy } = await import('../models/policy-choice.ts');
  const { openPolicyHome } = await import('../engine/policy/policy-home.ts');
  const { directory: policyDirectory } = await chosenPolicy(config, bundledPolicyDirectory);
  const target = resolve(directory);
  if (target === resolve(policyDirectory)) {
    throw new WaggleError({
      code: 'exportOverBase',
      message: 'The folder to write is the policy that training started from',
      fix: 'Name another folder.',
    });
  }
  const home = await openPolicyHome(policyDirectory, dataFolderPaths(config.dataDirectory).checkpoints);
  const compute = new ComputeHost(forkCompute);
  try {
    const opened = await compute.call('open', {
      policyDirectory,
      checkpointDirectory: home.checkpoints,
      identity: { present: home.identity, earlier: [home.name] },
      provider: 'cpu',
      threads: config.cpuThreads,
      adapter: adapterRequestOf(config),
      ...(config.method === 'bridge' ? { bridge: { rank: config.bridgeRank } } : {}),
    });
    if (opened.version === 0) {
      throw new WaggleError({
        code: 'nothingTrained',
        message: `There is no checkpoint of a trained policy in ${config.dataDirectory}`,
        fix: 'Name the data folder of a node that has trained with --data, or let this one train for a minute.',
      });
    }
    await compute.call('exportPolicy', { directory: target });
    const { name, version, adapter } = opened;
    if (json === true) terminal.print(JSON.stringify({ directory: target, policy: name, steps: version, adapter }));
    else
      terminal.print(
        `${harmless(name)} after ${version} steps is in ${target}${adapter ? ', its adapter alone in the folder adapter there' : ''}.`,
      );
  } finally {
    await compute.close();
  }
}
