/** `models pull`: brings a model onto this disk, or says where it is already; shows how far it is. */
import { catalogue } from '../../native-models/hub/catalogue.ts';
import { findModel } from '../../native-models/hub/find-models.ts';
import { HubError } from '../../native-models/hub/hub-error.ts';
import { hubSettings } from '../../native-models/hub/hub-settings.ts';
import { pullModel, type PullProgress } from '../../native-models/hub/pull-model.ts';
import { fitWork } from '../../native-models/runtime/fit-work.ts';
import type { Config } from '../config.ts';
import type { ModelsOptions, ModelsSurroundings } from './models-command.ts';
import { availableBytes, placesOf, questionFor, readPolicyConfig, settingsOf } from './models-fit.ts';
import { formatBytes, formatDuration } from './quantities.ts';
import { harmless, type Terminal } from './terminal.ts';

const SAY_EVERY_MS = 2000;

export async function pullToDisk(
  id: string,
  options: ModelsOptions,
  { terminal, env }: ModelsSurroundings,
): Promise<void> {
  const settings = settingsOf(options, env);
  const places = await placesOf(options, settings, env);
  const finish = (directory: string, bytes: number, alreadyThere: boolean, commit: string | null): void => {
    const facts = { id, directory, bytes, alreadyThere, commit };
    if (options.json === true) terminal.print(JSON.stringify(facts, null, 2));
    else {
      const words = alreadyThere ? 'is on this disk already' : `is here: ${formatBytes(bytes)}, every file verified`;
      terminal.print(`${id} ${words}\n  ${directory}\nTrain it with: waggle start --policy ${directory}`);
    }
  };
  const here = await findModel(places, id);
  // A copy of other programs is as good, unless a certain state is asked for.
  if (here?.source === 'cache' && options.revision === undefined) {
    finish(here.directory, here.weightBytes, true, null);
    return;
  }
  const known = catalogue.find((model) => model.id === id);
  if (known && options.json !== true) terminal.complain(`Licence: ${known.licence}. Its conditions hold for what you train, too.`); // prettier-ignore
  try {
    const pulled = await pullModel({
      id,
      ...(options.revision === undefined ? {} : { revision: options.revision }),
      modelsDirectory: places.modelsDirectory,
      settings: await hubSettings(env, options.endpoint),
      onProgress: options.json === true ? () => undefined : progressOn(terminal),
      beforeWeights: (directory) => checkBeforeWeights(directory, settings, terminal),
    });
    finish(pulled.directory, pulled.bytes, pulled.alreadyThere, pulled.origin.commit);
  } catch (error) {
    const offline = error instanceof HubError && error.code === 'hubOffline';
    if (!offline || here === null || options.revision !== undefined) throw error;
    if (options.json !== true) terminal.complain('The hub cannot be reached, so nobody can say whether there is a newer one.'); // prettier-ignore
    finish(here.directory, here.weightBytes, true, null);
  }
}

/** A model that cannot be computed is refused before gigabytes are fetched; one that is too large is only warned of. */
async function checkBeforeWeights(directory: string, settings: Config, terminal: Terminal): Promise<void> {
  const fit = fitWork(questionFor(await readPolicyConfig(directory), settings, {}), availableBytes());
  if (fit.verdict !== 'tooLarge') return;
  const needs = `${formatBytes(fit.estimate.totalBytes)} of memory, ${formatBytes(fit.availableBytes)} are free`;
  terminal.complain(`Training it here needs about ${needs}: it may not fit.`);
}

function progressOn(terminal: Terminal): (progress: PullProgress) => void {
  let saidAtMs = -Infinity;
  return (progress) => {
    if (progress.phase === 'waiting') {
      terminal.complain(`${harmless(progress.reason)} Trying again in ${formatDuration(progress.waitMs)}.`);
      return;
    }
    if (progress.phase === 'again') {
      terminal.complain(`${progress.file}: what was left from before is damaged; it is fetched again.`);
      return;
    }
    if (progress.phase === 'listing' || performance.now() - saidAtMs < SAY_EVERY_MS) return;
    saidAtMs = performance.now();
    const { doneBytes, totalBytes, bytesPerSecond, remainingMs } = progress;
    const rate = bytesPerSecond === null ? '' : `, ${formatBytes(bytesPerSecond)}/s`;
    const left = remainingMs === null ? '' : `, ${formatDuration(remainingMs)} left`;
    const share = Math.floor((100 * doneBytes) / Math.max(1, totalBytes));
    terminal.complain(`${share} % of ${formatBytes(totalBytes)}${rate}${left} (${progress.phase} ${progress.file})`);
  };
}
