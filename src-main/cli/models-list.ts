/** `models list`: known models and those on this disk, what each needs here, and whether it fits. */
import { catalogue, type CatalogueModel } from '../../native-models/hub/catalogue.ts';
import { findModels, type FoundModel } from '../../native-models/hub/find-models.ts';
import type { PolicyConfig } from '../../native-models/policy/policy-config.ts';
import { PolicyError } from '../../native-models/policy/policy-error.ts';
import { fitWork, type Fit } from '../../native-models/runtime/fit-work.ts';
import type { Config } from '../config.ts';
import type { ModelsOptions, ModelsSurroundings } from './models-command.ts';
import {
  availableBytes,
  fitJson,
  parametersOf,
  placesOf,
  questionFor,
  readPolicyConfig,
  settingsOf,
  verdictWords,
} from './models-fit.ts';
import { formatBytes, formatCount } from './quantities.ts';
import { alignTable, harmless, paint, type Terminal } from './terminal.ts';

/** What is told of a model: known or found, or both. */
interface Listed {
  id: string;
  /** Null where config.json is not one that can be computed; `problem` says why. */
  config: PolicyConfig | null;
  known: CatalogueModel | null;
  found: FoundModel | null;
  fit: Fit | null;
  problem: string | null;
}

export async function listModels(options: ModelsOptions, { terminal, env }: ModelsSurroundings): Promise<void> {
  const settings = settingsOf(options, env);
  const found = await findModels(await placesOf(options, settings, env));
  const listed: Listed[] = catalogue.map((known) => ({
    id: known.id,
    config: known.config,
    known,
    found: found.find(({ id, lacks }) => id === known.id && lacks === null) ?? null,
    fit: fitWork(questionFor(known.config, settings, {}), availableBytes()),
    problem: null,
  }));
  const others = found.filter(({ id, lacks }) => lacks !== null || !catalogue.some((known) => known.id === id));
  for (const model of others) listed.push(await describeFound(model, settings));
  if (options.json === true) {
    terminal.print(JSON.stringify({ availableBytes: availableBytes(), models: listed.map(asJson) }, null, 2));
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
    `\n  needs: memory for rounds of ${shape}, of ${formatBytes(availableBytes())} free now.\n  pass: tokens of one training pass with which it needs that (--micro-batch-tokens). download: about, exact when fetched.`,
  );
}

async function describeFound(found: FoundModel, settings: Config): Promise<Listed> {
  const base = { id: found.id, known: null, found };
  if (found.lacks !== null) return { ...base, config: null, fit: null, problem: `has no ${found.lacks}` };
  try {
    const config = await readPolicyConfig(found.directory);
    return { ...base, config, fit: fitWork(questionFor(config, settings, {}), availableBytes()), problem: null };
  } catch (error) {
    if (error instanceof PolicyError) return { ...base, config: null, fit: null, problem: error.message };
    throw error;
  }
}

function rowOf({ id, config, known, found, fit, problem }: Listed, terminal: Terminal): string[] {
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

function asJson({ id, config, known, found, fit, problem }: Listed): Record<string, unknown> {
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
