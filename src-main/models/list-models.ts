/**
 * Models as people choose among them: those that are known, and those on this disk, each with whether it fits here. One row an
 * id: a known model that is here is one row, and a whole copy goes before a half one. Reads names, sizes and config.json only.
 */
import { join } from 'node:path';
import { catalogue, type CatalogueModel } from '../../native-models/hub/catalogue.ts';
import { findModels, inspectFolder, type FoundModel, type ModelPlaces } from '../../native-models/hub/find-models.ts';
import { hubSettings } from '../../native-models/hub/hub-settings.ts';
import type { PolicyConfig } from '../../native-models/policy/policy-config.ts';
import { PolicyError } from '../../native-models/policy/policy-error.ts';
import type { Fit } from '../../native-models/runtime/fit-work.ts';
import { describeError } from '../base/errors.ts';
import type { Config } from '../config.ts';
import { fitOf, readPolicyConfig } from './model-fit.ts';

/** What is told of a model: known or found, or both. */
export interface ListedModel {
  id: string;
  /** Null where config.json is not one that can be computed; `problem` says why. */
  config: PolicyConfig | null;
  known: CatalogueModel | null;
  found: FoundModel | null;
  fit: Fit | null;
  problem: string | null;
}

/** The one place that says where models are. `modelsDirectory`: in place of the data folder's own. */
export async function modelPlaces(
  dataDirectory: string,
  env: NodeJS.ProcessEnv,
  modelsDirectory = join(dataDirectory, 'models'),
): Promise<ModelPlaces> {
  const { cacheDirectory } = await hubSettings(env);
  return { modelsDirectory, cacheDirectory };
}

/** Known ones first, smallest first; then what else is on this disk. */
export async function listModels(places: ModelPlaces, settings: Config): Promise<ListedModel[]> {
  const found = await findModels(places);
  const known = catalogue.map((model): ListedModel => {
    const here = found.find(({ id, lacks }) => id === model.id && lacks === null) ?? null;
    return {
      id: model.id,
      config: model.config,
      known: model,
      found: here,
      fit: fitOf(model.config, settings),
      problem: null,
    };
  });
  const others = found.filter(({ id, lacks }) => lacks !== null || !catalogue.some((model) => model.id === id));
  return [...known, ...(await Promise.all(others.map((model) => describeFound(model, settings))))];
}

/** A folder that its owner named. Null: there is no config.json in it. */
export async function describeFolder(directory: string, id: string, settings: Config): Promise<ListedModel | null> {
  const seen = await inspectFolder(directory);
  return seen && describeFound({ id, directory, source: 'models', ...seen }, settings);
}

async function describeFound(found: FoundModel, settings: Config): Promise<ListedModel> {
  const base = { id: found.id, known: null, found };
  if (found.lacks !== null) return { ...base, config: null, fit: null, problem: `has no ${found.lacks}` };
  try {
    const config = await readPolicyConfig(found.directory);
    return { ...base, config, fit: fitOf(config, settings), problem: null };
  } catch (error) {
    const problem = error instanceof PolicyError ? error.message : describeError(error);
    return { ...base, config: null, fit: null, problem };
  }
}
