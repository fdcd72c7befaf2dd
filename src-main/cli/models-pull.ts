/** `models pull`: brings a model onto this disk, or says where it is already; shows how far it is. */
import { catalogue } from '../../native-models/hub/catalogue.ts';
import { hubSettings } from '../../native-models/hub/hub-settings.ts';
import type { PullProgress } from '../../native-models/hub/pull-model.ts';
import { fetchModel } from '../models/fetch-model.ts';
import type { ModelsOptions, ModelsSurroundings } from './models-command.ts';
import { placesOf, settingsOf } from './models-fit.ts';
import { formatBytes, formatDuration } from './quantities.ts';
import { harmless, type Terminal } from './terminal.ts';

const SAY_EVERY_MS = 2000;

export async function pullToDisk(
  id: string,
  options: ModelsOptions,
  { terminal, env }: ModelsSurroundings,
): Promise<void> {
  const settings = settingsOf(options, env);
  const quiet = options.json === true;
  const known = catalogue.find((model) => model.id === id);
  const { directory, bytes, alreadyThere, commit, unasked } = await fetchModel({
    id,
    revision: options.revision,
    places: await placesOf(options, settings, env),
    hub: await hubSettings(env, options.endpoint),
    settings,
    onProgress: quiet ? () => undefined : progressOn(terminal, known?.licence ?? null),
    onTooLarge: ({ estimate, availableBytes }) => {
      const needs = `${formatBytes(estimate.totalBytes)} of memory, ${formatBytes(availableBytes)} are free`;
      terminal.complain(`Training it here needs about ${needs}: it may not fit.`);
    },
  });
  if (quiet) {
    terminal.print(JSON.stringify({ id, directory, bytes, alreadyThere, commit }, null, 2));
    return;
  }
  if (unasked) terminal.complain('The hub cannot be reached, so nobody can say whether there is a newer one.');
  const words = alreadyThere ? 'is on this disk already' : `is here: ${formatBytes(bytes)}, every file verified`;
  terminal.print(`${id} ${words}\n  ${directory}\nTrain it with: waggle models use ${id}`);
}

/** The licence is said before anything is fetched. */
function progressOn(terminal: Terminal, licence: string | null): (progress: PullProgress) => void {
  let saidAtMs = -Infinity;
  if (licence !== null) terminal.complain(`Licence: ${licence}. Its conditions hold for what you train, too.`);
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
