/** Listed models as the rows that the API gives: plain data, with what can be done about each. Pure but for reading folders. */
import { basename } from 'node:path';
import type { ModelPlaces } from '../../native-models/hub/find-models.ts';
import type { Fit } from '../../native-models/runtime/fit-work.ts';
import type { Config } from '../config.ts';
import type { ModelRow } from '../engine/api.ts';
import { describeFolder, listModels, type ListedModel } from './list-models.ts';
import { parametersOf, questionFor } from './model-fit.ts';

/** Key of the policy that ships with Waggle. */
export const BUNDLED_KEY = 'bundled';

export interface RowsQuestion {
  places: ModelPlaces;
  settings: Config;
  bundledDirectory: string;
  /** Added by the owner. */
  folders: readonly string[];
  /** Of the policy that is trained, or about to be. */
  usedDirectory: string;
  /** Rounds that were trained and kept, by model folder. */
  trained: ReadonlyMap<string, { round: number; at: number }>;
}

/** The bundled one, known ones by size, others on this disk, added folders; the one in use is always among them. */
export async function modelRows(question: RowsQuestion): Promise<ModelRow[]> {
  const { places, settings, bundledDirectory, folders, usedDirectory } = question;
  const listed = await listModels(places, settings);
  const rows = [
    rowOf(question, await folderOr(bundledDirectory, BUNDLED_KEY, settings), BUNDLED_KEY, 'bundled'),
    ...listed.map((model) => rowOf(question, model, model.id, sourceOf(model))),
  ];
  for (const folder of folders) {
    if (!rows.some(({ directory }) => directory === folder))
      rows.push(rowOf(question, await folderOr(folder, basename(folder), settings), folder, 'folder'));
  }
  if (!rows.some(({ inUse }) => inUse)) {
    const used = await folderOr(usedDirectory, basename(usedDirectory), settings);
    rows.push(rowOf(question, used, usedDirectory, 'folder'));
  }
  return rows;
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
  { settings, usedDirectory, trained }: RowsQuestion,
  { id, config, known, found, fit, problem }: ListedModel,
  key: string,
  source: ModelRow['source'],
): ModelRow {
  const directory = found?.directory ?? null;
  const whole = found?.lacks === null;
  const inUse = directory !== null && directory === usedDirectory;
  return {
    key,
    name: key === BUNDLED_KEY && directory !== null ? basename(directory) : id,
    source,
    directory: whole || inUse ? directory : null,
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
    trained: (directory === null ? undefined : trained.get(directory)) ?? null,
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
