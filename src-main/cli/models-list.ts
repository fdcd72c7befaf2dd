/** `models list`: what can be trained, what each needs here, whether it fits, which is in use; and what has arrived of others. */
import { findHalfModels, halfModelBytes } from '../../native-models/hub/half-models.ts';
import { bundledPolicyDirectory } from '../engine/policy/bundled-policy.ts';
import { memoryFor, parametersOf } from '../models/model-fit.ts';
import { modelChoices, type ModelChoice } from '../models/model-rows.ts';
import { readModelFolders } from '../models/owned-models.ts';
import { findNodeIfAny } from './find-node.ts';
import type { ModelsOptions, ModelsSurroundings } from './models-command.ts';
import { directoryInUse, fitJson, placesOf, settingsOf, verdictWords } from './models-fit.ts';
import { formatBytes, formatCount } from './quantities.ts';
import { alignTable, harmless, paint, type Terminal } from './terminal.ts';

/** A choice, and what has arrived of it where it is not here as a whole. */
interface Listed extends ModelChoice {
  partialBytes: number | null;
}

export async function listModels(options: ModelsOptions, { terminal, env }: ModelsSurroundings): Promise<void> {
  const settings = settingsOf(options, env);
  const places = await placesOf(options, settings, env);
  const node = await findNodeIfAny(options, env, () => true);
  const usedDirectory = await directoryInUse(node, settings).finally(() => node?.node.close());
  const choices = await modelChoices({
    places,
    settings,
    bundledDirectory: bundledPolicyDirectory(),
    folders: await readModelFolders(settings.dataDirectory),
    usedDirectory,
  });
  const listed = withHalves(choices, await arrivedBytes(places.modelsDirectory));
  if (options.json === true) {
    terminal.print(JSON.stringify({ availableBytes: memoryFor(settings), models: listed.map(asJson) }, null, 2));
    return;
  }
  const headings = ['model', 'weights', 'download', 'licence', 'context', 'needs', 'here', 'pass', 'on this disk'];
  terminal.print(
    alignTable(
      terminal,
      headings,
      listed.map((each) => rowOf(each, terminal)),
    ),
  );
  const shape = `${settings.promptsPerRound} prompts x ${settings.groupSize} answers of ${settings.maxNewTokens} tokens`;
  terminal.print(
    `\n  needs: memory for rounds of ${shape}, of ${formatBytes(memoryFor(settings))} free now.\n  pass: tokens of one training pass with which it needs that (--micro-batch-tokens). download: about, exact when fetched.`,
  );
}

/** By id. A model may have halves of several commits. */
async function arrivedBytes(modelsDirectory: string): Promise<Map<string, number>> {
  const arrived = new Map<string, number>();
  for (const half of await findHalfModels(modelsDirectory))
    arrived.set(half.id, (arrived.get(half.id) ?? 0) + (await halfModelBytes(half)));
  return arrived;
}

/** Those of which nothing else is known come last. */
function withHalves(choices: readonly ModelChoice[], arrived: ReadonlyMap<string, number>): Listed[] {
  const known = choices.map((choice) => ({ ...choice, partialBytes: arrived.get(choice.key) ?? null }));
  const others = [...arrived].filter(([id]) => !choices.some(({ key }) => key === id));
  const halves = others.map(([id, partialBytes]): Listed => {
    const model = { id, config: null, known: null, found: null, fit: null, problem: null };
    return { key: id, source: 'hub', directory: null, inUse: false, model, partialBytes };
  });
  return [...known, ...halves];
}

function rowOf({ model, inUse, partialBytes }: Listed, terminal: Terminal): string[] {
  const { id, config, known, found, fit, problem } = model;
  const unfit = problem === null ? (['not whole', 'yellow'] as const) : (['cannot be used', 'red'] as const);
  const [word, colour] = fit ? verdictWords[fit.verdict] : unfit;
  const bytes = known?.downloadBytes ?? found?.weightBytes;
  const half = partialBytes === null ? [] : [`half a download (${formatBytes(partialBytes)})`];
  return [
    `${harmless(id)}${inUse ? ' (in use)' : ''}`,
    config ? `${formatCount(parametersOf(config) / 1e6)} M` : '-',
    bytes === undefined ? '-' : formatBytes(bytes),
    known ? `${known.licence}${known.gated ? ' (gated)' : ''}` : found ? 'see its folder' : '-',
    config ? formatCount(config.contextTokens) : '-',
    fit ? formatBytes(fit.estimate.totalBytes) : '-',
    paint(terminal, colour, word.padEnd(9)),
    fit ? formatCount(fit.work.microBatchTokens) : '-',
    harmless([problem ?? found?.directory ?? [], half].flat().join('; ') || '-'),
  ];
}

function asJson({ key, source, inUse, model, partialBytes }: Listed): Record<string, unknown> {
  const { config, known, found, fit, problem } = model;
  return {
    id: key,
    parameters: config ? parametersOf(config) : null,
    family: config?.architecture ?? null,
    contextTokens: config?.contextTokens ?? null,
    downloadBytes: known?.downloadBytes ?? null,
    licence: known?.licence ?? null,
    gated: known?.gated ?? null,
    fit: fit ? fitJson(fit) : null,
    directory: found?.lacks === null ? found.directory : null,
    source: source === 'hub' ? null : source,
    inUse,
    partialBytes,
    problem,
  };
}
