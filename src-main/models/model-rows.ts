/**
 * What can be chosen among: listed models, the bundled one and added folders; and these as the rows that the API gives, plain data with
 * what can be done about each. Pure but for reading folders.
 */
import { basename } from 'node:path';
import type { ModelPlaces } from '../../native-models/hub/find-models.ts';
import type { Fit } from '../../native-models/runtime/fit-work.ts';
import type { Config } from '../config.ts';
import type { ModelRow } from '../engine/api.ts';
import { describeFolder, listModels, type ListedModel } from './list-models.ts';
import { parametersOf, questionFor } from './model-fit.ts';

/** Key of the policy that ships with Waggle. */
export const BUNDLED_KEY = 'bundled';

export interface ChoicesQuestion {
  places: ModelPlaces;
  settings: Config;
  bundledDirectory: string;
  /** Added by the owner. */
  folders: readonly string[];
  /** Of the policy that is trained, or about to be. */
  usedDirectory: string;
}
export interface RowsQuestion extends ChoicesQuestion {
  /** Rounds that were trained and kept, by model folder. */
  trained: ReadonlyMap<string, { round: number; at: number }>;
}

/** A model that can be trained, or could be once it is here. */
export interface ModelChoice extends Pick<ModelRow, 'key' | 'source' | 'directory' | 'inUse'> {
  model: ListedModel;
}

/** The bundled one, known ones by size, others on this disk, added folders; the one in use is always among them. */
export async function modelChoices(question: ChoicesQuestion): Promise<ModelChoice[]> {
  const { places, settings, bundledDirectory, folders, usedDirectory } = question;
  const choice = (model: ListedModel, key: string, source: ModelRow['source']): ModelChoice => {
    const inUse = model.found?.directory === usedDirectory;
    const isHere = model.found?.lacks === null || inUse;
    return { key, source, model, inUse, directory: isHere ? model.found!.directory : null };
  };
  const ofFolder = async (folder: string): Promise<ModelChoice> =>
    choice(await folderOr(folder, basename(folder), settings), folder, 'folder');
  const choices = [
    choice(await folderOr(bundledDirectory, BUNDLED_KEY, settings), BUNDLED_KEY, 'bundled'),
    ...(await listModels(places, settings)).map((model) => choice(model, model.id, sourceOf(model))),
  ];
  for (const folder of folders)
    if (!choices.some(({ directory }) => directory === folder)) choices.push(await ofFolder(folder));
  if (!choices.some(({ inUse }) => inUse)) choices.push(await ofFolder(usedDirectory));
  return choices;
}

export async function modelRows(question: RowsQuestion): Promise<ModelRow[]> {
  return (await modelChoices(question)).map((choice) => rowOf(question, choice));
}

async function folderOr(directory: string, id: string, settings: Config): Promise<ListedModel> {
  const seen = await describeFolder(directory, id, settings);
  if (seen) return seen;
  const found = { id, directory, source: 'models' as const, weightBytes: 0, lacks: 'config.json' };
  return { id, config: null, known: null, found, fit: null, problem: 'is not there any more' };
}

function sourceOf({ found }: ListedModel): ModelRow['source'] {
  return found === null ? 'hub' : found.source === 'cache' ? 'cache' : 'models';
}

function rowOf(
  { settings, trained }: RowsQuestion,
  { key, source, directory, inUse, model: { id, config, known, found, fit, problem } }: ModelChoice,
): ModelRow {
  return {
    key,
    name: key === BUNDLED_KEY && found !== null ? basename(found.directory) : id,
    source,
    directory,
    family: config?.architecture ?? null,
    parameters: config ? parametersOf(config) : null,
    contextTokens: config?.contextTokens ?? null,
    licence: known?.licence ?? null,
    gated: known?.gated ?? false,
    downloadBytes: known?.downloadBytes ?? null,
    diskBytes: found?.weightBytes ?? null,
    fit: fit && config ? fitFacts(fit, questionFor(config, settings).adapter !== null) : null,
    problem,
    inUse,
    trained: (found && trained.get(found.directory)) ?? null,
    deletable: source === 'models' && !inUse,
  };
}

function fitFacts({ verdict, estimate, availableBytes, work }: Fit, adapter: boolean): NonNullable<ModelRow['fit']> {
  return {
    verdict,
    needBytes: estimate.totalBytes,
    availableBytes,
    microBatchTokens: work.microBatchTokens,
    adapter,
  };
}
