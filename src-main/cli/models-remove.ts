/**
 * `models remove`: deletes a fetched model and what has arrived of one, or takes a folder off the list. A running node does it itself, so
 * that a download on its way ends first and the page hears of it; without one it is done in the data folder. What other programs put
 * on this disk stays.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { findModel, type ModelPlaces } from '../../native-models/hub/find-models.ts';
import { findHalfModels } from '../../native-models/hub/half-models.ts';
import { modelFolder } from '../../native-models/hub/model-origin.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import { BUNDLED_KEY } from '../models/model-rows.ts';
import { deleteModel, forgetModelFolder, readModelFolders } from '../models/owned-models.ts';
import { findNodeIfAny } from './find-node.ts';
import type { ModelsOptions, ModelsSurroundings } from './models-command.ts';
import { directoryInUse, placesOf, settingsOf } from './models-fit.ts';
import { harmless } from './terminal.ts';

/** folder: from the list alone. half: what had arrived of a model that is not here. */
type Removed = 'folder' | 'model' | 'half';

const words: Record<Removed, (target: string) => string> = {
  folder: (target) => `${target} is off the list; the folder itself stays.`,
  model: (target) => `${target} is deleted.`,
  half: (target) => `What had arrived of ${target} is deleted.`,
};

export async function removeModel(
  target: string,
  options: ModelsOptions,
  { terminal, env }: ModelsSurroundings,
): Promise<void> {
  if (target === BUNDLED_KEY)
    throw stays('The bundled policy is a part of Waggle', 'Leave it: it takes a few megabytes.');
  const settings = settingsOf(options, env);
  const places = await placesOf(options, settings, env);
  const folder = resolve(target);
  const isListed = (await readModelFolders(settings.dataDirectory)).includes(folder);
  const found = await findNodeIfAny(options, env);
  let removed: Removed;
  try {
    const directory = isListed ? folder : modelFolder(places.modelsDirectory, target);
    if (directory === (await directoryInUse(found, settings))) throw inUse(target);
    removed = isListed ? 'folder' : await whatIsHere(target, directory, places);
    if (isListed) {
      if (found) await found.node.invoke('forgetModelFolder', { directory });
      else await forgetModelFolder(settings.dataDirectory, directory);
    } else if (found && options.models === undefined) await found.node.invoke('deleteModel', { id: target });
    else await deleteModel(places.modelsDirectory, target); // a node looks in its own models folder only
  } finally {
    await found?.node.close();
  }
  const model = isListed ? folder : target;
  terminal.print(options.json === true ? JSON.stringify({ model, removed }) : harmless(words[removed](model)));
}

async function whatIsHere(id: string, directory: string, places: ModelPlaces): Promise<'model' | 'half'> {
  if (await stat(directory).catch(() => null)) return 'model';
  if ((await findHalfModels(places.modelsDirectory, id)).length > 0) return 'half';
  if (await findModel(places, id))
    throw stays(`${id} was put on this disk by another program`, 'Delete it with that program.');
  throw new NodeFault({
    code: 'modelNotHere',
    message: `Of ${JSON.stringify(id)} there is nothing in the models folder, and it is no folder on the list.`,
    fix: 'Name it as `waggle models list` does; a folder by its path.',
  });
}

function stays(message: string, fix: string): NodeFault {
  return new NodeFault({ code: 'notOurModel', message: `${message}, so it is not deleted.`, fix });
}

function inUse(target: string): NodeFault {
  return new NodeFault({
    code: 'modelInUse',
    message: `${JSON.stringify(target.slice(0, 300))} is in use.`,
    fix: 'Train another model first (`waggle models use`), then remove it.',
  });
}
