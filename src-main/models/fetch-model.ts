/**
 * One model onto this disk, or where it is already: what `waggle models pull` and the node's downloads share. Knows nothing of
 * queues or of terminals.
 */
import { findModel, type FoundModel, type ModelPlaces } from '../../native-models/hub/find-models.ts';
import { HubError } from '../../native-models/hub/hub-error.ts';
import type { HubSettings } from '../../native-models/hub/hub-settings.ts';
import { pullModel, type PullProgress, type PullTuning } from '../../native-models/hub/pull-model.ts';
import type { Fit } from '../../native-models/runtime/fit-work.ts';
import type { Config } from '../config.ts';
import { fitOf, readPolicyConfig } from './model-fit.ts';

export interface FetchRequest {
  id: string;
  /** Branch, tag or commit; left out, a copy of another program is as good. */
  revision?: string | undefined;
  places: ModelPlaces;
  hub: HubSettings;
  settings: Config;
  signal?: AbortSignal | undefined;
  onProgress?: (progress: PullProgress) => void;
  /** Called once, before the weights: the model can be computed, but will hardly fit. */
  onTooLarge?: (fit: Fit) => void;
  tuning?: Partial<PullTuning>;
}
export interface FetchedModel {
  directory: string;
  bytes: number;
  alreadyThere: boolean;
  /** Null for a copy of another program, and where the hub could not be asked. */
  commit: string | null;
  /** It is here, but nobody can say whether there is a newer one. */
  unasked: boolean;
}

/** @throws HubError; PolicyError for a model that cannot be computed, before its weights are fetched */
export async function fetchModel(request: FetchRequest): Promise<FetchedModel> {
  const { id, revision, places, hub, settings, signal, onProgress, onTooLarge, tuning } = request;
  const here = await findModel(places, id);
  if (here?.source === 'cache' && revision === undefined) return asFound(here, false);
  try {
    const pulled = await pullModel({
      id,
      ...(revision === undefined ? {} : { revision }),
      modelsDirectory: places.modelsDirectory,
      settings: hub,
      signal,
      ...(onProgress ? { onProgress } : {}),
      beforeWeights: async (directory) => {
        const fit = fitOf(await readPolicyConfig(directory), settings);
        if (fit.verdict === 'tooLarge') onTooLarge?.(fit);
      },
      ...(tuning ? { tuning } : {}),
    });
    const { directory, bytes, alreadyThere, origin } = pulled;
    return { directory, bytes, alreadyThere, commit: origin.commit, unasked: false };
  } catch (error) {
    const offline = error instanceof HubError && error.code === 'hubOffline';
    if (!offline || here === null || revision !== undefined) throw error;
    return asFound(here, true);
  }
}

function asFound({ directory, weightBytes }: FoundModel, unasked: boolean): FetchedModel {
  return { directory, bytes: weightBytes, alreadyThere: true, commit: null, unasked };
}
