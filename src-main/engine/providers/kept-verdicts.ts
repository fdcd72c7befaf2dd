/**
 * Provider verdicts and troubles as they are kept in a file, and with the graphics card's name where it can only be one. Knows
 * nothing of trials or of where the file lies. Invariant: reading gives back exactly what was written, an infinite error
 * included, for which JSON has no number.
 */
import { z } from 'zod';
import type { ProviderVerdict } from '../../../native-models/runtime/provider-trial.ts';
import { isSameTarget, providerNames, type ProviderName } from '../../../native-models/runtime/provider.ts';
import { troubleKinds, troubleText, type ProviderTrouble, type TroubleKind } from './provider-trouble.ts';

/** Written for a number that is not finite: JSON would make it null, which means that it was not measured. */
const INFINITE = 'Infinity';

const measured = z.number().nonnegative().nullable();
const provider = z.enum(providerNames as [ProviderName, ...ProviderName[]]);
const device = z.int().nonnegative().max(64);
const verdictSchema = z.object({
  provider,
  device,
  adapter: z.string().nullable(),
  verdict: z.enum(['used', 'correct', 'wrong', 'failed', 'unstable', 'unavailable']),
  maxRelativeError: z.union([measured, z.literal(INFINITE).transform(() => Infinity)]),
  trainStepMs: measured,
  decodeStepMs: measured,
  peakBytes: measured,
  detail: z.string(),
  testedAt: z.number(),
});
const troubleSchema = z.object({
  provider,
  device,
  kind: z.enum(troubleKinds as [TroubleKind, ...TroubleKind[]]),
  times: z.int().positive(),
  detail: z.string(),
  at: z.number(),
});
const keptSchema = z.object({ key: z.string(), verdicts: z.array(verdictSchema), troubles: z.array(troubleSchema) });

export interface Kept {
  verdicts: ProviderVerdict[];
  /** Of providers that were given up in use. */
  troubles: ProviderTrouble[];
}
export const NOTHING_KEPT: Kept = { verdicts: [], troubles: [] };

/** `key` names the machine, its drivers and the runtime for which they hold. */
export function keptText(key: string, { verdicts, troubles }: Kept): string {
  const exact = (_: string, value: unknown) => (value === Infinity ? INFINITE : value);
  return `${JSON.stringify({ key, verdicts, troubles }, exact, 2)}\n`;
}

/** What a file's text holds; nothing where it is damaged, of an older Waggle, or of another machine or driver. */
export function parseKept(text: string, key: string): Kept {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return NOTHING_KEPT;
  }
  const parsed = keptSchema.safeParse(value);
  if (!parsed.success || parsed.data.key !== key) return NOTHING_KEPT;
  const { verdicts, troubles } = parsed.data;
  return { verdicts, troubles };
}

/** The verdicts as people see them: one that was given up in use is unstable, whatever its trial said. */
export function withTroubles(verdicts: readonly ProviderVerdict[], troubles: readonly ProviderTrouble[]) {
  const seen = verdicts.map((row): ProviderVerdict => {
    const trouble = troubles.find((each) => isSameTarget(each, row));
    if (!trouble || row.verdict === 'unavailable') return row;
    return { ...row, verdict: 'unstable', detail: `${troubleText(trouble)}.` };
  });
  const untried = troubles.filter((trouble) => !verdicts.some((row) => isSameTarget(trouble, row)));
  const added = untried.map((trouble): ProviderVerdict => ({
    provider: trouble.provider,
    device: trouble.device,
    adapter: null,
    verdict: 'unstable',
    maxRelativeError: null,
    trainStepMs: null,
    decodeStepMs: null,
    peakBytes: null,
    detail: `${troubleText(trouble)}.`,
    testedAt: trouble.at,
  }));
  return [...seen, ...added];
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
