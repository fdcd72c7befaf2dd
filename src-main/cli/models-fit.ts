/**
 * `models fit`: what training a model needs in memory, before it is loaded; and what the other `models` commands share: the
 * settings, which model is in use, and how a verdict is shown.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { catalogue } from '../../native-models/hub/catalogue.ts';
import { findModel, inspectFolder, type ModelPlaces } from '../../native-models/hub/find-models.ts';
import type { PolicyConfig } from '../../native-models/policy/policy-config.ts';
import { fitWork, type Fit } from '../../native-models/runtime/fit-work.ts';
import { estimateMemory } from '../../native-models/runtime/memory-estimate.ts';
import { loadConfig, type Config } from '../config.ts';
import { bundledPolicyDirectory } from '../engine/policy/bundled-policy.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import { modelPlaces } from '../models/list-models.ts';
import { memoryFor, parametersOf, questionFor, readPolicyConfig } from '../models/model-fit.ts';
import { chosenPolicy } from '../models/policy-choice.ts';
import type { FoundNode, NodePlace } from './find-node.ts';
import type { FitOptions, ModelsOptions, ModelsSurroundings } from './models-command.ts';
import { formatBytes } from './quantities.ts';
import { alignPairs, paint, type Colour } from './terminal.ts';

export const verdictWords: Readonly<Record<Fit['verdict'], readonly [string, Colour]>> = {
  fits: ['fits', 'green'],
  tight: ['tight', 'yellow'],
  tooLarge: ['too large', 'red'],
};

export async function showFit(
  target: string,
  options: FitOptions,
  { terminal, env }: ModelsSurroundings,
): Promise<void> {
  const settings = settingsOf(options, env);
  const config = await configOf(target, await placesOf(options, settings, env));
  const question = questionFor(config, settings, options);
  const available = options.memory === undefined ? memoryFor(settings) : options.memory * 1024 * 1024;
  const fit = fitWork(question, available, settings.recomputeActivations);
  if (options.json === true) {
    const facts = {
      model: target,
      parameters: parametersOf(config),
      adapter: question.adapter,
      bridge: question.bridge ?? null,
    };
    terminal.print(JSON.stringify({ ...facts, ...fitJson(fit) }, null, 2));
    return;
  }
  const [word, colour] = verdictWords[fit.verdict];
  const { work, estimate } = fit;
  const what = question.adapter ? `an adapter of rank ${question.adapter.rank}` : 'all weights';
  const trained = question.bridge ? `${what} with BRIDGE` : what;
  terminal.print(
    `${paint(terminal, colour, word)}: training ${trained} needs about ${formatBytes(estimate.totalBytes)}, ${formatBytes(available)} are free`,
  );
  const parts = Object.entries(estimate.parts).map(([name, bytes]) => [name, formatBytes(bytes as number)] as const);
  terminal.print(alignPairs(terminal, parts));
  if (work.microBatchTokens < question.work.microBatchTokens)
    terminal.print(`With --micro-batch-tokens ${work.microBatchTokens}; as asked it would need ${formatBytes(fit.askedBytes)}.`); // prettier-ignore
  if (work.recompute === true)
    terminal.print('With layers computed again for their gradient (--recompute-activations).');
  if (work.decodedRows !== undefined) terminal.print(`With at most ${work.decodedRows} answers written at once.`);
  if (question.bridge) {
    const without = estimateMemory(questionFor(config, settings, { ...options, method: 'sapo' }));
    terminal.print(`Without BRIDGE (--method sapo) it would need ${formatBytes(without.totalBytes)}.`);
  }
  if (fit.verdict !== 'fits' && question.adapter === null) terminal.print('An adapter needs far less: --adapter lora.');
}

/** A folder, an id of the catalogue, or one that is on this disk. */
async function configOf(target: string, places: ModelPlaces): Promise<PolicyConfig> {
  const seen = (await stat(target).catch(() => null)) ? await inspectFolder(target) : null;
  if (seen) return readPolicyConfig(target);
  const known = catalogue.find(({ id }) => id === target);
  if (known) return known.config;
  const found = await findModel(places, target).catch(() => null);
  if (found) return readPolicyConfig(found.directory);
  throw new NodeFault({
    code: 'unknownModel',
    message: `${JSON.stringify(target.slice(0, 120))} is neither a model folder nor a model that is known or on this disk.`,
    fix: 'Name a folder with config.json, or an id of `waggle models`; fetch others with `waggle models pull ID`.',
  });
}

export function fitJson({
  verdict,
  work,
  estimate,
  askedBytes,
  availableBytes: available,
}: Fit): Record<string, unknown> {
  return {
    verdict,
    needBytes: estimate.totalBytes,
    askedBytes,
    availableBytes: available,
    parts: estimate.parts,
    work,
  };
}

/** Of the model that is trained, or at the next start will be; a node that runs knows better than the data folder. */
export async function directoryInUse(found: FoundNode | null, settings: Config): Promise<string> {
  const rows = (await found?.node.invoke('models', null))?.rows ?? [];
  const used = rows.find(({ inUse }) => inUse)?.directory;
  return used ?? resolve((await chosenPolicy(settings, bundledPolicyDirectory)).directory);
}

export function settingsOf(options: NodePlace, env: NodeJS.ProcessEnv): Config {
  return loadConfig({ flags: { data: options.data }, env, file: options.config }).config;
}

export function placesOf(
  { models }: Pick<ModelsOptions, 'models'>,
  settings: Config,
  env: NodeJS.ProcessEnv,
): Promise<ModelPlaces> {
  return modelPlaces(settings.dataDirectory, env, models);
}
