/**
 * Provider verdicts as they are kept in a file, and with the graphics card's name where it can only be one. Knows nothing of
 * trials or of where the file lies. Invariant: reading gives back exactly what was written, an infinite error included,
 * for which JSON has no number.
 */
import { z } from 'zod';
import type { ProviderVerdict } from '../../native-models/runtime/provider-trial.ts';
import { providerNames, type ProviderName } from '../../native-models/runtime/provider.ts';

/** Written for a number that is not finite: JSON would make it null, which means that it was not measured. */
const INFINITE = 'Infinity';

const measured = z.number().nonnegative().nullable();
const verdictSchema = z.object({
  provider: z.enum(providerNames as [ProviderName, ...ProviderName[]]),
  adapter: z.string().nullable(),
  verdict: z.enum(['used', 'correct', 'wrong', 'failed', 'unavailable']),
  maxRelativeError: z.union([measured, z.literal(INFINITE).transform(() => Infinity)]),
  trainStepMs: measured,
  decodeStepMs: measured,
  detail: z.string(),
  testedAt: z.number(),
});
const keptSchema = z.object({ key: z.string(), verdicts: z.array(verdictSchema) });

/** `key` names the machine and runtime for which they hold. */
export function verdictsText(key: string, verdicts: readonly ProviderVerdict[]): string {
  const exact = (_: string, value: unknown) => (value === Infinity ? INFINITE : value);
  return `${JSON.stringify({ key, verdicts }, exact, 2)}\n`;
}

/** The verdicts of a file's text; none where it is damaged or of another machine. */
export function parseVerdicts(text: string, key: string): ProviderVerdict[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  const parsed = keptSchema.safeParse(value);
  return parsed.success && parsed.data.key === key ? parsed.data.verdicts : [];
}

/** Providers that compute on a graphics card and on nothing else. */
const onGpu: ReadonlySet<string> = new Set<ProviderName>(['webgpu', 'cuda', 'dml']);

/** The runtime does not tell which card it took. Where the machine has one card, a provider that ran on a card ran on that. */
export function withGpuName<V extends Pick<ProviderVerdict, 'adapter' | 'verdict'> & { provider: string }>(
  verdicts: readonly V[],
  gpuNames: readonly string[],
): V[] {
  const [name] = gpuNames;
  if (name === undefined || gpuNames.length > 1) return [...verdicts];
  return verdicts.map((row) =>
    row.adapter === null && onGpu.has(row.provider) && row.verdict !== 'unavailable' ? { ...row, adapter: name } : row,
  );
}
