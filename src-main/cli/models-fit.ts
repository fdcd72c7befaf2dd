/**
 * `models fit`: what training a model needs in memory, before it is loaded; and what the other `models` commands share: the
 * settings, the places where models are, and the question that the estimate answers.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { catalogue } from '../../native-models/hub/catalogue.ts';
import { findModel, inspectFolder, type ModelPlaces } from '../../native-models/hub/find-models.ts';
import { hubSettings } from '../../native-models/hub/hub-settings.ts';
import { chooseAdapter } from '../../native-models/policy/adapter.ts';
import { parameterCount, parameterSlots } from '../../native-models/policy/parameters.ts';
import { parsePolicyConfig, type PolicyConfig } from '../../native-models/policy/policy-config.ts';
import { fitWork, type Fit } from '../../native-models/runtime/fit-work.ts';
import type { MemoryQuestion } from '../../native-models/runtime/memory-estimate.ts';
import { loadConfig, type Config } from '../config.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import type { NodePlace } from './find-node.ts';
import type { FitOptions, ModelsOptions, ModelsSurroundings } from './models-command.ts';
import { formatBytes } from './quantities.ts';
import { alignPairs, paint, type Colour } from './terminal.ts';

/** Longest prompt that is reckoned with: a task's words with the chat template around them. */
const PROMPT_TOKENS = 96;
const MAX_CONFIG_BYTES = 1024 * 1024;
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
  const config = await configOf(target, options, settings, env);
  const question = questionFor(config, settings, options);
  const available = options.memory === undefined ? availableBytes() : options.memory * 1024 * 1024;
  const fit = fitWork(question, available);
  if (options.json === true) {
    const facts = { model: target, parameters: parametersOf(config), adapter: question.adapter };
    terminal.print(JSON.stringify({ ...facts, ...fitJson(fit) }, null, 2));
    return;
  }
  const [word, colour] = verdictWords[fit.verdict];
  const { work, estimate } = fit;
  const trained = question.adapter ? `an adapter of rank ${question.adapter.rank}` : 'all weights';
  terminal.print(
    `${paint(terminal, colour, word)}: training ${trained} needs about ${formatBytes(estimate.totalBytes)}, ${formatBytes(available)} are free`,
  );
  const parts = Object.entries(estimate.parts).map(([name, bytes]) => [name, formatBytes(bytes as number)] as const);
  terminal.print(alignPairs(terminal, parts));
  if (work.microBatchTokens < question.work.microBatchTokens)
    terminal.print(`With --micro-batch-tokens ${work.microBatchTokens}; as asked it would need ${formatBytes(fit.askedBytes)}.`); // prettier-ignore
  if (fit.verdict !== 'fits' && question.adapter === null) terminal.print('An adapter needs far less: --adapter lora.');
}

/** A folder, an id of the catalogue, or one that is on this disk. */
async function configOf(
  target: string,
  options: ModelsOptions,
  settings: Config,
  env: NodeJS.ProcessEnv,
): Promise<PolicyConfig> {
  const seen = (await stat(target).catch(() => null)) ? await inspectFolder(target) : null;
  if (seen) return readPolicyConfig(target);
  const known = catalogue.find(({ id }) => id === target);
  if (known) return known.config;
  const found = await findModel(await placesOf(options, settings, env), target).catch(() => null);
  if (found) return readPolicyConfig(found.directory);
  throw new NodeFault({
    code: 'unknownModel',
    message: `${JSON.stringify(target.slice(0, 120))} is neither a model folder nor a model that is known or on this disk.`,
    fix: 'Name a folder with config.json, or an id of `waggle models`; fetch others with `waggle models pull ID`.',
  });
}

/** @throws PolicyError */
export async function readPolicyConfig(directory: string): Promise<PolicyConfig> {
  const path = join(directory, 'config.json');
  const text = (await stat(path)).size > MAX_CONFIG_BYTES ? '' : await readFile(path, 'utf8');
  let json: unknown = null;
  try {
    json = JSON.parse(text);
  } catch {
    // null is refused below, with the words for it
  }
  return parsePolicyConfig(json);
}

export function questionFor(config: PolicyConfig, settings: Config, options: Partial<FitOptions>): MemoryQuestion {
  const { ownObjective, peerObjective, klWeight, loraRank, loraAlpha, loraTargets } = settings;
  const mode = options.adapter ?? settings.adapter;
  const request = { mode, rank: loraRank, alpha: loraAlpha, targets: loraTargets };
  return {
    config,
    adapter: chooseAdapter(parametersOf(config), request),
    work: {
      prompts: settings.promptsPerRound,
      groupSize: options.groupSize ?? settings.groupSize,
      promptTokens: options.promptTokens ?? PROMPT_TOKENS,
      completionTokens: options.maxTokens ?? settings.maxNewTokens,
      microBatchTokens: options.microBatch ?? settings.microBatchTokens,
    },
    objectives: ownObjective === peerObjective ? 1 : 2,
    scoring: true,
    reference: klWeight > 0,
  };
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

export function parametersOf(config: PolicyConfig): number {
  return parameterCount(parameterSlots(config));
}

/** As far as the system tells: what a container allows counts, too. */
export function availableBytes(): number {
  return process.availableMemory();
}

export function settingsOf(options: NodePlace, env: NodeJS.ProcessEnv): Config {
  return loadConfig({ flags: { data: options.data }, env, file: options.config }).config;
}

export async function placesOf(options: ModelsOptions, settings: Config, env: NodeJS.ProcessEnv): Promise<ModelPlaces> {
  const { cacheDirectory } = await hubSettings(env);
  return { modelsDirectory: options.models ?? join(settings.dataDirectory, 'models'), cacheDirectory };
}
