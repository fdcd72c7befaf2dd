/** `models list`: known models and those on this disk, what each needs here, and whether it fits. */
import { listModels as readModels, type ListedModel } from '../models/list-models.ts';
import { memoryFor, parametersOf } from '../models/model-fit.ts';
import type { ModelsOptions, ModelsSurroundings } from './models-command.ts';
import { fitJson, placesOf, settingsOf, verdictWords } from './models-fit.ts';
import { formatBytes, formatCount } from './quantities.ts';
import { alignTable, harmless, paint, type Terminal } from './terminal.ts';

export async function listModels(options: ModelsOptions, { terminal, env }: ModelsSurroundings): Promise<void> {
  const settings = settingsOf(options, env);
  const listed = await readModels(await placesOf(options, settings, env), settings);
  if (options.json === true) {
    terminal.print(JSON.stringify({ availableBytes: memoryFor(settings), models: listed.map(asJson) }, null, 2));
    return;
  }
  const headings = ['model', 'weights', 'download', 'licence', 'context', 'needs', 'here', 'pass', 'on this disk'];
  terminal.print(
    alignTable(
      terminal,
      headings,
      listed.map((model) => rowOf(model, terminal)),
    ),
  );
  const shape = `${settings.promptsPerRound} prompts x ${settings.groupSize} answers of ${settings.maxNewTokens} tokens`;
  terminal.print(
    `\n  needs: memory for rounds of ${shape}, of ${formatBytes(memoryFor(settings))} free now.\n  pass: tokens of one training pass with which it needs that (--micro-batch-tokens). download: about, exact when fetched.`,
  );
}

function rowOf({ id, config, known, found, fit, problem }: ListedModel, terminal: Terminal): string[] {
  const [word, colour] = fit ? verdictWords[fit.verdict] : (['cannot be used', 'red'] as const);
  return [
    harmless(id),
    config ? `${formatCount(parametersOf(config) / 1e6)} M` : '-',
    formatBytes(known?.downloadBytes ?? found?.weightBytes ?? 0),
    known ? `${known.licence}${known.gated ? ' (gated)' : ''}` : 'see its folder',
    config ? formatCount(config.contextTokens) : '-',
    fit ? formatBytes(fit.estimate.totalBytes) : '-',
    paint(terminal, colour, word.padEnd(9)),
    fit ? formatCount(fit.work.microBatchTokens) : '-',
    harmless(problem ?? found?.directory ?? '-'),
  ];
}

function asJson({ id, config, known, found, fit, problem }: ListedModel): Record<string, unknown> {
  return {
    id,
    parameters: config ? parametersOf(config) : null,
    family: config?.architecture ?? null,
    contextTokens: config?.contextTokens ?? null,
    downloadBytes: known?.downloadBytes ?? null,
    licence: known?.licence ?? null,
    gated: known?.gated ?? null,
    fit: fit ? fitJson(fit) : null,
    directory: found?.lacks === null ? found.directory : null,
    source: found?.source ?? null,
    problem,
  };
}
